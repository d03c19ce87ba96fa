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
__device__ __forceinline__ void add_taps(int rows, int columns, int pitch, int tap_pitch, const T* map,
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
template <class T, class S>
__device__ __forceinline__ void put_scores(const Problem<S>& p, const Tiling& s, const Tile& tile, int group, int x,
                                           bool kept, const T (&scores)[kRows], T* plane) {
  if (!p.pooled) {
#pragma unroll
    for (int k = 0; k < kRows; ++k) {
      const int row = group * kRows + k;
      if (kept && row < s.pixel_rows) plane[row * s.pixel_columns + x] = scores[k];
    }
    return;
  }
  const int64_t y = tile.y + group * kRows;
  const bool right = tile.x + x + 1 < p.maps.w;  // there is a next column; x is even where it matters
#pragma unroll
  for (int k = 0; k < kRows; k += 2) {
    T score = scores[k];
    if (y + k + 1 < p.maps.h) score = larger_or_nan(score, scores[k + 1]);
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
    const auto pixels = *reinterpret_cast<const Four<T>*>(plane);
#pragma unroll
    for (int o = 0; o < kOutputs<T>; o += 4) {
      const auto four = *reinterpret_cast<const Four<T>*>(weight + o);
#pragma unroll
      for (int u = 0; u < 4; ++u)
#pragma unroll
        for (int i = 0; i < kPixels; ++i) sums[o + u][i] += four.of[u] * pixels.of[i];
    }
  }
}

// The sums of outputs `output` on, and of pixels `pixel` on of the tile, to where they belong.
template <class S, class T>
__device__ __forceinline__ void write(const Problem<S>& p, const Tiling& s, const Tile& tile, int64_t output, int pixel,
                                      const T (&sums)[kOutputs<T>][kPixels], S* out) {
  const int64_t top = tile.y / (p.pooled ? 2 : 1), left = tile.x / (p.pooled ? 2 : 1);
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

template <class S, int kTogether>
__global__ void __launch_bounds__(kThreads, 2) projected_xcorr_kernel(const Problem<S> p, const Tiling s) {
  using T = typename Computing<S>::Type;
  const SharedMemory<T, kTogether> shared(s);
  shared.clear_margins(s);
  // What a thread correlates, and what it multiplies.
  const int x = threadIdx.x % s.lanes, group = threadIdx.x / s.lanes % s.groups;
  const int channel = threadIdx.x / s.lanes / s.groups;
  const int pixel = threadIdx.x % s.quads * kPixels, output = threadIdx.x / s.quads * kOutputs<T>;
  const bool several = s.taps_h < p.maps.kh || s.taps_w < p.maps.kw;

  for (int64_t block = blockIdx.x; block < s.blocks; block += gridDim.x) {
    const Tile tile = tile_of(s, block);
    const depthwise_xcorr::Place place = p.maps.outputs.at(tile.pair, {});
    T sums[kOutputs<T>][kPixels] = {};
    for (int64_t c = 0; c < p.maps.C; c += s.channels) {
      for (int64_t t = 0; t < p.templates; t += s.templates) {
        const Step<S> step = step_of(p, s, place, c, t);
        const bool correlates = channel < step.channels && x < s.tile_w;
        for (int n = 0; n < step.templates; n += kTogether) {
          T scores[kTogether][kRows] = {};
          // Of several pieces of taps a step has `kTogether` templates: every piece is loaded at n = 0.
          for (int64_t i = 0; i < p.maps.kh; i += s.taps_h)
            for (int64_t j = 0; j < p.maps.kw; j += s.taps_w) {
              if (n == 0) {
                if (several) __syncthreads();  // the last taps have been used
                load_map(p, s, tile, step, i, j, shared.map);
                load_taps<kTogether>(p, s, step, i, j, shared.taps);
                __syncthreads();  // and all are done with the last step's planes and weights
              }
              if (correlates)
                add_taps<T, kTogether>(
                    static_cast<int>(min(int64_t(s.taps_h), p.maps.kh - i)),
                    static_cast<int>(min(int64_t(s.taps_w), p.maps.kw - j)), s.pitch, s.taps_h,
                    shared.map + channel * s.map_size + group * kRows * s.pitch + x,
                    shared.taps + (channel * (s.templates / kTogether) + n / kTogether) * s.taps(), scores);
            }
          if (n == 0) load_weights(p, s, step, tile.output, shared.weights);
#pragma unroll
          for (int k = 0; k < kTogether; ++k)
            put_scores<T>(p, s, tile, group, x, correlates, scores[k],
                          shared.planes + (channel * step.templates + n + k) * s.plane());
        }
        __syncthreads();
        if (output < s.outputs)
          multiply<T>(step.channels * step.templates, s.plane(), s.outputs, shared.planes + pixel,
                      shared.weights + output, sums);
      }
    }
    if (output < s.outputs) write<S, T>(p, s, tile, tile.output + output, pixel, sums, p.maps.out + place.out);
  }
}

// `enough` blocks: with fewer a block has a smaller tile.
template <class S>
void launch_projection(const Problem<S>& p, Stream stream, int64_t enough = kEnoughBlocks) {
  using T = typename Computing<S>::Type;
  if (p.maps.outputs.size == 0 || p.O == 0) return;
  const Tiling s = Tiling::of(p, enough);
  const int at_once = together<T>(p.templates);
  auto* kernel = projected_xcorr_kernel<S, 1>;
  if (at_once == 2) kernel = projected_xcorr_kernel<S, 2>;
  if constexpr (sizeof(T) == 4)
    if (at_once == 3) kernel = projected_xcorr_kernel<S, 3>;
  launch(kernel, dim3(static_cast<unsigned>(std::min(s.blocks, kMostBlocks))), dim3(s.threads),
         s.template shared_bytes<T>(at_once), stream, p, s);
}

}  // namespace reidops::projected_xcorr
