// input_gradient.cuh - the kernel of the gradient of the input: a gather, without atomics.
#pragma once

#include "gather_bounds.cuh"
#include "gradient_tiling.cuh"
#include "options.h"
#include "position.cuh"

namespace reidops::affine_sample {

// A thread owns a pixel of the image for some channels, and gathers what its samples hand back, in their order.
template <Mode kMode, Padding kPadding, class S>
__global__ void __launch_bounds__(GradientTiling::kThreads, sizeof(typename Problem<S>::T) == 4 ? 2 : 1)
    affine_sample_input_kernel(const Problem<S> p, const GradientTiling tiling) {
  using T = typename Problem<S>::T;
  constexpr int kChannels = GradientTiling::kChannelsOfAThread;
  const Part part = part_of(p, tiling);
  if (part.pixel >= p.H * p.W) return;
  const int W = static_cast<int>(p.W), h = static_cast<int>(p.h), w = static_cast<int>(p.w);
  const int y = static_cast<int>(part.pixel) / W, x = static_cast<int>(part.pixel) % W;
  const Place image = p.images.at(part.map, {});
  const int64_t step = p.channels_last ? part.step : p.pixels();
  for (int64_t begin = part.channel; begin < part.end; begin += int64_t(part.step) * kChannels) {
    const int64_t left = (part.end - begin + part.step - 1) / part.step;
    const int count = static_cast<int>(left < kChannels ? left : kChannels);
    T sums[kChannels] = {};
#pragma unroll 1
    for (int r = 0; r < p.repeats.size; ++r) {
      const Place place = p.repeats.at(r, image);
      const auto theta = read_theta<T>(p.theta + place.theta);
      const Line<T> along_x(theta.xx, theta.xy, theta.x, x, W, h, w, p.align_corners, kPadding);
      const Line<T> along_y(theta.yx, theta.yy, theta.y, y, int(p.H), h, w, p.align_corners, kPadding);
      int row = 0, rows = h;
      rows_of(along_x, along_y, row, rows);
#pragma unroll 1
      for (; row < rows; ++row) {
        int column = 0, columns = w;
        along_x.columns(row, column, columns);
        along_y.columns(row, column, columns);
#pragma unroll 1
        for (; column < columns; ++column) {
          const Sample<T> s = locate<kPadding>(p, theta, row, column);
          T weight;
          if (kMode == Mode::kNearest) {
            if (nearest(s.x) != x || nearest(s.y) != y) continue;
            weight = 1;
          } else {
            const int right = x - s.x.low, down = y - s.y.low;
            if (right < 0 || right > 1 || down < 0 || down > 1) continue;
            weight = bilinear_weight(s.x.fraction, s.y.fraction, 2 * down + right);
          }
          const S* grad = p.grad_output + in_output(p, place, row * w + column, begin);
#pragma unroll
          for (int k = 0; k < kChannels; ++k) {
            if (k < count) sums[k] += weight * T(widen(*grad));
            grad += k + 1 < count ? step : 0;  // never beyond the last channel
          }
        }
      }
    }
    S* to = p.grad_input + image.number * p.C * p.H * p.W +
            (p.channels_last ? part.pixel * p.C + begin : begin * p.H * p.W + part.pixel);
#pragma unroll
    for (int k = 0; k < kChannels; ++k)
      if (k < count) narrow(sums[k], to[k * (p.channels_last ? part.step : p.H * p.W)]);
  }
}

template <class S>
void launch_input(const Problem<S>& p, Stream stream) {
  with_options(p.mode, p.padding, [&](auto mode, auto padding) {
    launch_parts(affine_sample_input_kernel<mode(), padding(), S>, p, GradientTiling::of(p, p.H * p.W), p.images.size,
                 stream);
  });
}

}  // namespace reidops::affine_sample
