// region.h - which pixels of the image the samples of a part of the output may touch.
#pragma once

#include <cmath>
#include <limits>

#include "problem.h"

namespace reidops::REIDOPS_ISA {

// A rectangle of the image.
struct Region {
  int64_t y = 0, x = 0, rows = 0, columns = 0;
  int64_t pixels() const { return rows * columns; }

  // The least rectangle that holds this one and `other`; one without pixels adds nothing.
  void merge(const Region& other) {
    if (other.pixels() == 0) return;
    if (pixels() == 0) {
      *this = other;
      return;
    }
    merge(y, rows, other.y, other.rows);
    merge(x, columns, other.x, other.columns);
  }

 private:
  static void merge(int64_t& first, int64_t& count, int64_t other, int64_t others) {
    const int64_t end = first + count > other + others ? first + count : other + others;
    first = first < other ? first : other;
    count = end - first;
  }
};

// Coordinates of the output from `middle - half` to `middle + half`.
template <class T>
struct Span {
  T middle, half;
  // From one base coordinate to another; the whole axis is Span{0, 1}.
  static Span between(T a, T b) { return {(a + b) / 2, std::fabs(b - a) / 2}; }
};

// The pixels [first, first + count) of one axis that the samples at x and y of these spans may touch: a row of theta
// maps a rectangle to an interval, whose ends lie at corners of the rectangle.
//
// Positions are found in another order of operations than this bound (Positions::find_run), so the bound has a slack.
// Let u be half of epsilon, the error of one rounding, and m = |theta_0| + |theta_1| + |theta_2|.  |x| and |y| are at
// most 1, so no partial sum of the normalised coordinate exceeds m (1 + 4 u).  Then, to first order in u, and whether or
// not products are fused with sums, a position found there is wrong by
//
//     theta_0 x + (theta_1 y + theta_2)     3 roundings on the way of each term     error <= 3 u m
//     + 1, times scale, - offset            3 more, of numbers up to (m + 1) scale  error <= 3 u (m + 1) scale + u
//
// and an end of the interval by
//
//     base coordinates, each rounded 3 times, between which x_j and y_i lie     6 u m
//     middle and half of each span, 1 rounding each                             2 u m
//     theta_0 x + theta_1 y + theta_2 of the middle; |theta| half; their sum    5 u m
//     + 1, times scale, - offset                                                3 u (m + 1) scale + u
//
// As scale <= size / 2, both together are below 11 u (m + 1) size + 2 u; reflection inside the image rounds twice more,
// by 2 u size; to take the slack off rounds once, by u (m + 1) size.  The sum is below 16 u (m + 1) size, and the slack
// is twice that, so that its own rounding and the terms in u^2 are covered as well.
//
// A position p in (low, high) touches floor(p) and floor(p) + 1.  Where the bound is not finite, or so far away that it
// does not fit an integer, all pixels are taken.  (With one pixel and aligned corners scale is 0: low and high are then
// finite while m, and with it the slack, may be anything.)
template <class T>
inline void reach(const T (&theta)[3], const Span<T>& x, const Span<T>& y, int64_t size,
                  const affine_sample::Axis<T>& axis, affine_sample::Padding padding, int64_t& first, int64_t& count) {
  const T m = std::fabs(theta[0]) + std::fabs(theta[1]) + std::fabs(theta[2]);
  const T slack = 16 * std::numeric_limits<T>::epsilon() * (m + 1) * T(size);
  const T middle = theta[0] * x.middle + theta[1] * y.middle + theta[2];
  const T half = std::fabs(theta[0]) * x.half + std::fabs(theta[1]) * y.half;
  const T low = affine_sample::to_pixels(middle - half, axis) - slack;
  const T high = affine_sample::to_pixels(middle + half, axis) + slack;
  const bool all = !(low > T(-1e9) && high < T(1e9)) ||
                   (padding == affine_sample::Padding::kReflection && !(low > T(0) && high < T(size - 1)));
  first = 0, count = size;
  if (all) return;
  int64_t begin = int64_t(std::floor(low)), end = int64_t(std::floor(high)) + 2;
  if (padding == affine_sample::Padding::kBorder) {  // what lies outside is taken from the edge
    begin = begin > size - 1 ? size - 1 : begin;
    end = end < 1 ? 1 : end;
  }
  first = begin < 0 ? 0 : begin;
  count = (end > size ? size : end) - first;
  if (count < 0) first = count = 0;
}

}  // namespace reidops::REIDOPS_ISA
