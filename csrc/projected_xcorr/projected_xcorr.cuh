// projected_xcorr.cuh - the CUDA kernel: a block makes some outputs of a tile of a pair, and no score map leaves it.
//
// It goes through the channels in steps (tiling.cuh).  Of a step's channels the search maps and the templates lie in
// shared memory, the maps with their zeros.  A thread has ten rows of one column of the score maps of up to three
// templates: as it goes down a column of taps the ten pixels that meet a tap move on by one, a register each, of which
// one is read anew for every tap,
//
//     score[t, y .. y + 9] += template[t, i, j] search[y + i .. y + i + 9, x + j],
//
// and 30 sums are added to for two reads.  The thread pools its scores where they are, in registers, and puts them into
// shared memory, `planes`.  Then it has 8 outputs of 4 pixels, whose sums stay in registers for the whole block:
//
//     sum[o, pixel] += weight[o, t, c] plane[t, c, pixel].
//
// Every sum has one owner and one order, over c, then t, whatever the tiles and the steps: its bits depend on nothing
// else.
#pragma once

#include "../common/launch.h"
#include "pool.h"
#include "shared.cuh"
#include "tiling.cuh"

namespace reidops::projected_xcorr {

inline constexpr int kTapsAtOnce = 5;
inline constexpr unsigned kAllLanes = 0xffffffffu;

// Adds what `rows` x `columns` taps give to a thread's scores.  `map` is its first pixel.
template <class T, int kTogether>
__device__ __forceinline__ void correlate(int rows, int columns, int pitch, int tap_pitch, const T* map,
                                          const Taps<T, kTogether>* taps, T (&scores)[kTogether][kRows]) {
#pragma unroll 1
  for (int j = 0; j < columns; ++j, ++map, taps += tap_pitch) {
    T pixels[kRows];  // pixel y + i + k in place (i + k) % kRows
#pragma unroll
    for (int k = 0; k < kRows - 1; ++k) pixels[k] = map[k * pitch];
    const T* next = map + (kRows - 1) * pitch;
    const auto add = [&](int i, int u) {  // tap i, which is u modulo kRows
      const auto tap = taps[i];
      pixels[(u + kRows - 1) % kRows] = *next;
      next += pitch;
#pragma unroll
      for (int t = 0; t < kTogether; ++t)
#pragma unroll
        for (int k = 0; k < kRows; ++k) scores[t][k] += tap.of[t] * pixels[(u + k) % kRows];
    };
#pragma unroll 1
    for (int i = 0; i < rows; i += kRows) {
#pragma unroll
      for (int u = 0; u < kRows; u += kTapsAtOnce) {
        if (i + u >= rows) break;
        if (i + u + kTapsAtOnce <= rows) {  // whole, so that the reads of five taps can go ahead
#pragma unroll
          for (int v = 0; v < kTapsAtOnce; ++v) add(i + u + v, u + v);
        } else {
#pragma unroll
          for (int v = 0; v < kTapsAtOnce - 1; ++v)
            if (i + u + v < rows) add(i + u + v, u + v);  // no product with what is no tap: the pixel may be NaN
        }
      }
    }
  }
}

// A thread's scores of one template, pooled or not, to where the tile's pixels lie.  Called by all threads of a block,
// for neighbours in a row exchange what they have; `kept` says which of them have scores.
template <class T, class S, class Index>
__device__ __forceinline__ void put_scores(const Problem<S>& p, const Tiling& s, const Tile<Index>& tile, int group,
                                           int x, bool kept, const T (&scores)[kRows], T* plane) {
  if (!p.pooled) {
#pragma unroll
    for (int k = 0; k < kRows; ++k) {
      const int row = group * kRows + k;
      if (kept && row < s.pixel_rows) plane[row * s.pixel_columns + x] = scores[k];
    }
    return;
  }
  const Index y = tile.y + group * kRows;
  const bool right = tile.x + x + 1 < Index(p.maps.w);  // there is a next column; x is even where it matters
#pragma unroll
  for (int k = 0; k < kRows; k += 2) {
    T score = scores[k];
    if (y + k + 1 < Index(p.maps.h)) score = larger_or_nan(score, scores[k + 1]);
    const T of_next = __shfl_xor_sync(kAllLanes, score, 1);
    if (right) score = larger_or_nan(score, of_next);
    const int row = (group * kRows + k) / 2;
    if (kept && x % 2 == 0 && row < s.pixel_rows) plane[row * s.pixel_columns + x / 2] = score;
  }
}

// sums += weights planes, over `count` planes.
template <class T>
__device__ __forceinline__ void multiply(int count, int plane_pitch, int outputs, const T* plane, const T* weight,
                                         T (&sums)[kOutputs<T>][kPixels]) {
#pragma unroll 2
  for (int m = 0; m < count; ++m, plane += plane_pitch, weight += outputs) {
    const auto pixels = *reinterpret_cast<const Pack<T, 4>*>(plane);
#pragma unroll
    for (int o = 0; o < kOutputs<T>; o += 4) {
      const auto four = *reinterpret_cast<const Pack<T, 4>*>(weight + o);
#pragma unroll
      for (int u = 0; u < 4; ++u)
#pragma unroll
        for (int i = 0; i < kPixels; ++i) sums[o + u][i] += four.of[u] * pixels.of[i];
    }
  }
}

// The sums of outputs `output` on, and of pixels `pixel` on of the tile, to where they belong.
template <class S, class T, class Index>
__device__ __forceinline__ void write(const Problem<S>& p, const Tiling& s, const Tile<Index>& tile, Index output,
                                      int pixel, const T (&sums)[kOutputs<T>][kPixels], S* out) {
  const int64_t top = p.pooled ? tile.y / 2 : tile.y, left = p.pooled ? tile.x / 2 : tile.x;
#pragma unroll
  for (int i = 0; i < kPixels; ++i) {
    const int row = (pixel + i) / s.pixel_columns, column = (pixel + i) % s.pixel_columns;
    if (row >= s.pixel_rows || top + row >= p.ph || left + column >= p.pw) continue;
    S* to = out + (output * p.ph + top + row) * p.pw + left + column;
#pragma unroll
    for (int o = 0; o < kOutputs<T>; ++o)
      if (output + o < p.O) narrow(sums[o][i], to[o * p.ph * p.pw]);
  }
}

// kGeneral: for sizes and strides that need 64 bits, and templates that come in pieces.  In float64 two blocks for a
// multiprocessor would leave too few registers on sm_80.
template <class S, int kTogether, bool kGeneral>
__global__ void __launch_bounds__(kThreads, std::is_same_v<S, double> ? 1 : 2)
    projected_xcorr_kernel(const Problem<S> p, const Tiling s) {
  using T = typename Computing<S>::Type;
  using Index = std::conditional_t<kGeneral, int64_t, int>;
  const SharedMemory<T, kTogether> shared(s);
  shared.clear_margins(s);
  // What a thread correlates, and what it multiplies.
  const int x = threadIdx.x % s.lanes, group = threadIdx.x / s.lanes % s.groups;
  const int channel = threadIdx.x / s.lanes / s.groups;
  const int pixel = threadIdx.x % s.quads * kPixels, output = threadIdx.x / s.quads * kOutputs<T>;
  const Index C = Index(p.maps.C), kh = Index(p.maps.kh), kw = Index(p.maps.kw);

  for (int64_t block = blockIdx.x; block < s.blocks; block += gridDim.x) {
    const Tile<Index> tile = tile_of<Index>(s, block);
    const depthwise_xcorr::Place place = p.maps.outputs.at(tile.pair, {});
    const auto load = [&](const Step<Index>& step, Index i, Index j) {
      load_map(p, s, tile, step, p.maps.search + place.search, i, j, shared.map);
      load_taps(p, s, step, p.maps.templ + place.templ, i, j, shared.taps);
      commit_copies();
    };
    T sums[kOutputs<T>][kPixels] = {};
    int planes = 0;  // of the last step, which are still to be multiplied
    for (Step<Index> step = Step<Index>::from(p, s, 0, 0);; step = step.next(p, s)) {
      if (step.channel < C) load(step, 0, 0);
      if (output < s.outputs)
        multiply<T>(planes, s.plane(), s.outputs, shared.planes + pixel, shared.weights + output, sums);
      if (step.channel >= C) break;
      wait_for_copies();
      __syncthreads();  // maps and taps are there; nobody needs the last step's planes and weights
      load_weights(p, s, step, tile.output, shared.weights);
      commit_copies();

      const bool correlates = channel < step.channels && x < s.tile_w;
      for (int n = 0; n < step.templates; n += kTogether) {
        T scores[kTogether][kRows] = {};
        const auto add = [&](Index i, Index j) {
          if (correlates)
            correlate<T, kTogether>(static_cast<int>(min(Index(s.taps_h), kh - i)),
                                    static_cast<int>(min(Index(s.taps_w), kw - j)), s.pitch, s.taps_h,
                                    shared.map + channel * s.map_size + group * kRows * s.pitch + x,
                                    shared.taps + (channel * (s.templates / kTogether) + n / kTogether) * s.taps(),
                                    scores);
        };
        add(0, 0);
        if constexpr (kGeneral) {  // the other pieces; there is one template in a step
          for (Index i = 0; i < kh; i += s.taps_h)
            for (Index j = 0; j < kw; j += s.taps_w) {
              if (i == 0 && j == 0) continue;
              __syncthreads();  // the last piece has been used
              load(step, i, j);
              wait_for_copies();
              __syncthreads();
              add(i, j);
            }
        }
#pragma unroll
        for (int k = 0; k < kTogether; ++k)
          put_scores<T>(p, s, tile, group, x, correlates, scores[k],
                        shared.planes + (channel * step.templates + n + k) * s.plane());
      }
      planes = step.channels * step.templates;
      wait_for_copies();
      __syncthreads();  // planes and weights are there; nobody needs this step's maps and taps
    }
    if (output < s.outputs) write<S, T>(p, s, tile, tile.output + output, pixel, sums, p.maps.out + place.out);
  }
}

template <class S, int kTogether, bool kGeneral>
void launch_kernel(const Problem<S>& p, const Tiling& s, Stream stream) {
  launch(projected_xcorr_kernel<S, kTogether, kGeneral>, dim3(static_cast<unsigned>(std::min(s.blocks, kMostBlocks))),
         dim3(s.threads), s.shared_bytes<typename Computing<S>::Type>(), stream, p, s);
}

// `enough` blocks: with fewer a block has a smaller tile.
template <class S>
void launch_projection(const Problem<S>& p, Stream stream, int64_t enough = kEnoughBlocks) {
  if (p.maps.outputs.size == 0 || p.O == 0) return;
  const Tiling s = Tiling::of(p, enough);
  if (s.general) return launch_kernel<S, 1, true>(p, s, stream);
  if constexpr (!std::is_same_v<S, double>) {
    if (s.together == 3) return launch_kernel<S, 3, false>(p, s, stream);
  }
  s.together == 2 ? launch_kernel<S, 2, false>(p, s, stream) : launch_kernel<S, 1, false>(p, s, stream);
}

}  // namespace reidops::projected_xcorr
