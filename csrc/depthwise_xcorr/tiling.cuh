// tiling.cuh - how the outputs are cut into blocks, and how a block's shared memory is laid out.
//
// A block has a tile of the output of some channels.  Its threads are (lane, channel, group): a lane is two columns, a
// group some rows.  A lane reads its two columns of two rows at once, 128 bits, and shared memory serves 8 lanes at a
// time from 8 fours of banks.  We let neighbouring lanes and channels read fours that are the same odd number apart
// (`pair_pitch` and `map_size`, up to multiples of 32 banks), so that no two of 8 meet; and a group's lanes of all
// channels are a multiple of 8, wherever the rows of the next group lie.  tests/emulator counts this.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "../common/launch.h"
#include "problem.h"
#include "sweep.cuh"
#include "taps.cuh"

namespace reidops::depthwise_xcorr {

inline constexpr int kMostThreads = 256, kEnoughThreads = 128;
// Blocks of kMostThreads that a multiprocessor has registers for: 128 a thread, or 255 where a number takes two.
template <class S>
inline constexpr int kBlocksAtOnce = sizeof(S) == 8 ? 1 : 2;
inline constexpr int kMostLanes = 16;   // so that a tile has up to 32 columns
inline constexpr int kMostTileRows = 64;
inline constexpr int kBanks = 32, kFour = 4, kFours = kBanks / kFour;
inline constexpr std::size_t kMostShared = 48 * 1024;
inline constexpr int64_t kEnoughBlocks = 1024;
inline constexpr int64_t kMostBlocks = (int64_t(1) << 31) - 1;

// Taps along each side that are in shared memory at a time.
template <class T>
inline constexpr int kMostTaps = sizeof(T) == 4 ? 32 : 16;

struct Tiling {
  int square;                    // of how many rows and columns of taps: 3, 5, 7, 10; 0 where the kernel takes any
  int rows;                      // of a thread: 8 or 10
  int lanes, pairs;              // of a row of the tile; the lanes beyond the pairs of columns are idle
  int channels, groups;
  int parts, part_rows;          // of the taps, each of which other threads add; and rows of taps of a part
  int tile_h, tile_w;
  int taps_h, taps_w;            // of the template, at a time
  int map_h, map_w;              // of the map, that these need: an even number of columns
  int pair_pitch, map_size;      // elements from a pair of columns and a channel to the next
  int vector;                    // columns of the map that are copied at once
  bool linear_taps;              // of all channels: they lie in shared as in global memory, and are copied in fours
  bool paired;                   // two columns of the output are written at once
  int tap_pitch, taps_size;      // elements from a column of taps and a channel to the next
  int buffer, buffers;           // of taps: elements of one, and how many; the next template's arrive early
  int tile_rows, tile_columns, chunks;  // numbers of tiles, and of chunks of channels
  int together;                  // outputs of one search map that a block makes one after another
  int64_t blocks;
  bool wide;                     // sizes or strides need 64 bits
  Sweep map_sweep, taps_sweep;

  dim3 threads() const { return dim3(lanes, channels, groups * parts); }
  int thread_count() const { return lanes * channels * groups * parts; }

  // All buffers of taps, up to where 16 bytes can be read again.
  REIDOPS_HOST_DEVICE int all_taps() const { return buffers * buffer; }

  // Taps and map, in whose place the sums of all parts but the first are handed over.
  template <class T>
  std::size_t shared_bytes() const {
    const std::size_t sums = std::size_t(thread_count() - thread_count() / parts) * kColumns * rows * sizeof(T);
    return std::max((all_taps() + std::size_t(map_size) * channels) * sizeof(T), sums);
  }

  template <class S>
  static Tiling of(const Problem<S>& p, int64_t enough) {
    using T = typename Problem<S>::T;
    Tiling s{};
    s.wide = std::is_same_v<T, double> || !fits_32_bits(p);
    s.choose_rows(p);
    s.choose_columns(p);
    s.choose_taps(p, kMostTaps<T>);
    s.vector = widest_vector(p);
    s.lay_out();
    s.buffers = s.may_prefetch(p) ? 2 : 1;
    s.choose_lanes_and_channels<T>(p.C);
    s.chunks = static_cast<int>(ceil_of(p.C, s.channels));
    const int64_t tiles = int64_t(s.tile_rows) * s.tile_columns * s.chunks;
    s.together = s.parts == 1 && s.may_prefetch(p) ? outputs_together(p.outputs, tiles, enough) : 1;
    if (s.together == 1) s.buffers = 1;
    s.buffer = round_up(s.channels * s.taps_size, kFour);
    s.linear_taps = s.are_taps_linear(p);
    s.paired = is_paired(p);
    s.blocks = times(p.outputs.size / s.together, tiles);
    const bool channels_last = p.of_search.channel == 1 && p.of_search.column != 1;
    s.map_sweep = Sweep::of(s.thread_count(), s.channels, s.map_h, s.map_w / s.vector, channels_last);
    s.taps_sweep = Sweep::of(s.thread_count(), s.channels, s.taps_h, s.taps_w, p.of_template.channel == 1);
    return s;
  }

 private:
  template <class T>
  std::size_t bytes_of_a_channel() const {
    return (std::size_t(map_size) + buffers * (taps_size + kFour)) * sizeof(T);  // at most
  }

  // Sizes far from 2^31, so that sums of some are, and strides that are multiplied by them to 64 bits.
  template <class S>
  static bool fits_32_bits(const Problem<S>& p) {
    constexpr int64_t kFar = int64_t(1) << 28;
    // Arrays, because nvcc hands a loop over a list in braces to g++ as something else.
    const int64_t sizes[] = {p.C, p.H, p.W, p.kh, p.kw, p.h, p.w, p.top, p.left, -p.top, -p.left};
    for (const int64_t size : sizes)
      if (size > kFar) return false;
    const Strides strides[] = {p.of_search, p.of_template, p.of_out};
    for (const Strides& of : strides)
      for (const int64_t stride : {of.channel, of.row, of.column})
        if (stride > INT32_MAX || -stride > INT32_MAX) return false;
    return p.sums.size <= INT32_MAX;
  }

  // Those rows a thread that leave fewer idle.
  template <class S>
  void choose_rows(const Problem<S>& p) {
    rows = 8;
    if (!wide && ceil_of(p.h, 10) * 10 < ceil_of(p.h, 8) * 8) rows = 10;
    const int64_t all = ceil_of(p.h, rows);
    tile_rows = static_cast<int>(ceil_of(all, kMostTileRows / rows));
    groups = static_cast<int>(ceil_of(all, tile_rows));
    tile_h = groups * rows;
  }

  template <class S>
  void choose_columns(const Problem<S>& p) {
    tile_columns = static_cast<int>(ceil_of(p.w, kMostLanes * kColumns));
    pairs = static_cast<int>(ceil_of(ceil_of(p.w, tile_columns), kColumns));
    tile_w = pairs * kColumns;
  }

  template <class S>
  void choose_taps(const Problem<S>& p, int most) {
    const bool known = p.kh == p.kw && (p.kh == 3 || p.kh == 5 || p.kh == 7 || p.kh == 10);
    square = !wide && known ? static_cast<int>(p.kh) : 0;
    const auto piece = [most](int64_t taps) {  // even pieces, in fours
      return taps <= most ? static_cast<int>(taps) : round_up(ceil_of(taps, ceil_of(taps, most)), kFour);
    };
    taps_h = piece(p.kh);
    taps_w = piece(p.kw);
    map_h = tile_h + taps_h - 1;
    map_w = round_up(tile_w + taps_w - 1, kColumns);
  }

  // Whether all batch dimensions move a tensor by multiples of `count` elements.
  template <class S>
  static bool steps_are_multiples(const Problem<S>& p, int64_t Place::*of, int64_t count) {
    for (const auto* walk : {&p.outputs, &p.sums})
      for (int d = 0; d < walk->dims; ++d)
        if (walk->step[d].*of % count != 0) return false;
    return true;
  }
  template <class S>
  static bool is_aligned(const S* data, int64_t count) {
    return reinterpret_cast<std::uintptr_t>(data) % (count * sizeof(S)) == 0;
  }

  // Two columns are copied at once where they are side by side in global memory too, lie both inside the map or both
  // outside, and at addresses that are multiples of their size.
  template <class S>
  static int widest_vector(const Problem<S>& p) {
    const Strides& of = p.of_search;
    const bool two = !std::is_same_v<S, double> && of.column == 1 && of.row % 2 == 0 && of.channel % 2 == 0 &&
                     p.W % 2 == 0 && p.left % 2 == 0 && is_aligned(p.search, 2) &&
                     steps_are_multiples(p, &Place::search, 2);
    return two ? 2 : 1;
  }

  template <class S>
  bool are_taps_linear(const Problem<S>& p) const {
    const int64_t size = p.kh * p.kw;
    return square > 0 && !p.turned && p.of_template.column == 1 && p.of_template.row == p.kw &&
           p.of_template.channel == size && channels * size % kFour == 0 && p.C * size % kFour == 0 &&
           is_aligned(p.templ, kFour) && steps_are_multiples(p, &Place::templ, kFour);
  }

  template <class S>
  static bool is_paired(const Problem<S>& p) {
    const Strides& of = p.of_out;
    return of.column == 1 && of.row % 2 == 0 && of.channel % 2 == 0 && p.w % 2 == 0 && is_aligned(p.out, 2) &&
           steps_are_multiples(p, &Place::out, 2);
  }

  // Pairs of columns are an odd number of fours of banks apart, columns of taps begin at such fours, and a channel's
  // taps are an odd number of fours from the next channel's; squares lie close together.
  void lay_out() {
    pair_pitch = kFour * (ceil_of(kColumns * map_h, kFour) | 1);
    tap_pitch = square > 0 ? 0 : round_up(taps_h, kFour);
    taps_size = square > 0 ? square * square : kFour * (ceil_of(tap_pitch * taps_w, kFour) | 1);
  }

  // Among the numbers of lanes and channels, those that leave the fewest lanes idle.
  template <class T>
  void choose_lanes_and_channels(int64_t C) {
    Tiling best = *this;
    double best_share = 0;
    for (int l = pairs; l <= kMostLanes; ++l) {
      lanes = l;
      const int least = pair_pitch * map_w / kColumns;  // and as many more as make it lanes * pair_pitch, modulo kBanks
      map_size = least + ((lanes * pair_pitch - least) % kBanks + kBanks) % kBanks;
      const int64_t fit = std::min<int64_t>(kMostThreads / (lanes * groups), kMostShared / bytes_of_a_channel<T>());
      for (channels = 1; channels <= std::max<int64_t>(1, std::min(fit, C)); ++channels) {
        choose_parts();
        const int count = thread_count();
        const bool conflicts = lanes * channels % kFours != 0 && channels * groups > 1;
        const double share = double(pairs) / lanes * count / round_up(count, 32) * C /
                             double(ceil_of(C, channels) * channels) * (conflicts ? 0.6 : 1);
        const bool small = best_share > 0 && best.thread_count() < kEnoughThreads;
        if (share > best_share * (small ? 0.999 : 1.02)) best = *this, best_share = share;
      }
    }
    *this = best;
  }

  // Where outputs are few and taps many, as in a template's gradient, rows of taps are shared among threads.
  void choose_parts() {
    const int of_one = lanes * channels * groups, quads = static_cast<int>(ceil_of(taps_h, kFour));
    const bool few = square == 0 && of_one < kEnoughThreads;
    part_rows = few ? round_up(ceil_of(quads, std::min(quads, kMostThreads / of_one)) * kFour, kFour) : taps_h;
    parts = static_cast<int>(ceil_of(taps_h, part_rows));
  }

  // One map for several templates, of which all taps are in shared memory at a time.
  template <class S>
  bool may_prefetch(const Problem<S>& p) const {
    const int last = p.outputs.dims - 1;
    return last >= 0 && p.outputs.step[last].search == 0 && p.sums.size == 1 && taps_h == p.kh && taps_w == p.kw;
  }

  // The most, up to 16, that leave blocks enough.
  static int outputs_together(const Walk<Place>& outputs, int64_t tiles, int64_t enough) {
    int together = 1;
    const int64_t all = outputs.extent[outputs.dims - 1];
    for (int64_t n = 1; n <= all && n <= 16; ++n)
      if (all % n == 0 && outputs.size / n * tiles >= std::min(enough, outputs.size * tiles))
        together = static_cast<int>(n);
    return together;
  }
};

// A block's tile: its first output, row, column and channel, and how many channels there are.
template <class Index>
struct Tile {
  unsigned output;
  Index y, x, channel;
  int channels;
};

template <class Index, class S>
__device__ __forceinline__ Tile<Index> tile_of(const Problem<S>& p, const Tiling& s, unsigned block) {
  const unsigned chunk = block % s.chunks, rest = block / s.chunks;
  unsigned row = 0, column = 0, output = rest;
  if (s.tile_columns > 1 || s.tile_rows > 1) {
    column = rest % s.tile_columns, row = rest / s.tile_columns % s.tile_rows;
    output = rest / s.tile_columns / s.tile_rows;
  }
  const Index channel = Index(chunk) * s.channels, left = Index(p.C) - channel;
  return {output * s.together, Index(row) * s.tile_h, Index(column) * s.tile_w, channel,
          left < s.channels ? static_cast<int>(left) : s.channels};
}

}  // namespace reidops::depthwise_xcorr
