// shared.cuh - what a block of projected_xcorr has in shared memory, and how it comes there.
#pragma once

#include "../common/launch.h"
#include "../depthwise_xcorr/load.cuh"
#include "tiling.cuh"

namespace reidops::projected_xcorr {

using depthwise_xcorr::Box;
using depthwise_xcorr::load_box;
using depthwise_xcorr::Pack;
using depthwise_xcorr::Places;

// One tap of each of some templates: read at once, and three are read as four.
template <class T, int kTogether>
using Taps = Pack<T, kTogether == 3 ? 4 : kTogether>;

// A block's tile of a pair, and its first output.
template <class Index>
struct Tile {
  int64_t pair;
  Index y, x, output;
};

template <class Index>
__device__ __forceinline__ Tile<Index> tile_of(const Tiling& s, int64_t block) {
  const int64_t chunk = block % s.chunks, column = block / s.chunks % s.columns;
  const int64_t row = block / s.chunks / s.columns;
  return {row / s.rows, Index(row % s.rows * s.tile_h), Index(column * s.tile_w), Index(chunk * s.outputs)};
}

// Some channels from `channel` on, and some templates from `templ` on.
template <class Index>
struct Step {
  Index channel, templ;
  int channels, templates;

  template <class S>
  static __device__ __forceinline__ Step from(const Problem<S>& p, const Tiling& s, Index channel, Index templ) {
    return {channel, templ, static_cast<int>(min(Index(s.channels), Index(p.maps.C) - channel)),
            static_cast<int>(min(Index(s.templates), Index(p.templates) - templ))};
  }
  template <class S>
  __device__ __forceinline__ Step next(const Problem<S>& p, const Tiling& s) const {
    const bool more = templ + s.templates < Index(p.templates);
    return from(p, s, more ? channel : channel + s.channels, more ? templ + s.templates : 0);
  }
};

// Where each begins is a multiple of four elements, as reads of four at a time need: planes and rows of weights are.
template <class T, int kTogether>
struct SharedMemory {
  T* planes;                 // (channels templates, plane): pooled score maps
  T* weights;                // (channels templates, outputs)
  Taps<T, kTogether>* taps;  // (channels, templates / kTogether, taps_w, taps_h)
  T* map;                    // (channels, map_h, pitch)

  __device__ explicit SharedMemory(const Tiling& s)
      : planes(dynamic_shared<T>()),
        weights(planes + s.planes_size()),
        taps(reinterpret_cast<Taps<T, kTogether>*>(weights + s.weights_size())),
        map(weights + s.weights_size() + s.taps_size()) {}

  // What is read with others and belongs to none: pixels beyond the last, and the fourth of three templates.
  __device__ void clear_margins(const Tiling& s) const {
    for (int m = threadIdx.x; m < s.channels * s.templates; m += blockDim.x)
      for (int i = s.pixel_rows * s.pixel_columns; i < s.plane(); ++i) planes[m * s.plane() + i] = 0;
    if constexpr (kTogether == 3) {
      for (int i = threadIdx.x; i < s.taps_size() / 4; i += blockDim.x) taps[i].of[3] = 0;
    }
  }
};

// The part of the step's search maps that taps (i, j) on need for the tile, zero outside the maps.
template <class S, class T, class Index>
__device__ __forceinline__ void load_map(const Problem<S>& p, const Tiling& s, const Tile<Index>& tile,
                                         const Step<Index>& step, const S* search, Index i, Index j, T* to) {
  const auto& m = p.maps;
  const Strides& of = m.of_search;
  const Box<S, Index> box{search + step.channel * of.channel,
                          Index(of.channel),
                          Index(of.row),
                          Index(of.column),
                          tile.y + i - Index(m.top),
                          tile.x + j - Index(m.left),
                          Index(m.H),
                          Index(m.W),
                          step.channels,
                          s.map_h,
                          s.map_w};
  const Places places{s.map_size, s.pitch, 1, 2};
  if constexpr (!std::is_same_v<T, double>) {
    if (s.map_vector == 2) return load_box<2>(s.map_sweep, box, to, places);
  }
  load_box<1>(s.map_sweep, box, to, places);
}

// The step's taps (i, j) on, a column of them side by side; those beyond the templates are zero, and not used.
template <int kTogether, class S, class T, class Index>
__device__ __forceinline__ void load_taps(const Problem<S>& p, const Tiling& s, const Step<Index>& step, const S* templ,
                                          Index i, Index j, Pack<T, kTogether>* to) {
  constexpr int kTemplates = kTogether == 4 ? 3 : kTogether;
  const auto& m = p.maps;
  const Strides& of = m.of_template;
  const int together = s.taps() * kTogether;  // elements of so many templates
#pragma unroll 1
  for (int t = 0; t < step.templates; ++t) {
    const Box<S, Index> box{templ + step.channel * of.channel + (step.templ + t) * p.template_step,
                            Index(of.channel),
                            Index(of.row),
                            Index(of.column),
                            i,
                            j,
                            Index(m.kh),
                            Index(m.kw),
                            step.channels,
                            s.taps_h,
                            s.taps_w};
    load_box<1>(s.taps_sweep, box, to->of + t / kTemplates * together + t % kTemplates,
                Places{s.templates / kTemplates * together, kTogether, s.taps_h * kTogether, 2 * s.taps_h * kTogether});
  }
}

// The step's weights of outputs `output` on, zero beyond the last: (channels templates, outputs).
template <class S, class T, class Index>
__device__ __forceinline__ void load_weights(const Problem<S>& p, const Tiling& s, const Step<Index>& step,
                                             Index output, T* to) {
  const int count = step.channels * step.templates;
  const Box<S, Index> box{p.weight + (step.channel * p.templates + step.templ) * p.O + output,
                          0,
                          Index(p.O),
                          1,
                          0,
                          0,
                          count,
                          Index(p.O) - output,
                          1,
                          count,
                          s.outputs};
  const Places places{0, s.outputs, 1, 2};
  if constexpr (!std::is_same_v<T, double>) {
    if (s.weight_vector == 4) return load_box<4>(s.weight_sweep, box, to, places);
  }
  load_box<1>(s.weight_sweep, box, to, places);
}

}  // namespace reidops::projected_xcorr
