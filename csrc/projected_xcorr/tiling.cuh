// tiling.cuh - how the work is cut into blocks, and a block's work into steps: decided on the host, by sizes alone.
#pragma once

#include <algorithm>

#include "../depthwise_xcorr/sweep.cuh"
#include "problem.h"

namespace reidops::projected_xcorr {

using depthwise_xcorr::ceil_of;
using depthwise_xcorr::round_up;
using depthwise_xcorr::Sweep;

inline constexpr int kThreads = 256;  // of a block, at most
inline constexpr int kRows = 10;      // of a score map, in a thread; even, so that no 2x2 is cut
inline constexpr int kMostColumns = 32;
inline constexpr int kMostGroups = 4;     // of kRows rows, in a tile
inline constexpr int kMostOutputs = 128;  // of a block
inline constexpr int kMostTaps = 16;      // along each side, in shared memory at a time
inline constexpr int kPixels = 4;         // of a sum's output, in a thread
inline constexpr std::size_t kMostShared = 48 * 1024;
inline constexpr int64_t kMostBlocks = int64_t(1) << 30;
inline constexpr int64_t kEnoughBlocks = 256;

// Outputs whose sums are in a thread.
template <class T>
inline constexpr int kOutputs = sizeof(T) == 4 ? 8 : 4;

// A block makes `outputs` outputs of a tile of one pair.  It goes through the channels in steps: `channels` of them with
// all templates, or one channel with `templates` of them.
struct Tiling {
  int tile_h, tile_w;               // of the score maps
  int groups, lanes;                // of kRows rows; threads in a row: tile_w or more, a power of two
  int pixel_rows, pixel_columns;    // of the tile, pooled
  int quads;                        // of pixels
  int outputs, channels, templates;
  int taps_h, taps_w;               // of the templates, at a time
  int map_h, map_w;                 // of the search map that these need
  int pitch, map_size;              // elements from a row, and from a channel, to the next
  int together;                     // templates that a thread correlates at once: a pixel that it reads meets them all
  int slot;                         // elements of their taps that lie side by side: `together`, or 4 for 3
  int threads;
  int64_t rows, columns, chunks, blocks;  // tiles of an output, chunks of outputs
  int map_vector, weight_vector;    // columns that are copied at once
  bool general;                     // sizes or strides need 64 bits, or templates come in pieces
  Sweep map_sweep, taps_sweep, weight_sweep;

  REIDOPS_HOST_DEVICE int plane() const { return kPixels * quads; }
  REIDOPS_HOST_DEVICE int taps() const { return taps_h * taps_w; }

  // Elements of shared memory: pooled maps and weights, taps, search maps.
  REIDOPS_HOST_DEVICE int planes_size() const { return channels * templates * plane(); }
  REIDOPS_HOST_DEVICE int weights_size() const { return channels * templates * outputs; }
  REIDOPS_HOST_DEVICE int taps_size() const { return channels * (templates / together) * taps() * slot; }
  template <class T>
  std::size_t shared_bytes() const {
    return sizeof(T) * (planes_size() + weights_size() + taps_size() + channels * map_size);
  }

  // The largest tile all of whose outputs fit the registers of a block, and of those with fewer columns or rows the first
  // that makes `enough` blocks.  No sum depends on the choice: an output's is over channels, then templates, in order.
  template <class S>
  static Tiling of(const Problem<S>& p, int64_t enough) {
    constexpr int kLeastColumns = 4;  // of a tile that could have more
    const int64_t all = ceil_of(p.maps.h, kRows);
    Tiling best{};
    bool whole = false;  // all outputs are in a block
    for (int64_t columns = ceil_of(p.maps.w, kMostColumns);; columns *= 2) {
      int width = 0;
      for (int64_t groups = std::min<int64_t>(kMostGroups, all); groups > 0; --groups) {
        const Tiling s = cut(p, columns, groups);
        width = s.tile_w;
        if (s.outputs == 0) continue;
        const bool holds_all = s.chunks == ceil_of(p.O, kMostOutputs);
        if (whole ? holds_all && s.blocks > best.blocks : true) best = s;
        whole = whole || holds_all;
        if (whole && best.blocks >= enough) break;
      }
      if (width <= kLeastColumns || (whole && best.blocks >= enough)) break;
    }
    best.choose_step(p);
    best.choose_copies(p);
    return best;
  }

 private:
  // The tile, and how many outputs a block has: none where not even kOutputs of them fit.
  template <class S>
  static Tiling cut(const Problem<S>& p, int64_t columns, int64_t groups) {
    constexpr int kOf = kOutputs<typename depthwise_xcorr::Problem<S>::T>;
    Tiling s{};
    s.tile_w = static_cast<int>(ceil_of(p.maps.w, columns));
    if (p.pooled && columns > 1) s.tile_w += s.tile_w % 2;  // no 2x2 is cut
    s.columns = ceil_of(p.maps.w, s.tile_w);
    const int64_t all = ceil_of(p.maps.h, kRows);
    s.rows = ceil_of(all, groups);
    s.groups = static_cast<int>(ceil_of(all, s.rows));
    s.tile_h = kRows * s.groups;
    for (s.lanes = 1; s.lanes < s.tile_w;) s.lanes *= 2;
    s.pixel_columns = p.pooled ? (s.tile_w + 1) / 2 : s.tile_w;
    s.pixel_rows = static_cast<int>(std::min<int64_t>(p.pooled ? s.tile_h / 2 : s.tile_h, p.ph));
    s.quads = static_cast<int>(ceil_of(s.pixel_rows * s.pixel_columns, kPixels));
    const int64_t fit = std::min<int64_t>(kThreads / s.quads * kOf, kMostOutputs);
    if (fit == 0) return s;
    s.chunks = ceil_of(p.O, fit);
    s.outputs = static_cast<int>(kOf * ceil_of(ceil_of(p.O, kOf), s.chunks));
    s.blocks = p.maps.outputs.size * s.rows * s.columns * s.chunks;
    return s;
  }

  // What a step holds.  One channel and `together` templates always fit: with at most 40 rows, 32 columns and 16x16 taps
  // the map has up to 55 x 48 elements, taps 256 slots, pooled maps 1024 elements each (kThreads quads), weights 128:
  // for float 2640 + 4 * 256 + 3 * (1024 + 128) elements are 28 kB, for double 2640 + 2 * 256 + 2 * 1152 are 44 kB.
  template <class S>
  void choose_step(const Problem<S>& p) {
    using T = typename depthwise_xcorr::Problem<S>::T;
    taps_h = static_cast<int>(ceil_of(p.maps.kh, ceil_of(p.maps.kh, kMostTaps)));
    taps_w = static_cast<int>(ceil_of(p.maps.kw, ceil_of(p.maps.kw, kMostTaps)));
    general = !fits_32_bits(p) || taps_h < p.maps.kh || taps_w < p.maps.kw;
    together = general ? 1 : sizeof(T) == 4 && p.templates % 3 == 0 ? 3 : p.templates % 2 == 0 ? 2 : 1;
    slot = together == 3 ? 4 : together;
    map_h = tile_h + taps_h - 1;
    map_w = tile_w + taps_w - 1;
    // A warp has two or more rows of threads, kRows rows apart, then those of the next channel: theirs are other banks.
    pitch = round_up(map_w, 2);
    if (lanes == 16) pitch += (8 - pitch % 16 + 16) % 16;  // 10 pitch = 16 mod 32
    if (lanes <= 8) pitch += (4 - pitch % 8 + 8) % 8;      // 10 pitch = 8 or 24 mod 32
    map_size = map_h * pitch;
    if (lanes <= 8) map_size += (16 - map_size % 32 + 32) % 32;

    const int64_t room = kMostShared / sizeof(T), of_a_group = taps() * slot + together * (plane() + outputs);
    const int64_t fit = general ? 1 : std::max<int64_t>(1, (room - map_size) / of_a_group);
    templates = static_cast<int>(std::min<int64_t>(p.templates, fit * together));
    const int64_t of_a_channel = map_size + templates / together * of_a_group;
    const int64_t most = templates < p.templates ? 1 : std::min<int64_t>(kThreads / (groups * lanes), room / of_a_channel);
    channels = static_cast<int>(ceil_of(p.maps.C, std::max<int64_t>(1, ceil_of(p.maps.C, most))));
    channels = std::max(channels, 1);

    const int correlating = channels * groups * lanes, multiplying = quads * (outputs / kOutputs<T>);
    threads = static_cast<int>(32 * ceil_of(std::max({64, correlating, multiplying}), 32));
  }

  // Two pixels at once where they lie both inside the map or both outside, at even addresses; four weights likewise.
  template <class S>
  void choose_copies(const Problem<S>& p) {
    const auto aligned = [](const S* data, int count) {
      return sizeof(S) < 8 && reinterpret_cast<std::uintptr_t>(data) % (count * sizeof(S)) == 0;
    };
    const Strides& of = p.maps.of_search;
    bool even = of.column == 1 && (p.maps.W | p.maps.left | of.row | of.channel) % 2 == 0 && aligned(p.maps.search, 2);
    even = even && (columns == 1 || tile_w % 2 == 0) && pitch % 2 == 0;
    for (int d = 0; d < p.maps.outputs.dims; ++d) even = even && p.maps.outputs.step[d].search % 2 == 0;
    map_vector = even ? 2 : 1;
    weight_vector = p.O % 4 == 0 && aligned(p.weight, 4) ? 4 : 1;
    const bool channels_last = of.channel == 1 && of.column != 1;
    map_sweep = Sweep::of(threads, channels, map_h, static_cast<int>(ceil_of(map_w, map_vector)), channels_last);
    taps_sweep = Sweep::of(threads, channels, taps_h, taps_w, p.maps.of_template.channel == 1);
    weight_sweep = Sweep::of(threads, 1, channels * templates, outputs / weight_vector, false);
  }

  // Sizes far from 2^31, so that sums of some are, and strides that are multiplied by them to 64 bits.
  template <class S>
  static bool fits_32_bits(const Problem<S>& p) {
    constexpr int64_t kFar = int64_t(1) << 28;
    const auto& m = p.maps;
    const int64_t sizes[] = {m.C, m.H, m.W, m.kh, m.kw, m.h, m.w, m.top, m.left, -m.top, -m.left, p.O, p.templates};
    for (const int64_t size : sizes)
      if (size > kFar) return false;
    const int64_t strides[] = {m.of_search.channel,   m.of_search.row,   m.of_search.column,
                               m.of_template.channel, m.of_template.row, m.of_template.column};
    for (const int64_t stride : strides)
      if (stride > INT32_MAX) return false;
    return true;
  }
};

}  // namespace reidops::projected_xcorr
