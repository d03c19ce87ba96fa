// tiling.cuh - how the work is cut into blocks, and a block's work into steps: decided on the host, by sizes alone.
#pragma once

#include <algorithm>

#include "problem.h"

namespace reidops::projected_xcorr {

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

// A division by a number that stays the same, for 0 <= n < 2^16 and 1 <= divisor < 2^16.  With m = ceil(2^32 / divisor)
// the error of n m / 2^32 is below n / 2^32 < 1 / divisor: too small to reach the next whole number.
struct Divider {
  uint32_t magic = 0;
  int divisor = 1;

  Divider() = default;
  explicit Divider(int by) : magic(static_cast<uint32_t>((uint64_t(1) << 32) / by + 1)), divisor(by) {}
  REIDOPS_HOST_DEVICE int of(int n) const {
    return divisor == 1 ? n : static_cast<int>(uint64_t(magic) * static_cast<uint32_t>(n) >> 32);
  }
};

inline constexpr int64_t ceil_of(int64_t a, int64_t b) { return (a + b - 1) / b; }

// How many templates a thread correlates at once: each pixel that it reads meets all of them.
template <class T>
int together(int64_t templates) {
  if (sizeof(T) == 4 && templates % 3 == 0) return 3;
  return templates % 2 == 0 ? 2 : 1;
}

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
  int slot;                         // elements of the taps that meet a pixel at once: `together`, or a power of two above
  int threads;
  int64_t rows, columns, chunks, blocks;  // tiles of an output, chunks of outputs
  Divider by_map_size, by_map_w, by_taps_size, by_taps_w, by_templates, by_outputs;

  REIDOPS_HOST_DEVICE int plane() const { return kPixels * quads; }
  REIDOPS_HOST_DEVICE int taps() const { return taps_h * taps_w; }

  // Elements of shared memory: pooled maps and weights, taps, search maps.
  REIDOPS_HOST_DEVICE int planes_size() const { return channels * templates * plane(); }
  REIDOPS_HOST_DEVICE int weights_size() const { return channels * templates * outputs; }
  REIDOPS_HOST_DEVICE int taps_size(int together) const { return channels * (templates / together) * taps() * slot; }
  template <class T>
  std::size_t shared_bytes(int together) const {
    return sizeof(T) * (planes_size() + weights_size() + taps_size(together) + channels * map_size);
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
    best.step(p);
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
  void step(const Problem<S>& p) {
    using T = typename depthwise_xcorr::Problem<S>::T;
    const int together = projected_xcorr::together<T>(p.templates);
    slot = together == 3 ? 4 : together;
    taps_h = static_cast<int>(ceil_of(p.maps.kh, ceil_of(p.maps.kh, kMostTaps)));
    taps_w = static_cast<int>(ceil_of(p.maps.kw, ceil_of(p.maps.kw, kMostTaps)));
    map_h = tile_h + taps_h - 1;
    map_w = tile_w + taps_w - 1;
    // A warp has two or more rows of threads, kRows rows apart, then those of the next channel: theirs are other banks.
    pitch = map_w;
    if (lanes == 16) pitch += (8 - map_w % 16 + 16) % 16;  // 10 pitch = 16 mod 32
    if (lanes <= 8) pitch += (4 - map_w % 8 + 8) % 8;      // 10 pitch = 8 or 24 mod 32
    map_size = map_h * pitch;
    if (lanes <= 8) map_size += (16 - map_size % 32 + 32) % 32;

    const bool pieces = taps_h < p.maps.kh || taps_w < p.maps.kw;  // then a thread's sums wait for the next
    const int64_t room = kMostShared / sizeof(T), of_a_group = taps() * slot + together * (plane() + outputs);
    const int64_t fit = pieces ? 1 : std::max<int64_t>(1, (room - map_size) / of_a_group);
    templates = static_cast<int>(std::min<int64_t>(p.templates, fit * together));
    const int64_t of_a_channel = map_size + templates / together * of_a_group;
    const int64_t most = templates < p.templates ? 1 : std::min<int64_t>(kThreads / (groups * lanes), room / of_a_channel);
    channels = static_cast<int>(ceil_of(p.maps.C, std::max<int64_t>(1, ceil_of(p.maps.C, most))));
    channels = std::max(channels, 1);

    const int correlating = channels * groups * lanes, multiplying = quads * (outputs / kOutputs<T>);
    threads = static_cast<int>(32 * ceil_of(std::max({64, correlating, multiplying}), 32));
    by_map_size = Divider(map_h * map_w), by_map_w = Divider(map_w);
    by_taps_size = Divider(taps()), by_taps_w = Divider(taps_w), by_templates = Divider(templates), by_outputs = Divider(outputs);
  }
};

}  // namespace reidops::projected_xcorr
