// depthwise_xcorr.cuh - the CUDA kernel: a tile of some channels of an output map to a block.
//
// Search map and template lie in shared memory as far as the tile needs them, the map with its zeros, so that nothing
// is tested in the inner loop.  A thread has eight rows of one column of the output.  As it goes down a column of taps
// the eight pixels that meet a tap move on by one: a register each, of which one is read anew for every tap,
//
//     out[y .. y + 7] += template[i, j] search[y + i .. y + i + 7, x + j],
//
// and eight sums are added to for that one read and a quarter of one, for taps are read four at a time.  Outputs of one
// search map follow one another in a block, which then reads the map once.  Sums have one owner and one order.
#pragma once

#include <algorithm>

#include "../common/launch.h"
#include "problem.h"

namespace reidops::depthwise_xcorr {

inline constexpr int kThreads = 256;
inline constexpr int kRows = 8;          // of the output, in a thread
inline constexpr int kMostColumns = 32;  // of a tile
inline constexpr int kMostGroups = kThreads / kMostColumns;  // of eight rows, in a tile
inline constexpr int kTapsAtOnce = 4;
inline constexpr std::size_t kMostShared = 48 * 1024;
inline constexpr int64_t kMostBlocks = int64_t(1) << 30;
inline constexpr int64_t kEnoughBlocks = 1024;

// Taps along each side that are in shared memory at a time.
template <class T>
inline constexpr int kMostTaps = sizeof(T) == 4 ? 32 : 16;

template <class T>
struct alignas(kTapsAtOnce * sizeof(T)) Taps {
  T of[kTapsAtOnce];
};

inline constexpr int ceil_of(int64_t a, int64_t b) { return static_cast<int>((a + b - 1) / b); }

// How the outputs are cut into blocks.
struct Tiling {
  int tile_h, tile_w, channels;  // of a block's tile
  int taps_h, taps_w;            // of the template, at a time
  int map_h, map_w;              // of the search map that these need; rows of map_w are `pitch` apart
  int pitch, tap_pitch;          // and columns of taps tap_pitch
  int rows, columns, chunks;     // of tiles, and chunks of channels
  int together;                  // outputs of one search map that a block makes one after another
  int64_t blocks;
  bool channels_last;

  int groups() const { return tile_h / kRows; }
  int threads() const { return tile_w * groups() * channels; }
  REIDOPS_HOST_DEVICE int map_size() const { return map_h * pitch; }
  REIDOPS_HOST_DEVICE int taps_size() const { return taps_w * tap_pitch; }
  template <class T>
  std::size_t shared_bytes() const {
    return std::size_t(channels) * (map_size() + taps_size()) * sizeof(T);
  }

  template <class S>
  static Tiling of(const Problem<S>& p, int64_t enough) {
    using T = typename Problem<S>::T;
    Tiling s{};
    s.columns = ceil_of(p.w, kMostColumns);
    s.tile_w = ceil_of(p.w, s.columns);
    const int groups = ceil_of(p.h, kRows);
    s.rows = ceil_of(groups, kMostGroups);
    s.tile_h = kRows * ceil_of(groups, s.rows);
    s.taps_h = ceil_of(p.kh, ceil_of(p.kh, kMostTaps<T>));
    s.taps_w = ceil_of(p.kw, ceil_of(p.kw, kMostTaps<T>));
    s.map_h = s.tile_h + s.taps_h - 1;
    s.map_w = s.tile_w + s.taps_w - 1;
    // Eight rows on, where a warp's second group of rows is, the banks are others.
    s.pitch = s.map_w + (2 - s.map_w % 4 + 4) % 4;
    s.tap_pitch = kTapsAtOnce * ceil_of(s.taps_h, kTapsAtOnce);
    const std::size_t of_a_channel = (s.map_size() + s.taps_size()) * sizeof(T);
    const int64_t fit = std::min<int64_t>(kThreads / (s.tile_w * s.groups()), kMostShared / of_a_channel);
    s.channels = static_cast<int>(std::max<int64_t>(1, std::min<int64_t>(fit, p.C)));
    s.chunks = ceil_of(p.C, s.channels);
    s.together = 1;
    const int64_t tiles = int64_t(s.rows) * s.columns * s.chunks;
    const int last = p.outputs.dims - 1;
    const bool one_piece = p.sums.size == 1 && s.taps_h == p.kh && s.taps_w == p.kw;
    if (one_piece && last >= 0 && p.outputs.step[last].search == 0) {
      const int64_t all = p.outputs.extent[last];
      for (int64_t n = 1; n <= all && n <= 16; ++n)
        if (all % n == 0 && p.outputs.size / n * tiles >= std::min(enough, p.outputs.size * tiles)) s.together = int(n);
    }
    s.blocks = p.outputs.size / s.together * tiles;
    s.channels_last = p.of_search.channel == 1 && p.of_search.column != 1;
    return s;
  }
};

// A block's tile, and its channels.
struct Tile {
  int64_t output, y, x, channel;
  int channels;
};

template <class S>
__device__ __forceinline__ Tile tile_of(const Problem<S>& p, const Tiling& s, int64_t block) {
  const int64_t chunk = block % s.chunks, column = block / s.chunks % s.columns;
  const int64_t row = block / s.chunks / s.columns % s.rows, channel = chunk * s.channels;
  const int64_t left = p.C - channel;
  return {block / s.chunks / s.columns / s.rows * s.together, row * s.tile_h, column * s.tile_w, channel,
          static_cast<int>(left < s.channels ? left : s.channels)};
}

// Goes through `rows` x `columns` of each of some channels, a row to a warp; or, where a pixel's channels are side by
// side, so that neighbouring threads have neighbouring channels.
template <class Each>
__device__ __forceinline__ void for_each(int channels, int rows, int columns, bool channels_last, Each each) {
  if (channels_last) {
    const int count = channels * rows * columns;
    for (int i = threadIdx.x; i < count; i += blockDim.x)
      each(i % channels, i / channels / columns, i / channels % columns);
    return;
  }
  const int lanes = blockDim.x < 32 ? blockDim.x : 32, warps = blockDim.x / lanes;
  if (static_cast<int>(threadIdx.x) >= lanes * warps) return;
  int row = threadIdx.x / lanes, channel = 0;
  for (; channel < channels; row += warps) {
    while (row >= rows && channel < channels) row -= rows, ++channel;
    if (channel == channels) break;
    for (int column = threadIdx.x % lanes; column < columns; column += lanes) each(channel, row, column);
  }
}

// The part of the map that taps (i, j) on need for the tile, zero outside the map.
template <class S, class T>
__device__ void load_map(const Problem<S>& p, const Tiling& s, const Tile& tile, const S* map, int64_t i, int64_t j,
                         T* to) {
  const int64_t top = tile.y + i - p.top, left = tile.x + j - p.left;
  for_each(tile.channels, s.map_h, s.map_w, s.channels_last, [&](int c, int row, int column) {
    const int64_t y = top + row, x = left + column;
    const bool inside = y >= 0 && y < p.H && x >= 0 && x < p.W;
    to[(c * s.map_h + row) * s.pitch + column] =
        inside ? T(widen(map[c * p.of_search.channel + y * p.of_search.row + x * p.of_search.column])) : T(0);
  });
}

// Taps (i, j) on, a column of them side by side, zero beyond the template.
template <class S, class T>
__device__ void load_taps(const Problem<S>& p, const Tiling& s, const Tile& tile, const S* templ, int64_t i, int64_t j,
                          T* to) {
  for_each(tile.channels, s.tap_pitch, s.taps_w, p.of_template.channel == 1, [&](int c, int row, int column) {
    int64_t y = i + row, x = j + column;
    const bool inside = row < s.taps_h && y < p.kh && x < p.kw;
    if (p.turned) y = p.kh - 1 - y, x = p.kw - 1 - x;
    to[(c * s.taps_w + column) * s.tap_pitch + row] =
        inside ? T(widen(templ[c * p.of_template.channel + y * p.of_template.row + x * p.of_template.column])) : T(0);
  });
}

// Adds what `rows` x `columns` taps in shared memory give to a thread's eight sums.  `map` is its first pixel.
template <class T>
__device__ __forceinline__ void add_taps(const Tiling& s, int rows, int columns, const T* map, const T* taps,
                                         T (&sums)[kRows]) {
#pragma unroll 1
  for (int j = 0; j < columns; ++j, ++map, taps += s.tap_pitch) {
    T pixels[kRows];  // pixel y + i + k in place (i + k) % 8
#pragma unroll
    for (int k = 0; k < kRows - 1; ++k) pixels[k] = map[k * s.pitch];
    const T* next = map + (kRows - 1) * s.pitch;
#pragma unroll 1
    for (int i = 0; i < rows; i += kRows) {
#pragma unroll
      for (int u = 0; u < kRows; u += kTapsAtOnce) {
        if (i + u >= rows) break;
        const auto four = *reinterpret_cast<const Taps<T>*>(taps + i + u);
#pragma unroll
        for (int v = 0; v < kTapsAtOnce; ++v) {
          if (i + u + v >= rows) break;  // no product with what is no tap: the pixel may be NaN
          pixels[(u + v + kRows - 1) % kRows] = *next;
          next += s.pitch;
#pragma unroll
          for (int k = 0; k < kRows; ++k) sums[k] += four.of[v] * pixels[(u + v + k) % kRows];
        }
      }
    }
  }
}

template <class S>
__global__ void __launch_bounds__(kThreads, 2) depthwise_xcorr_kernel(const Problem<S> p, const Tiling s) {
  using T = typename Problem<S>::T;
  T* const taps = dynamic_shared<T>();  // first, because they are read four at a time
  T* const map = taps + s.channels * s.taps_size();
  const int x = threadIdx.x % s.tile_w, group = threadIdx.x / s.tile_w % (s.tile_h / kRows);
  const int channel = threadIdx.x / s.tile_w / (s.tile_h / kRows);
  for (int64_t block = blockIdx.x; block < s.blocks; block += gridDim.x) {
    const Tile tile = tile_of(p, s, block);
    for (int n = 0; n < s.together; ++n) {
      const Place output = p.outputs.at(tile.output + n, {});
      T sums[kRows] = {};
      for (int64_t r = 0; r < p.sums.size; ++r) {
        const Place place = p.sums.at(r, output);
        const S* const search = p.search + place.search + tile.channel * p.of_search.channel;
        const S* const templ = p.templ + place.templ + tile.channel * p.of_template.channel;
        for (int64_t i = 0; i < p.kh; i += s.taps_h)
          for (int64_t j = 0; j < p.kw; j += s.taps_w) {
            __syncthreads();  // the last taps have been used
            if (n == 0) load_map(p, s, tile, search, i, j, map);
            load_taps(p, s, tile, templ, i, j, taps);
            __syncthreads();
            if (channel < tile.channels)
              add_taps(s, static_cast<int>(min(int64_t(s.taps_h), p.kh - i)),
                       static_cast<int>(min(int64_t(s.taps_w), p.kw - j)),
                       map + channel * s.map_size() + group * kRows * s.pitch + x, taps + channel * s.taps_size(),
                       sums);
          }
      }
      if (channel >= tile.channels || tile.x + x >= p.w) continue;
      S* to = p.out + output.out + (tile.channel + channel) * p.of_out.channel + (tile.x + x) * p.of_out.column;
      for (int k = 0; k < kRows; ++k) {
        const int64_t y = tile.y + group * kRows + k;
        if (y < p.h) narrow(sums[k], to[y * p.of_out.row]);
      }
    }
  }
}

// `enough` blocks: with fewer a block makes more outputs of a search map.
template <class S>
void launch_xcorr(const Problem<S>& p, Stream stream, int64_t enough = kEnoughBlocks) {
  if (p.outputs.size == 0 || p.C == 0) return;
  const Tiling tiling = Tiling::of(p, enough);
  launch(depthwise_xcorr_kernel<S>, dim3(static_cast<unsigned>(std::min(tiling.blocks, kMostBlocks))),
         dim3(tiling.threads()), tiling.template shared_bytes<typename Problem<S>::T>(), stream, p, tiling);
}

}  // namespace reidops::depthwise_xcorr
