// gather_bounds.cuh - which rows and columns of the output may touch a pixel of the image, for the gather of the input's
// gradient.
#pragma once

#include "../common/launch.h"
#include "affine_sample.h"

namespace reidops::affine_sample {

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

  __device__ __forceinline__ Line(T of_x, T of_y, T of_one, int pixel, int size, int h, int w, bool align_corners,
                                  Padding padding) {
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
  // conversions, so that only numbers within [first, last) become integers: `to` < T(last) makes int(to) < last
  // even where T(last) was rounded up, because no T lies between last and T(last).  NaN narrows nothing.
  __device__ __forceinline__ void columns(int i, int& first, int& last) const {
    const T here = by_row * T(i) + start;
    if (fabs(by_column) < T(1e-6)) {
      const T reach = fabs(by_column) * T(last);
      if (!(here + reach > low && here - reach < high)) last = first;
      return;
    }
    const T a = (low - here) / by_column, b = (high - here) / by_column;
    const T margin = 1 + 2 * kEpsilon<T> * T(last);
    const T from = min(a, b) - margin, to = max(a, b) + margin;
    if (from > T(first)) first = from < T(last) ? int(from) : last;
    if (to < T(last)) last = to > T(first) ? int(to) + 1 : first;
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
__device__ __forceinline__ void rows_of(const Line<T>& x, const Line<T>& y, int& first, int& last) {
  const T determinant = x.by_column * y.by_row - x.by_row * y.by_column;
  const T columns = fabs(x.by_column) + fabs(y.by_column), rows = fabs(x.by_row) + fabs(y.by_row);
  const T size = fabs(determinant);
  if (!x.bounded() || !y.bounded() || !(size > T(1e-3) * columns * rows && size > T(1e-30))) return;
  const T px = (x.low + x.high) / 2 - x.start, py = (y.low + y.high) / 2 - y.start;
  const T middle = (x.by_column * py - y.by_column * px) / determinant;
  const T reach = (fabs(x.by_column) * (y.high - y.low) + fabs(y.by_column) * (x.high - x.low)) / 2 / size;
  const T margin = 1 + 4 * kEpsilon<T> * T(last);
  const T from = middle - reach - margin, to = middle + reach + margin + 1;
  if (from > T(first)) first = from < T(last) ? int(from) : last;
  if (to < T(last)) last = to > T(first) ? int(to) : first;
}

}  // namespace reidops::affine_sample
