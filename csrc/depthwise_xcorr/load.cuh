// load.cuh - maps and templates into shared memory, zeros where there is none of them.
//
// All threads of a block take part, each for some channels, rows and columns of a box (sweep.cuh): what a thread needs
// for its place is found once, and from one row to its next it adds.  No row waits for the last: where shared memory
// holds what global memory holds, copies are asynchronous; float16 and bfloat16 go through registers, kInFlight rows at
// a time.  The caller commits, waits, and puts barriers before and after.
#pragma once

#include <type_traits>

#include "../common/async_copy.cuh"
#include "../common/half.h"
#include "taps.cuh"
#include "tiling.cuh"

namespace reidops::depthwise_xcorr {

inline constexpr int kInFlight = 4;

// What is loaded: `channels` x `rows` x `columns` elements, of which the first is at row y and column x of planes of
// H x W that begin at `from`; beyond these are zeros.
template <class S, class Index>
struct Box {
  const S* from;
  Index channel, row, column;  // elements from one to the next
  Index y, x, H, W;
  int channels, rows, columns;
};

// Where element (channel, row, column) goes: elements from one to the next, `pair` from a pair of columns to the next.
struct Places {
  int channel, row, column, pair;

  __device__ __forceinline__ int of(int c, int y, int x) const {
    return c * channel + y * row + x / 2 * pair + x % 2 * column;
  }
};

// Whether 0 <= place < size.
template <class Index>
__device__ __forceinline__ bool within(Index place, Index size) {
  using Unsigned = std::make_unsigned_t<Index>;
  return static_cast<Unsigned>(place) < static_cast<Unsigned>(size);
}

// kInFlight packs of V elements on their way: addresses are known before the first is asked for, because nvcc lets
// copies that are far apart wait for all earlier reads of shared memory.  `wanted` are to be written, with zeros where
// not `inside`.
template <int V, class S, class T>
__device__ __forceinline__ void copy_packs(const S* const (&from)[kInFlight], T* const (&to)[kInFlight],
                                           const bool (&wanted)[kInFlight], const bool (&inside)[kInFlight]) {
  if constexpr (std::is_same_v<S, T>) {
#pragma unroll
    for (int u = 0; u < kInFlight; ++u)
      if (wanted[u]) copy_async<V * sizeof(T)>(to[u], from[u], inside[u]);
  } else {
    Pack<S, V> kept[kInFlight];
#pragma unroll
    for (int u = 0; u < kInFlight; ++u) {
      kept[u] = Pack<S, V>{};
      if (wanted[u] && inside[u]) kept[u] = *reinterpret_cast<const Pack<S, V>*>(from[u]);
    }
#pragma unroll
    for (int u = 0; u < kInFlight; ++u) {
      Pack<T, V> wide;
#pragma unroll
      for (int v = 0; v < V; ++v) wide.of[v] = widen(kept[u].of[v]);
      if (wanted[u]) *reinterpret_cast<Pack<T, V>*>(to[u]) = wide;
    }
  }
}

// One thread's rows first, first + step ... < rows, V neighbours of each: `from`, `to` and `y` are of the first one.
// Most rows are in the midst of others inside the map, and nothing is tested for each of these.
template <int V, class S, class T, class Index>
__device__ __forceinline__ void load_rows(const S* from, int64_t next_from, T* to, int next_to, Index y, Index H,
                                          bool in_width, int first, int rows, int step) {
#pragma unroll 1
  for (int row = first; row < rows; row += kInFlight * step) {
    const int last = (kInFlight - 1) * step;
    const bool midst = row + last < rows && within(y, H) && within(Index(y + last), H);
    const S* source[kInFlight];
    T* place[kInFlight];
    bool wanted[kInFlight], inside[kInFlight];
#pragma unroll
    for (int u = 0; u < kInFlight; ++u, from += next_from, to += next_to)
      source[u] = from, place[u] = to, wanted[u] = true, inside[u] = in_width;
    if (!midst) {
#pragma unroll
      for (int u = 0; u < kInFlight; ++u)
        wanted[u] = row + u * step < rows, inside[u] = in_width && within(Index(y + u * step), H);
      copy_packs<V>(source, place, wanted, inside);
    } else {
      copy_packs<V>(source, place, wanted, inside);
    }
    y += kInFlight * step;
  }
}

// A box, V columns at a time.  Where V is 2, columns are side by side on both sides, x, W and all other strides are
// even, and planes and `to` begin at multiples of two elements.
template <int V, class S, class T, class Index>
__device__ __forceinline__ void load_box(const Sweep& sweep, const Box<S, Index>& box, T* to, const Places& places) {
  const Sweep::Start start = sweep.start(threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z));
  const Index y = box.y + start.row;
#pragma unroll 1
  for (int column = start.column * V; column < box.columns; column += sweep.columns * V) {
    const Index x = box.x + column;
#pragma unroll 1
    for (int c = start.channel; c < box.channels; c += sweep.channels) {
      // Outside the planes it points to anything, and is not read.
      const S* const from = box.from + int64_t(box.channel) * c + int64_t(box.column) * x + int64_t(box.row) * y;
      T* const place = to + places.of(c, start.row, column);
      const int64_t next_from = int64_t(box.row) * sweep.rows;
      const bool in_width = within(x, box.W);
      load_rows<V>(from, next_from, place, places.row * sweep.rows, y, box.H, in_width, start.row, box.rows, sweep.rows);
    }
  }
}

// The part of a search map that a tile's outputs meet in taps (i, j) on, with its zeros: pixel
// (tile.y + i - top + y, tile.x + j - left + x) at to[channel * map_size + x / 2 * pair_pitch + 2 * y + x % 2].
//
// `map` is pixel (0, 0) of the tile's first channel.
template <class S, class T, class Index>
__device__ __forceinline__ void load_map(const Problem<S>& p, const Tiling& s, const Tile<Index>& tile, const S* map,
                                         Index i, Index j, T* to) {
  const Box<S, Index> box{map,
                          Index(p.of_search.channel),
                          Index(p.of_search.row),
                          Index(p.of_search.column),
                          Index(tile.y + i - Index(p.top)),
                          Index(tile.x + j - Index(p.left)),
                          Index(p.H),
                          Index(p.W),
                          tile.channels,
                          s.map_h,
                          s.map_w};
  const Places places{s.map_size, kColumns, 1, s.pair_pitch};
  s.vector == 2 ? load_box<2>(s.map_sweep, box, to, places) : load_box<1>(s.map_sweep, box, to, places);
}

// taps_h x taps_w taps from (i, j) on, or what there is of them and zeros: tap (i + row, j + column) at
// to[channel * taps_size + column * tap_pitch + row].
//
// `templ` is tap (0, 0) of the tile's first channel.
template <class S, class T, class Index>
__device__ __forceinline__ void load_taps(const Problem<S>& p, const Tiling& s, const Tile<Index>& tile, const S* templ,
                                          Index i, Index j, T* to) {
  const Index row = Index(p.of_template.row), column = Index(p.of_template.column);
  const Index kh = Index(p.kh), kw = Index(p.kw);
  // Turned, tap (i, j) is what is at (kh - 1 - i, kw - 1 - j).
  const S* const first = p.turned ? templ + int64_t(row) * (kh - 1) + int64_t(column) * (kw - 1) : templ;
  const Box<S, Index> box{first, Index(p.of_template.channel), p.turned ? -row : row, p.turned ? -column : column,
                          i,     j,                            kh,                    kw,
                          tile.channels, s.taps_h, s.taps_w};
  load_box<1>(s.taps_sweep, box, to, Places{s.taps_size, 1, s.tap_pitch, 2 * s.tap_pitch});
}

// The K x K taps of all of a tile's channels, as one row: tap (i, j) of channel c at to[(c * K + i) * K + j].  16 bytes
// at a time where that is how they lie in global memory too (`s.linear_taps`).
template <int K, class S, class T, class Index>
__device__ __forceinline__ void load_squares_of_taps(const Problem<S>& p, const Tiling& s, const Tile<Index>& tile,
                                                     const S* templ, T* to) {
  const int count = tile.channels * K * K, threads = blockDim.x * blockDim.y * blockDim.z;
  const int thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  if constexpr (std::is_same_v<S, float>) {
    if (s.linear_taps) {
#pragma unroll 1
      for (int e = kFour * thread; e < count; e += kFour * threads)
        copy_async<kFour * sizeof(T)>(to + e, templ + e, true);
      return;
    }
  }
  const int channel = static_cast<int>(p.of_template.channel), row = static_cast<int>(p.of_template.row);
  const int column = static_cast<int>(p.of_template.column);
#pragma unroll 1
  for (int first = thread; first < count; first += kInFlight * threads) {
    const S* source[kInFlight];
    T* place[kInFlight];
    bool wanted[kInFlight];
#pragma unroll
    for (int u = 0; u < kInFlight; ++u) {
      const unsigned e = first + u * threads, c = e / (K * K), here = e % (K * K);
      const unsigned tap = p.turned ? K * K - 1 - here : here;
      wanted[u] = e < static_cast<unsigned>(count);
      place[u] = to + e;
      source[u] = templ + int64_t(channel) * c + int64_t(row) * (tap / K) + int64_t(column) * (tap % K);
    }
    copy_packs<1>(source, place, wanted, wanted);
  }
}

}  // namespace reidops::depthwise_xcorr
