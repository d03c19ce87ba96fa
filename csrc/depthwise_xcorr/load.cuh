// load.cuh - maps and templates into shared memory, zeros where there is none of them.
//
// All threads of a block take part, each for some channels, rows and columns of a box (`Sweep`, tiling.cuh): what a
// thread needs for its place is found once, and from one row to its next it adds.  Nothing waits for a row before the
// next is asked for: where shared memory holds what global memory holds, copies are asynchronous; float16 and bfloat16
// go through registers, kInFlight rows at a time.
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

// Where it lies in shared memory: elements from one to the next.
struct Pitches {
  int channel, row, column;
};

// Whether 0 <= place < size.
template <class Index>
__device__ __forceinline__ bool within(Index place, Index size) {
  using Unsigned = std::make_unsigned_t<Index>;
  return static_cast<Unsigned>(place) < static_cast<Unsigned>(size);
}

// V neighbours on their way from global to shared memory.
template <int V, class S, class T>
struct InRegisters {
  Pack<S, V> kept;

  __device__ __forceinline__ void ask(T*, const S* from, bool inside) {
    kept = inside ? *reinterpret_cast<const Pack<S, V>*>(from) : Pack<S, V>{};
  }
  __device__ __forceinline__ void put(T* to) const {
    Pack<T, V> wide;
#pragma unroll
    for (int v = 0; v < V; ++v) wide.of[v] = T(widen(kept.of[v]));
    *reinterpret_cast<Pack<T, V>*>(to) = wide;
  }
};
template <int V, class T>
struct Asynchronous {
  __device__ __forceinline__ void ask(T* to, const T* from, bool inside) {
    copy_async<V * sizeof(T)>(to, from, inside);
  }
  __device__ __forceinline__ void put(T*) const {}
};
template <int V, class S, class T>
using Transfer = std::conditional_t<std::is_same_v<S, T>, Asynchronous<V, T>, InRegisters<V, S, T>>;

// A box, V columns at a time.  With V > 1 columns are side by side on both sides (column == 1), x, W and all other
// strides are multiples of V, and so is where planes and `to` begin.
template <int V, class S, class T, class Index>
__device__ __forceinline__ void load_box(const Sweep& sweep, const Box<S, Index>& box, T* to, const Pitches& pitch) {
  const Sweep::Start start = sweep.start(threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z));
  for (int column = start.column * V; column < box.columns; column += sweep.columns * V) {
    const Index x = box.x + column;
    const bool in_width = within(x, box.W);
    for (int c = start.channel; c < box.channels; c += sweep.channels) {
      // Not read outside the map, where it may point to anything.
      const S* const from = box.from + int64_t(box.channel) * c + int64_t(box.column) * x;
      T* const here = to + c * pitch.channel + column * pitch.column;
#pragma unroll 1
      for (int first = start.row; first < box.rows; first += kInFlight * sweep.rows) {
        Transfer<V, S, T> rows[kInFlight];
#pragma unroll
        for (int u = 0; u < kInFlight; ++u) {
          const int row = first + u * sweep.rows;
          const Index y = box.y + row;
          if (row < box.rows) rows[u].ask(here + row * pitch.row, from + int64_t(box.row) * y, in_width && within(y, box.H));
        }
#pragma unroll
        for (int u = 0; u < kInFlight; ++u) {
          const int row = first + u * sweep.rows;
          if (row < box.rows) rows[u].put(here + row * pitch.row);
        }
      }
    }
  }
}

// The part of a search map that a tile's outputs meet in taps (i, j) on, with its zeros: pixel
// (tile.y + i - top + row, tile.x + j - left + column) at to[channel * map_size + row * pitch + column].
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
                          s.pitch};
  const Pitches pitches{s.map_size, s.pitch, 1};
  if (std::is_same_v<T, double> || s.vector == 1) {
    load_box<1>(s.map_sweep, box, to, pitches);
  } else if constexpr (!std::is_same_v<T, double>) {
    s.vector == 4 ? load_box<4>(s.map_sweep, box, to, pitches) : load_box<2>(s.map_sweep, box, to, pitches);
  }
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
  load_box<1>(s.taps_sweep, box, to, {s.taps_size, 1, s.tap_pitch});
}

}  // namespace reidops::depthwise_xcorr
