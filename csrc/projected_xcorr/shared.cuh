// shared.cuh - what a block of projected_xcorr has in shared memory, and how it comes there.
#pragma once

#include "../common/launch.h"
#include "tiling.cuh"

namespace reidops::projected_xcorr {

inline constexpr int kInFlight = 4;  // loads of a thread before it stores the first of them

template <class T>
struct alignas(4 * sizeof(T)) Four {
  T of[4];
};

// One tap of each of some templates: read at once, and three are read as four.
template <class T, int kTogether>
struct alignas((kTogether == 3 ? 4 : kTogether) * sizeof(T)) Taps {
  T of[kTogether == 3 ? 4 : kTogether];
};

// A block's tile of a pair, and its first output.
struct Tile {
  int64_t pair, y, x, output;
};

__device__ __forceinline__ Tile tile_of(const Tiling& s, int64_t block) {
  const int64_t chunk = block % s.chunks, column = block / s.chunks % s.columns;
  const int64_t row = block / s.chunks / s.columns;
  return {row / s.rows, row % s.rows * s.tile_h, column * s.tile_w, chunk * s.outputs};
}

// Some channels and some templates of a pair.
template <class S>
struct Step {
  const S* search;
  const S* templ;
  const S* weight;  // (channels templates, O)
  int channels, templates;
};

template <class S>
__device__ __forceinline__ Step<S> step_of(const Problem<S>& p, const Tiling& s, const depthwise_xcorr::Place& place,
                                           int64_t c, int64_t t) {
  return {p.maps.search + place.search + c * p.maps.of_search.channel,
          p.maps.templ + place.templ + c * p.maps.of_template.channel + t * p.template_step,
          p.weight + (c * p.templates + t) * p.O, static_cast<int>(min(int64_t(s.channels), p.maps.C - c)),
          static_cast<int>(min(int64_t(s.templates), p.templates - t))};
}

// Where each begins is a multiple of four elements, as reads of four at a time need: planes and rows of weights are.
template <class T, int kTogether>
struct SharedMemory {
  T* planes;                   // (channels templates, plane): pooled score maps
  T* weights;                  // (channels templates, outputs)
  Taps<T, kTogether>* taps;    // (channels, templates / kTogether, taps_w, taps_h)
  T* map;                      // (channels, map_h, pitch)

  __device__ explicit SharedMemory(const Tiling& s)
      : planes(dynamic_shared<T>()),
        weights(planes + s.planes_size()),
        taps(reinterpret_cast<Taps<T, kTogether>*>(weights + s.weights_size())),
        map(weights + s.weights_size() + s.taps_size(kTogether)) {}

  // What is read with others and belongs to none: pixels beyond the last, and the fourth of three templates.
  __device__ void clear_margins(const Tiling& s) const {
    for (int m = threadIdx.x; m < s.channels * s.templates; m += blockDim.x)
      for (int i = s.pixel_rows * s.pixel_columns; i < s.plane(); ++i) planes[m * s.plane() + i] = 0;
    if constexpr (kTogether == 3)
      for (int i = threadIdx.x; i < s.taps_size(kTogether) / 4; i += blockDim.x) taps[i].of[3] = 0;
  }
};

// Fills elements 0 to count - 1: `source(e)` is where e comes from, null for zero, and `target(e)` where it goes.  Loads
// do not wait for one another, `kInFlight` at a time.
template <class T, class Source, class Target>
__device__ __forceinline__ void fill(int count, Source source, Target target) {
  for (int first = threadIdx.x; first < count; first += kInFlight * blockDim.x) {
    T values[kInFlight];
#pragma unroll
    for (int u = 0; u < kInFlight; ++u) {
      const int e = first + u * blockDim.x;
      const auto* from = e < count ? source(e) : nullptr;
      values[u] = from ? T(widen(*from)) : T(0);
    }
#pragma unroll
    for (int u = 0; u < kInFlight; ++u) {
      const int e = first + u * blockDim.x;
      if (e < count) *target(e) = values[u];
    }
  }
}

// The part of the step's search maps that taps (i, j) on need for the tile, zero outside the maps.
template <class S, class T>
__device__ void load_map(const Problem<S>& p, const Tiling& s, const Tile& tile, const Step<S>& step, int64_t i,
                         int64_t j, T* to) {
  const int64_t top = tile.y + i - p.maps.top, left = tile.x + j - p.maps.left;
  const Strides& strides = p.maps.of_search;
  const int size = s.map_h * s.map_w;
  const auto source = [&](int e) -> const S* {
    const int c = s.by_map_size.of(e), row = s.by_map_w.of(e - c * size), column = e - c * size - row * s.map_w;
    const int64_t y = top + row, x = left + column;
    const bool inside = y >= 0 && y < p.maps.H && x >= 0 && x < p.maps.W;
    return inside ? step.search + c * strides.channel + y * strides.row + x * strides.column : nullptr;
  };
  const auto target = [&](int e) {
    const int c = s.by_map_size.of(e), row = s.by_map_w.of(e - c * size), column = e - c * size - row * s.map_w;
    return to + c * s.map_size + row * s.pitch + column;
  };
  fill<T>(step.channels * size, source, target);
}

// The step's taps (i, j) on, a column of them side by side; those beyond the template are zero, and not used.
template <int kTogether, class S, class T>
__device__ void load_taps(const Problem<S>& p, const Tiling& s, const Step<S>& step, int64_t i, int64_t j,
                          Taps<T, kTogether>* to) {
  const Strides& strides = p.maps.of_template;
  const int size = s.taps();
  const auto source = [&](int e) -> const S* {
    const int m = s.by_taps_size.of(e), c = s.by_templates.of(m), t = m - c * s.templates;
    const int row = s.by_taps_w.of(e - m * size), column = e - m * size - row * s.taps_w;
    const int64_t y = i + row, x = j + column;
    const bool inside = y < p.maps.kh && x < p.maps.kw;
    return inside ? step.templ + c * strides.channel + t * p.template_step + y * strides.row + x * strides.column
                  : nullptr;
  };
  const auto target = [&](int e) {
    const int m = s.by_taps_size.of(e), c = s.by_templates.of(m), t = m - c * s.templates;
    const int row = s.by_taps_w.of(e - m * size), column = e - m * size - row * s.taps_w;
    const int together = c * (s.templates / kTogether) + t / kTogether;
    return &to[(together * s.taps_w + column) * s.taps_h + row].of[t % kTogether];
  };
  // Of fewer templates than a step may have there is one channel.
  fill<T>(step.channels * step.templates * size, source, target);
}

// The step's weights of outputs `output` on, zero beyond the last.
template <class S, class T>
__device__ void load_weights(const Problem<S>& p, const Tiling& s, const Step<S>& step, int64_t output, T* to) {
  const auto source = [&](int e) -> const S* {
    const int m = s.by_outputs.of(e), o = e - m * s.outputs;
    return output + o < p.O ? step.weight + m * p.O + output + o : nullptr;
  };
  fill<T>(step.channels * step.templates * s.outputs, source, [&](int e) { return to + e; });
}

}  // namespace reidops::projected_xcorr
