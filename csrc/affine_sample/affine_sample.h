// affine_sample.h - where an affine map samples an image: the arithmetic that CPU and CUDA share.
//
// Column j of w and row i of h of the output lie at (x_j, y_i) in [-1, 1]; theta maps them to the image,
//
//     X = theta_xx x_j + theta_xy y_i + theta_x,     Y = theta_yx x_j + theta_yy y_i + theta_y     (STNReID, eq. 1),
//
// and X becomes a position in pixels, which padding may move.  Bilinear sampling then takes the pixels below and above
// the position, weighed by its fraction.  Each step is the one of torch's affine_grid and grid_sample, in its order, so
// that positions that lie exactly on a pixel, as under the identity, round alike.
//
// All is written for one number or, on the CPU, a vector of them: V is float, double, or a vector of the compiler's.
#pragma once

#include <math.h>  // not <cmath>: fma of both types, for g++ and nvcc

#include <cstdint>

#include "../common/half.h"

namespace reidops::affine_sample {

enum class Mode : int { kBilinear, kNearest };             // in the order of MODES in reidops/_ops/affine_sample.py
enum class Padding : int { kZeros, kBorder, kReflection };  // in the order of PADDING_MODES
constexpr int kModes = 2, kPaddings = 3;

// What V's elements are, and the integers that go with it.
template <class V>
struct Numbers {
  using Element = V;
  using Integer = int;
  static REIDOPS_HOST_DEVICE Integer integer(V v) { return static_cast<int>(v); }
  static REIDOPS_HOST_DEVICE V number(Integer i) { return static_cast<V>(i); }
};
template <class V>
using Integer = typename Numbers<V>::Integer;

// Where torch.linspace(-1, 1, n), from both ends and rounded once, puts element i; between pixels' centres unless
// corners are aligned.
template <class T, class I>
REIDOPS_HOST_DEVICE T base_coordinate(I i, I n, bool align_corners) {
  if (n <= 1) return 0;
  const T step = T(2) / T(n - 1);
  const T aligned = i < n / 2 ? fma(step, T(i), T(-1)) : fma(-step, T(n - 1 - i), T(1));
  return align_corners ? aligned : aligned * T(n - 1) / T(n);
}

// One of the image's two dimensions.
template <class T>
struct Axis {
  T size, scale, offset;  // in pixels; scale: of one unit of the normalised coordinate
  bool align_corners;

  REIDOPS_HOST_DEVICE Axis(int64_t size, bool align_corners)
      : size(T(size)),
        scale((align_corners ? T(size - 1) : T(size)) / 2),
        offset(align_corners ? T(0) : T(0.5)),
        align_corners(align_corners) {}
};

// A position moved by padding, and the derivative of it by the position it had: 1, -1 or 0.
template <class V>
struct Padded {
  V position, slope;
};

// The six numbers of theta, in the type that sums are made in.
template <class T>
struct Theta {
  T xx, xy, x, yx, yy, y;

  // X and Y of the output's (x_j, y_i); V is T, or a vector of x_j in one row.
  template <class V>
  REIDOPS_HOST_DEVICE V to_x(V x_j, T y_i) const {
    return xx * x_j + (xy * y_i + x);
  }
  template <class V>
  REIDOPS_HOST_DEVICE V to_y(V x_j, T y_i) const {
    return yx * x_j + (yy * y_i + y);
  }
};
template <class T, class S>
REIDOPS_HOST_DEVICE Theta<T> read_theta(const S* p) {
  return {widen(p[0]), widen(p[1]), widen(p[2]), widen(p[3]), widen(p[4]), widen(p[5])};
}

template <class V, class T>
REIDOPS_HOST_DEVICE V to_pixels(V normalised, const Axis<T>& axis) {
  return (normalised + T(1)) * axis.scale - axis.offset;
}

// Into [0, size - 1]; NaN becomes 0, as in torch.
template <class V, class T>
REIDOPS_HOST_DEVICE Padded<V> clip(const Padded<V>& from, T size) {
  const V zero{}, last = zero + (size - T(1));
  const V positive = from.position > zero ? from.position : zero;
  return {positive < last ? positive : last, (from.position > zero) & (from.position < last) ? from.slope : zero};
}

// Mirrored at the image's ends until it lies inside: at the outer pixels' centres where corners are aligned, else at
// their edges.
template <class V, class T>
REIDOPS_HOST_DEVICE Padded<V> reflect(V position, const Axis<T>& axis) {
  using N = Numbers<V>;
  const V zero{};
  const T low = -axis.offset, span = axis.align_corners ? axis.size - 1 : axis.size;
  if (span == T(0)) return {zero, zero};
  const V from_low = position - low, distance = from_low < zero ? -from_low : from_low;
  const V periods = distance / (2 * span), most = zero + T(1 << 30);
  const V whole = N::number(N::integer(periods < most ? periods : most));
  const V rest = distance - whole * (2 * span), mirrored = 2 * span - rest;
  const V sign = from_low < zero ? zero - T(1) : zero + T(1);
  return {(rest < mirrored ? rest : mirrored) + low, rest < mirrored ? sign : -sign};
}

template <class V, class T>
REIDOPS_HOST_DEVICE Padded<V> pad(V position, const Axis<T>& axis, Padding padding) {
  const V one = V{} + T(1);
  if (padding == Padding::kZeros) return {position, one};
  if (padding == Padding::kBorder) return clip(Padded<V>{position, one}, axis.size);
  return clip(reflect(position, axis), axis.size);
}

// Pixels `low` and `low + 1`, and how far the position is from the first.  -2 stands for a position with no pixel of
// the image near it, of which only a fraction that is not finite matters: torch's NaN and infinity become NaN there.
template <class V>
struct Cell {
  Integer<V> low;
  V fraction;
  V slope;  // d position / d normalised coordinate, padding included
};

template <class V, class T>
REIDOPS_HOST_DEVICE Cell<V> cell(V normalised, const Axis<T>& axis, Padding padding) {
  using N = Numbers<V>;
  const Padded<V> padded = pad(to_pixels(normalised, axis), axis, padding);
  const V zero{}, p = padded.position;
  const auto near = (p > zero - T(1)) & (p < zero + axis.size);
  const V reached = near ? p : zero - T(2);
  const Integer<V> none{}, truncated = N::integer(reached);
  const Integer<V> low = truncated - (N::number(truncated) > reached ? none + 1 : none);
  return {low, near ? p - N::number(low) : p - p, padded.slope * axis.scale};
}

// The pixel nearest to the position, of two as near the even one.
template <class V>
REIDOPS_HOST_DEVICE Integer<V> nearest(const Cell<V>& cell) {
  const V zero{}, half = zero + typename Numbers<V>::Element(0.5);
  const Integer<V> none{}, odd = cell.low & 1;
  const Integer<V> tie = cell.fraction == half ? odd : none;
  return cell.low + (cell.fraction > half ? none + 1 : tie);
}

// Bilinear sampling.  Pixel k = 2 dy + dx of the four lies at (low y + dy, low x + dx); along one axis the lower pixel
// counts 1 - f and the higher one f, where f is the fraction of the position.
template <class V>
REIDOPS_HOST_DEVICE V axis_weight(V fraction, bool high) {
  return high ? fraction : V{} + typename Numbers<V>::Element(1) - fraction;
}
template <class V>
REIDOPS_HOST_DEVICE V bilinear_weight(V fraction_x, V fraction_y, int k) {
  return axis_weight(fraction_x, k % 2 != 0) * axis_weight(fraction_y, k / 2 != 0);
}

// The sample of four values; a value may be a vector of channels.
template <class V, class T>
REIDOPS_HOST_DEVICE V interpolate(const V (&value)[4], const T (&weight)[4]) {
  V sum = weight[0] * value[0];
  for (int k = 1; k < 4; ++k) sum += weight[k] * value[k];
  return sum;
}

// The derivatives of the sample by its position, per pixel: along x that of each row, weighed as the rows are,
//
//     d / d X = (1 - f_y) (v_1 - v_0) + f_y (v_3 - v_2),     d / d Y = (1 - f_x) (v_2 - v_0) + f_x (v_3 - v_1).
template <class V, class T>
REIDOPS_HOST_DEVICE V slope_along_x(const V (&value)[4], T fraction_y) {
  return (value[1] - value[0]) * (1 - fraction_y) + (value[3] - value[2]) * fraction_y;
}
template <class V, class T>
REIDOPS_HOST_DEVICE V slope_along_y(const V (&value)[4], T fraction_x) {
  return (value[2] - value[0]) * (1 - fraction_x) + (value[3] - value[1]) * fraction_x;
}

template <class I>
REIDOPS_HOST_DEVICE auto inside(I index, I size) {
  return (index >= I{}) & (index < size);
}

}  // namespace reidops::affine_sample
