// theta_gradient.cuh - the kernel of the gradient of theta.
#pragma once

#include "../common/warp.cuh"
#include "gradient_tiling.cuh"
#include "options.h"
#include "position.cuh"

namespace reidops::affine_sample {

// What a position has gathered: the gradient of the sample by its X and Y, over channels.
template <class T>
struct Slopes {
  T x = 0, y = 0;

  // kCount channels from `grad` and `first` on; all loads come before the arithmetic.
  template <int kCount, class S>
  __device__ __forceinline__ void add(const Sample<T>& s, const Corners<Mode::kBilinear, T>& corners,
                                      const Geometry& geometry, const Steps<S>& steps, const S* grad, const S* first) {
    T g[kCount], value[kCount][4];
#pragma unroll
    for (int c = 0; c < kCount; ++c) {
      g[c] = widen(grad[c * steps.out]);
      for (int k = 0; k < 4; ++k) {
        const S* const pixel = first + c * steps.in + k / 2 * geometry.row_stride + k % 2 * geometry.column_stride;
        value[c][k] = corners.there[k] ? T(widen(*pixel)) : T(0);
      }
    }
#pragma unroll
    for (int c = 0; c < kCount; ++c) {
      x += g[c] * slope_along_x(value[c], s.y.fraction);
      y += g[c] * slope_along_y(value[c], s.x.fraction);
    }
  }
};

// A block has one slice of a sample, and writes six sums; adding those of the slices is left to the caller.
template <Padding kPadding, class S>
__global__ void __launch_bounds__(GradientTiling::kThreads)
    affine_sample_theta_kernel(const Problem<S> p, const GradientTiling tiling) {
  using T = typename Problem<S>::T;
  constexpr int kWarps = GradientTiling::kThreads / kWarp;
  constexpr int kTogether = sizeof(T) == 4 ? 2 : 1;  // doubles take two registers each
  __shared__ T of_warps[kWarps][6];
  const Part part = part_of(p, tiling);
  const Place place = place_of(p, part.map);
  const auto theta = read_theta<T>(p.theta + place.theta);
  const Steps<S> steps(p, part);
  const Geometry geometry(p);
  const S* const image = p.input + place.image + part.channel * p.channel_stride;
  T sums[6] = {};
#pragma unroll 1
  for (unsigned pixel = part.pixel; pixel < p.pixels(); pixel += part.stride) {
    const Sample<T> s = locate<kPadding>(p, theta, pixel);
    const Corners<Mode::kBilinear, T> corners(geometry, s.x, s.y);
    const S* first = image + corners.first(geometry);
    const S* grad = p.grad_output + in_output(p, place, pixel, part.channel);
    Slopes<T> slopes;
    int64_t c = part.channel;
#pragma unroll 1
    for (; c + (kTogether - 1) * part.step < part.end; c += kTogether * part.step) {
      slopes.template add<kTogether>(s, corners, geometry, steps, grad, first);
      grad += kTogether * steps.out;
      first += kTogether * steps.in;
    }
    if (c < part.end) slopes.template add<1>(s, corners, geometry, steps, grad, first);
    const T dx = slopes.x * s.x.slope, dy = slopes.y * s.y.slope;
    sums[0] += dx * s.base_x, sums[1] += dx * s.base_y, sums[2] += dx;
    sums[3] += dy * s.base_x, sums[4] += dy * s.base_y, sums[5] += dy;
  }
  for (int i = 0; i < 6; ++i) {
    const T sum = warp_sum(sums[i]);
    if (lane_index() == 0) of_warps[warp_index()][i] = sum;
  }
  __syncthreads();
  if (threadIdx.x < 6) {
    T sum = 0;
    for (int warp = 0; warp < kWarps; ++warp) sum += of_warps[warp][threadIdx.x];
    p.grad_theta[(place.sample * (tiling.chunks * tiling.columns) + part.slice) * 6 + threadIdx.x] = sum;
  }
}

template <class S>
GradientTiling theta_tiling(const Problem<S>& p) {
  return GradientTiling::of(p, p.pixels(), GradientTiling::kColumnsOfSums);
}

// Sums that a sample's gradient of theta is left in.
template <class S>
int64_t slices(const Problem<S>& p) {
  return theta_tiling(p).blocks();
}

// Bilinear only: the nearest pixel has no gradient by theta.
template <class S>
void launch_theta(const Problem<S>& p, Stream stream) {
  check_reach(p);
  with_padding(p.padding, [&](auto padding) {
    launch_parts(affine_sample_theta_kernel<padding(), S>, p, theta_tiling(p), p.images.size * p.repeats.size, stream);
  });
}

}  // namespace reidops::affine_sample
