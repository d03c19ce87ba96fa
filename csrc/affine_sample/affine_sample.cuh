// affine_sample.cuh - the CUDA kernels: forward, the gradient of theta, and the gradient of the input.
//
// All three work out a position once and use it for several channels.  Neighbouring threads have neighbouring pixels
// where a channel's pixels are side by side, and neighbouring channels where a pixel's channels are, so that what a
// warp writes is one stretch of memory.  No atomics: sums have one owner and one order, whatever the launch.
#pragma once

#include <algorithm>

#include "../common/launch.h"
#include "../common/warp.cuh"
#include "problem.h"

namespace reidops::affine_sample {

inline constexpr int kThreads = 256;
inline constexpr int kChannelsOfAThread = 16;  // planes that share a position
inline constexpr int kMostOfAThread = 4;       // times as many channels and pixels, where there is enough to do
inline constexpr int64_t kEnoughBlocks = 4096;
inline constexpr int kColumnsOfSums = 16;  // of pixels, for the sums of theta

// Channels whose loads are in flight together: as many as the compiler keeps in registers without spilling.
template <class T>
inline constexpr int kChannelsAtOnce = sizeof(T) == 4 ? 4 : 2;

template <class T>
struct Sample {
  T base_x, base_y;
  Cell<T> x, y;
};

// Where an output pixel is taken from.
template <class S, class T = typename Problem<S>::T>
__device__ __forceinline__ Sample<T> locate(const Problem<S>& p, const Theta<T>& theta, unsigned pixel) {
  const unsigned i = pixel / static_cast<unsigned>(p.w), j = pixel % static_cast<unsigned>(p.w);
  const T x = base_coordinate<T>(j, p.w, p.align_corners), y = base_coordinate<T>(i, p.h, p.align_corners);
  return {x, y, cell(theta.to_x(x, y), Axis<T>(p.W, p.align_corners), p.padding),
          cell(theta.to_y(x, y), Axis<T>(p.H, p.align_corners), p.padding)};
}

// The four pixels of a sample in an image's first channel, null where there is none, and their weights.  Each pixel is
// tested against the image itself before it has an address, so that no rounding of a position leads out of it.
template <class S>
struct Corners {
  using T = typename Problem<S>::T;
  const S* at[4];
  T weight[4];

  __device__ __forceinline__ Corners(const Problem<S>& p, const Sample<T>& s, const S* image) {
    const bool nearest_only = p.mode == Mode::kNearest;
    const int x = nearest_only ? nearest(s.x) : s.x.low, y = nearest_only ? nearest(s.y) : s.y.low;
    for (int k = 0; k < 4; ++k) {
      const int row = y + k / 2, column = x + k % 2;
      const bool there = inside(row, int(p.H)) && inside(column, int(p.W)) && (k == 0 || !nearest_only);
      at[k] = there ? image + row * p.row_stride + column * p.column_stride : nullptr;
      weight[k] = nearest_only ? T(k == 0) : bilinear_weight(s.x.fraction, s.y.fraction, k);
    }
  }
  // The values of a channel, `offset` elements on.
  __device__ __forceinline__ void take(int64_t offset, T (&value)[4]) const {
    for (int k = 0; k < 4; ++k) value[k] = at[k] == nullptr ? T(0) : T(widen(at[k][offset]));
  }
};

// How blocks and their threads share out the pixels and channels of one map.
//
// Where channels are planes a thread has some planes of a pixel, and a block with more threads than the map has pixels
// takes further planes with them.  Where a pixel's channels are side by side, so are the threads that share them.
struct Tiling {
  int lanes;                 // threads that have a pixel together, side by side: 1 where channels are planes
  int here;                  // pixels of a block
  int channels;              // planes of a thread
  unsigned chunks, columns;  // blocks of a map: chunks of channels times columns of pixels
  unsigned blocks() const { return chunks * columns; }

  template <class S>
  static Tiling of(const Problem<S>& p, int64_t pixels, int64_t most_columns = int64_t(1) << 30) {
    Tiling tiling{1, kThreads, kChannelsOfAThread, 1, 0};
    if (p.channels_last) {
      while (tiling.lanes < kWarp && tiling.lanes < p.C) tiling.lanes *= 2;
      tiling.here = kThreads / tiling.lanes;
    } else {
      while (tiling.here > kWarp && tiling.here / 2 >= pixels) tiling.here /= 2;
      tiling.set_channels(p.C, kChannelsOfAThread);
    }
    tiling.columns = static_cast<unsigned>(std::min((pixels + tiling.here - 1) / tiling.here, most_columns));
    return tiling;
  }

  void set_channels(int64_t all, int of_a_thread) {
    const int64_t of_a_block = int64_t(of_a_thread) * (kThreads / here);
    channels = of_a_thread;
    chunks = static_cast<unsigned>((all + of_a_block - 1) / of_a_block);
  }

  // The same with more work for a thread, which pays once for its map and its position, while `enough` blocks are left.
  template <class S>
  Tiling thicker(const Problem<S>& p, int64_t maps, int64_t enough) const {
    Tiling tiling = *this;
    while (!p.channels_last && tiling.channels < kMostOfAThread * kChannelsOfAThread && tiling.chunks > 1 &&
           int64_t(tiling.blocks()) / 2 * maps >= enough)
      tiling.set_channels(p.C, 2 * tiling.channels);
    while (tiling.columns > 1 && tiling.columns * kMostOfAThread > columns &&
           int64_t(tiling.blocks()) / 2 * maps >= enough)
      tiling.columns = (tiling.columns + 1) / 2;
    return tiling;
  }
};

// A thread's: pixels pixel, pixel + stride, ..., and channels channel, channel + step, ... below end.
struct Part {
  unsigned map, slice, pixel, stride;
  int64_t channel, end;
  int step;
};

template <class S>
__device__ __forceinline__ Part part_of(const Problem<S>& p, const Tiling& tiling) {
  const unsigned blocks = tiling.chunks * tiling.columns, map = blockIdx.x / blocks, slice = blockIdx.x % blocks;
  const unsigned chunk = slice % tiling.chunks, column = slice / tiling.chunks, stride = tiling.columns * tiling.here;
  if (p.channels_last) {
    const unsigned lane = threadIdx.x % tiling.lanes;
    return {map, slice, column * tiling.here + threadIdx.x / tiling.lanes, stride, lane, p.C, tiling.lanes};
  }
  const unsigned group = threadIdx.x / tiling.here, groups = kThreads / tiling.here;
  const int64_t first = int64_t(chunk * groups + group) * tiling.channels, last = first + tiling.channels;
  return {map, slice, column * tiling.here + threadIdx.x % tiling.here, stride, first, last < p.C ? last : p.C, 1};
}

template <class S>
__device__ __forceinline__ int64_t in_output(const Problem<S>& p, const Place& place, int64_t pixel, int64_t channel) {
  return place.sample * p.C * p.pixels() + (p.channels_last ? pixel * p.C + channel : channel * p.pixels() + pixel);
}

// Sample number `index` of all, its image's repeats one after another.
template <class S>
__device__ __forceinline__ Place place_of(const Problem<S>& p, unsigned index) {
  const unsigned repeats = static_cast<unsigned>(p.repeats.size);
  return p.repeats.at(index % repeats, p.images.at(index / repeats, {}));
}

// From a channel of a thread to its next, in the input and in the output.
template <class S>
struct Steps {
  int64_t in, out;
  __device__ __forceinline__ Steps(const Problem<S>& p, const Part& part)
      : in(part.step * p.channel_stride), out(p.channels_last ? part.step : p.pixels()) {}
};

template <class S>
__global__ void __launch_bounds__(kThreads) affine_sample_kernel(const Problem<S> p, const Tiling tiling) {
  using T = typename Problem<S>::T;
  const Part part = part_of(p, tiling);
  const Place place = place_of(p, part.map);
  const auto theta = read_theta<T>(p.theta + place.theta);
  const Steps<S> steps(p, part);
  const S* const image = p.input + place.image + part.channel * p.channel_stride;
#pragma unroll 1
  for (unsigned pixel = part.pixel; pixel < p.pixels(); pixel += part.stride) {
    const Corners<S> corners(p, locate(p, theta, pixel), image);
    S* to = p.output + in_output(p, place, pixel, part.channel);
    int64_t from = 0;
#pragma unroll kChannelsAtOnce<T>
    for (int64_t c = part.channel; c < part.end; c += part.step) {
      T value[4];
      corners.take(from, value);
      narrow(interpolate(value, corners.weight), *to);
      from += steps.in;
      to += steps.out;
    }
  }
}

// ---- gradient of theta ---------------------------------------------------------------------------------------------

// A block has one slice of a sample, and writes six sums; adding those of the slices is left to the caller.
template <class S>
__global__ void __launch_bounds__(kThreads) affine_sample_theta_kernel(const Problem<S> p, const Tiling tiling) {
  using T = typename Problem<S>::T;
  __shared__ T of_warps[kThreads / kWarp][6];
  const Part part = part_of(p, tiling);
  const Place place = place_of(p, part.map);
  const auto theta = read_theta<T>(p.theta + place.theta);
  const Steps<S> steps(p, part);
  const S* const image = p.input + place.image + part.channel * p.channel_stride;
  T sums[6] = {};
  for (unsigned pixel = part.pixel; pixel < p.pixels(); pixel += part.stride) {
    const Sample<T> s = locate(p, theta, pixel);
    const Corners<S> corners(p, s, image);
    const S* grad = p.grad_output + in_output(p, place, pixel, part.channel);
    int64_t from = 0;
    T dx = 0, dy = 0;
#pragma unroll 2
    for (int64_t c = part.channel; c < part.end; c += part.step) {
      const T g = widen(*grad);
      T value[4];
      corners.take(from, value);
      from += steps.in;
      grad += steps.out;
      dx += g * slope_along_x(value, s.y.fraction);
      dy += g * slope_along_y(value, s.x.fraction);
    }
    dx *= s.x.slope;
    dy *= s.y.slope;
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
    for (int warp = 0; warp < kThreads / kWarp; ++warp) sum += of_warps[warp][threadIdx.x];
    p.grad_theta[(place.sample * (tiling.chunks * tiling.columns) + part.slice) * 6 + threadIdx.x] = sum;
  }
}

// ---- gradient of the input -----------------------------------------------------------------------------------------

template <class T>
inline constexpr T kEpsilon = sizeof(T) == 4 ? T(1.2e-7) : T(2.3e-16);

// One coordinate of the position as a linear function of output row i and column j, in pixels, and the positions that
// touch a pixel of the image: within one of it, or anywhere beyond it where border pixels stand for what is outside.
//
// A gather looks only at rows and columns that may touch its pixel.  A bound that is too tight loses gradient; it never
// touches other memory, since rows and columns stay within [0, h) and [0, w) whatever is computed here.
//
// `slack` is for the difference between this form, with its coefficients taken as exact, and the position that `locate`
// finds.  Let u = epsilon / 2, m = |of_x| + |of_y| + |of_one|, s = size; scale <= s / 2.  To first order in u:
//
//     the position's own sum          3 u (m + 1) s + u    (taps.h)
//     x_j and y_i                     6 roundings each of numbers up to 1:             3 u m s
//     start                           4 roundings of its x and y, and its own sum:     5 u (m + 1) s + u
//     by_column j and by_row i        8 roundings of each, of numbers up to |of| s:    8 u m s
//     here = by_row i + start,        3 roundings of numbers up to 2 (m + 1) s:        6 u (m + 1) s
//     low - here; low and high        2 roundings of numbers up to s + slack:          2 u s
//
// These are 27 u (m + 1) s + 2 u together; slack is 64 u (m + 1) s + 1e-3.
template <class T>
struct Line {
  T by_row, by_column, start, low, high;

  __device__ __forceinline__ Line(T of_x, T of_y, T of_one, int64_t pixel, int64_t size, int64_t h, int64_t w,
                                  bool align_corners, Padding padding) {
    const Axis<T> axis(size, align_corners);
    const T first_x = base_coordinate<T>(0, w, align_corners), first_y = base_coordinate<T>(0, h, align_corners);
    by_column = w > 1 ? of_x * (-2 * first_x / T(w - 1)) * axis.scale : T(0);
    by_row = h > 1 ? of_y * (-2 * first_y / T(h - 1)) * axis.scale : T(0);
    start = to_pixels(of_x * first_x + (of_y * first_y + of_one), axis);
    const T slack = T(1e-3) + 32 * kEpsilon<T> * (fabs(of_x) + fabs(of_y) + fabs(of_one) + 1) * T(size);
    low = T(pixel) - 1 - slack;
    high = T(pixel) + 1 + slack;
    const T far = T(1e30);
    if (padding == Padding::kBorder && pixel == 0) low = -far;
    if (padding == Padding::kBorder && pixel == size - 1) high = far;
    // Where a position itself may be as far as that, or no number, every sample is looked at.
    const bool known = fabs(start) + fabs(by_row) * T(h) + fabs(by_column) * T(w) < far;
    if (padding == Padding::kReflection || !known) {
      low = -far;
      high = far;
      start = by_row = by_column = 0;
    }
  }
  __device__ __forceinline__ bool bounded() const { return high - low < T(1e20); }

  // Narrows [first, last) to the columns of row i that may touch the pixel.
  //
  // A column j that does has a <= j <= b but for the rounding of one division and one sum, of which each moves a number
  // up to `last` by no more than u last; a bound beyond `last` narrows nothing, or all.  Comparisons come before
  // conversions, so that only numbers within [first, last) become integers: `to` < T(last) makes int64_t(to) < last
  // even where T(last) was rounded up, because no T lies between last and T(last).  NaN narrows nothing.
  __device__ __forceinline__ void columns(int64_t i, int64_t& first, int64_t& last) const {
    const T here = by_row * T(i) + start;
    if (fabs(by_column) < T(1e-6)) {
      const T reach = fabs(by_column) * T(last);
      if (!(here + reach > low && here - reach < high)) last = first;
      return;
    }
    const T a = (low - here) / by_column, b = (high - here) / by_column;
    const T margin = 1 + 2 * kEpsilon<T> * T(last);
    const T from = min(a, b) - margin, to = max(a, b) + margin;
    if (from > T(first)) first = from < T(last) ? int64_t(from) : last;
    if (to < T(last)) last = to > T(first) ? int64_t(to) + 1 : first;
  }
};

// The rows whose samples may touch the pixel: those of the parallelogram that the map makes of its square.
//
// With (px, py) the pixel less the start, Cramer's rule gives the row of a position,  i = (x.by_column py - y.by_column
// px) / det,  and `reach` how far it is from the middle for all positions of the square, of half sides 1 + slack.  What
// this rounds is worth less than what Line has left of its slack, of which it needs 27 u (m + 1) s.  In pixels of y
// that x.by_column / det turns into rows, and the same of x and y.by_column:
//
//     products with px and py     3 roundings of numbers up to 1.5 (m + 1) s + slack:        5 u (m + 1) s
//     the determinant, times i    2 u (|x.by_column y.by_row| + |x.by_row y.by_column|) i:   2 u m s
//     the determinant, in reach   2 u 1000 (1 + slack), by the test below:                   1.2e-4 (1 + slack)
//     the reach, the last sums    6 u (1 + slack)
//
// The last two are below the constant 1e-3 and a thousandth of the slack.  There remain the quotient and the last sums
// as roundings of a number of rows, up to `last`: `margin` has twice as much as these and one row.  Where the
// determinant is below 1e-30 its products may have lost digits to underflow.
template <class T>
__device__ __forceinline__ void rows_of(const Line<T>& x, const Line<T>& y, int64_t& first, int64_t& last) {
  const T determinant = x.by_column * y.by_row - x.by_row * y.by_column;
  const T columns = fabs(x.by_column) + fabs(y.by_column), rows = fabs(x.by_row) + fabs(y.by_row);
  const T size = fabs(determinant);
  if (!x.bounded() || !y.bounded() || !(size > T(1e-3) * columns * rows && size > T(1e-30))) return;
  const T px = (x.low + x.high) / 2 - x.start, py = (y.low + y.high) / 2 - y.start;
  const T middle = (x.by_column * py - y.by_column * px) / determinant;
  const T reach = (fabs(x.by_column) * (y.high - y.low) + fabs(y.by_column) * (x.high - x.low)) / 2 / size;
  const T margin = 1 + 4 * kEpsilon<T> * T(last);
  const T from = middle - reach - margin, to = middle + reach + margin + 1;
  if (from > T(first)) first = from < T(last) ? int64_t(from) : last;
  if (to < T(last)) last = to > T(first) ? int64_t(to) : first;
}

// A thread owns a pixel of the image for some channels, and gathers what its samples hand back, in their order.
template <class S>
__global__ void __launch_bounds__(kThreads, sizeof(typename Problem<S>::T) == 4 ? 2 : 1)
    affine_sample_input_kernel(const Problem<S> p, const Tiling tiling) {
  using T = typename Problem<S>::T;
  const Part part = part_of(p, tiling);
  if (part.pixel >= p.H * p.W) return;
  const int64_t y = part.pixel / static_cast<unsigned>(p.W), x = part.pixel % static_cast<unsigned>(p.W);
  const Place image = p.images.at(part.map, {});
  const int64_t step = p.channels_last ? part.step : p.pixels();
  for (int64_t begin = part.channel; begin < part.end; begin += int64_t(part.step) * kChannelsOfAThread) {
    const int64_t left = (part.end - begin + part.step - 1) / part.step;
    const int count = static_cast<int>(left < kChannelsOfAThread ? left : kChannelsOfAThread);
    T sums[kChannelsOfAThread] = {};
#pragma unroll 1
    for (int r = 0; r < p.repeats.size; ++r) {
      const Place place = p.repeats.at(r, image);
      const auto theta = read_theta<T>(p.theta + place.theta);
      const Line<T> along_x(theta.xx, theta.xy, theta.x, x, p.W, p.h, p.w, p.align_corners, p.padding);
      const Line<T> along_y(theta.yx, theta.yy, theta.y, y, p.H, p.h, p.w, p.align_corners, p.padding);
      int64_t row = 0, rows = p.h;
      rows_of(along_x, along_y, row, rows);
#pragma unroll 1
      for (; row < rows; ++row) {
        int64_t column = 0, columns = p.w;
        along_x.columns(row, column, columns);
        along_y.columns(row, column, columns);
#pragma unroll 1
        for (; column < columns; ++column) {
          const unsigned pixel = static_cast<unsigned>(row * p.w + column);
          const Sample<T> s = locate(p, theta, pixel);
          T weight;
          if (p.mode == Mode::kNearest) {
            if (nearest(s.x) != x || nearest(s.y) != y) continue;
            weight = 1;
          } else {
            const int64_t right = x - s.x.low, down = y - s.y.low;
            if (right < 0 || right > 1 || down < 0 || down > 1) continue;
            weight = bilinear_weight(s.x.fraction, s.y.fraction, static_cast<int>(2 * down + right));
          }
          const S* grad = p.grad_output + in_output(p, place, pixel, begin);
#pragma unroll
          for (int k = 0; k < kChannelsOfAThread; ++k) {
            if (k < count) sums[k] += weight * T(widen(*grad));
            grad += k + 1 < count ? step : 0;  // never beyond the last channel
          }
        }
      }
    }
    S* to = p.grad_input + image.number * p.C * p.H * p.W +
            (p.channels_last ? part.pixel * p.C + begin : begin * p.H * p.W + part.pixel);
#pragma unroll
    for (int k = 0; k < kChannelsOfAThread; ++k)
      if (k < count) narrow(sums[k], to[k * (p.channels_last ? part.step : p.H * p.W)]);
  }
}

// ---- launch --------------------------------------------------------------------------------------------------------

template <class S>
void launch_blocks(void (*kernel)(Problem<S>, Tiling), const Problem<S>& p, const Tiling& tiling, int64_t maps,
                   Stream stream) {
  const int64_t blocks = int64_t(tiling.blocks()) * maps;
  if (blocks > 0) launch(kernel, dim3(static_cast<unsigned>(blocks)), dim3(kThreads), 0, stream, p, tiling);
}

template <class S>
void launch_forward(const Problem<S>& p, Stream stream, int64_t enough = kEnoughBlocks) {
  const int64_t maps = p.images.size * p.repeats.size;
  launch_blocks(affine_sample_kernel<S>, p, Tiling::of(p, p.pixels()).thicker(p, maps, enough), maps, stream);
}

// Sums that a sample's gradient of theta is left in.
template <class S>
int64_t slices(const Problem<S>& p) {
  return Tiling::of(p, p.pixels(), kColumnsOfSums).blocks();
}

// Bilinear only: the nearest pixel has no gradient by theta.
template <class S>
void launch_theta(const Problem<S>& p, Stream stream) {
  launch_blocks(affine_sample_theta_kernel<S>, p, Tiling::of(p, p.pixels(), kColumnsOfSums),
                p.images.size * p.repeats.size, stream);
}

template <class S>
void launch_input(const Problem<S>& p, Stream stream) {
  launch_blocks(affine_sample_input_kernel<S>, p, Tiling::of(p, p.H * p.W), p.images.size, stream);
}

}  // namespace reidops::affine_sample
