// taps.h - the pixels that a stretch of output pixels is made of, worked out before any channel is looked at.
#pragma once

#include <cmath>
#include <limits>

#include "../common/pixels.h"
#include "problem.h"

namespace reidops::affine_sample {

// affine_sample.h on a run of numbers at once.
template <class T>
struct RunNumbers {
  using Element = T;
  using Integer = typename REIDOPS_ISA::Several<T, REIDOPS_ISA::kRun<T>>::Index;
  using V = REIDOPS_ISA::Run<T>;
  static REIDOPS_HOST_DEVICE Integer integer(V v) { return __builtin_convertvector(v, Integer); }
  static REIDOPS_HOST_DEVICE V number(Integer i) { return __builtin_convertvector(i, V); }
};
template <>
struct Numbers<REIDOPS_ISA::Run<float>> : RunNumbers<float> {};
template <>
struct Numbers<REIDOPS_ISA::Run<double>> : RunNumbers<double> {};

}  // namespace reidops::affine_sample

namespace reidops::REIDOPS_ISA {

template <class T>
using RunIndex = typename Several<T, kRun<T>>::Index;
template <class T>
using RunInt = typename Several<int32_t, kRun<T>>::Vector;

// A rectangle of the image: what is laid out as pixels.
struct Region {
  int64_t y = 0, x = 0, rows = 0, columns = 0;
  int64_t pixels() const { return rows * columns; }
};

constexpr int kStretch = 64;            // output pixels at a time
constexpr int kRoom = kStretch + 16;    // their last run may reach beyond

template <class T>
struct Taps {
  // Pixels of the region, numbered along its rows; `pixels()` of it stands for one of zeros.  In the order (low y, low
  // x), (low y, high x), (high y, low x), (high y, high x).  Sampling the nearest pixel has the first alone, and so has
  // a square: all four lie in the region, which is nearly always.  No number is ever below 0 or above `pixels()`,
  // whatever theta is: see find_run.
  alignas(64) int32_t pixel[4][kRoom];
  alignas(64) T weight[4][kRoom];
  alignas(64) T fraction_x[kRoom], fraction_y[kRoom];
  bool square[kRoom];
  // d position / d theta = slope times x_j, y_i and 1, for both rows of theta.
  alignas(64) T slope[2][kRoom], base_x[kRoom], base_y[kRoom];
};

// Positions of the samples of one problem.
template <class S>
class Positions {
  using T = typename affine_sample::Problem<S>::T;
  using V = Run<T>;

 public:
  explicit Positions(const affine_sample::Problem<S>& p) : p_(p), x_(p.W, p.align_corners), y_(p.H, p.align_corners) {
    base_ = buffer_.reserve(p.w + kRun<T>);
    for (int64_t j = 0; j < p.w; ++j) base_[j] = affine_sample::base_coordinate<T>(j, p.w, p.align_corners);
  }

  void set_theta(const S* theta) { theta_ = affine_sample::read_theta<T>(theta); }

  // Extends the region by what this theta's samples may touch.  The image of the output's rectangle is a parallelogram,
  // so its corners say how far it reaches; `reach` adds what rounding may move.
  void extend(Region& region) const {
    int64_t y, rows, x, columns;
    reach({theta_.xx, theta_.xy, theta_.x}, p_.W, x_, x, columns);
    reach({theta_.yx, theta_.yy, theta_.y}, p_.H, y_, y, rows);
    if (rows == 0 || columns == 0) return;
    if (region.pixels() == 0) {
      region = {y, x, rows, columns};
      return;
    }
    merge(region.y, region.rows, y, rows);
    merge(region.x, region.columns, x, columns);
  }

  // Output pixels [begin, begin + count), count of up to kStretch; `derivatives`: what a gradient needs as well.
  void find(int64_t begin, int64_t count, const Region& region, bool derivatives, Taps<T>& taps) const {
    int64_t i = begin / p_.w, j = begin % p_.w, done = 0;
    while (done < count) {  // what the stretch has of one row
      const int64_t n = p_.w - j < count - done ? p_.w - j : count - done;
      const T y = affine_sample::base_coordinate<T>(i, p_.h, p_.align_corners);
      for (int64_t k = 0; k < n; k += kRun<T>) find_run(base_ + j + k, y, region, derivatives, taps, done + k);
      done += n;
      j = 0;
      ++i;
    }
  }

 private:
  // The pixels [first, first + count) of one axis that samples may touch.
  //
  // find_run and this function round differently, so the bound has a slack.  Let u be half of epsilon, the error of one
  // rounding, and m = |theta_0| + |theta_1| + |theta_2|.  |x| and |y| are at most 1, so no partial sum of the
  // normalised coordinate exceeds m (1 + 4 u).  Then, to first order in u, and whether or not products are fused with
  // sums:
  //
  //     theta_0 x + (theta_1 y + theta_2)     3 roundings on the way of each term     error <= 3 u m
  //     + 1, times scale, - offset            3 more, of numbers up to (m + 1) scale  error <= 3 u (m + 1) scale + u
  //
  // As scale <= size / 2, a position is wrong by at most 3 u (m + 1) size + u.  `low` and `high` have one rounding less
  // in the sum, so they are wrong by at most that; reflection inside the image rounds twice more, by 2 u size; and to
  // take the slack off rounds once, by u (m + 1) size.  The sum is below 10 u (m + 1) size, and the slack is 16 u
  // (m + 1) size, so that its own rounding and the terms in u^2 are covered as well.
  //
  // A position p in (low, high) touches floor(p) and floor(p) + 1.  Where the bound is not finite, or so far away that
  // it does not fit an integer, all pixels are laid out.  (With one pixel and aligned corners scale is 0: low and high
  // are then finite while m, and with it the slack, may be anything.)
  void reach(const T (&theta)[3], int64_t size, const affine_sample::Axis<T>& axis, int64_t& first,
             int64_t& count) const {
    const T spread = std::fabs(theta[0]) + std::fabs(theta[1]);
    const T slack = 8 * std::numeric_limits<T>::epsilon() * (spread + std::fabs(theta[2]) + 1) * T(size);
    const T low = affine_sample::to_pixels(theta[2] - spread, axis) - slack;
    const T high = affine_sample::to_pixels(theta[2] + spread, axis) + slack;
    const bool all = !(low > T(-1e9) && high < T(1e9)) ||
                     (p_.padding == affine_sample::Padding::kReflection && !(low > T(0) && high < T(size - 1)));
    first = 0, count = size;
    if (all) return;
    int64_t begin = int64_t(std::floor(low)), end = int64_t(std::floor(high)) + 2;
    if (p_.padding == affine_sample::Padding::kBorder) {  // what lies outside is taken from the edge
      begin = begin > size - 1 ? size - 1 : begin;
      end = end < 1 ? 1 : end;
    }
    first = begin < 0 ? 0 : begin;
    count = (end > size ? size : end) - first;
    if (count < 0) first = count = 0;
  }
  static void merge(int64_t& first, int64_t& count, int64_t other, int64_t others) {
    const int64_t end = first + count > other + others ? first + count : other + others;
    first = first < other ? first : other;
    count = end - first;
  }

  // The arrays have room for a whole run, of which what follows overwrites the rest.
  static REIDOPS_INLINE void keep(int32_t* to, RunIndex<T> v) {
    put<kRun<T>>(to, __builtin_convertvector(v, RunInt<T>));
  }
  static REIDOPS_INLINE void keep(T* to, V v) { put<kRun<T>>(to, v); }

  REIDOPS_INLINE void find_run(const T* base, T y, const Region& region, bool derivatives, Taps<T>& taps,
                               int64_t at) const {
    using namespace affine_sample;
    using I = RunIndex<T>;
    const V x = take<kRun<T>>(base);
    const Cell<V> cx = cell(theta_.to_x(x, y), x_, p_.padding);
    const Cell<V> cy = cell(theta_.to_y(x, y), y_, p_.padding);
    using Int = typename Lanes<T>::Bits;
    // A pixel counts as there when it lies in the region: only that was laid out.  So memory does not depend on the
    // bound of `reach`; were that too narrow, a sample would lose a pixel and touch nothing else.  Those
    // outside become 0 before they are multiplied, so the product stays below 2^30, as the number of pixels is.
    const I nothing = I{} + Int(region.pixels()), rows = I{} + Int(region.rows), columns = I{} + Int(region.columns);
    const I low_y = cy.low - Int(region.y), low_x = cx.low - Int(region.x);
    const auto number = [&](I row, I column) -> I {
      const I there = inside(row, rows) & inside(column, columns);
      const I pixel = (row & there) * columns + (column & there);
      return there ? pixel : nothing;
    };
    if (p_.mode == Mode::kNearest) {
      keep(taps.pixel[0] + at, number(nearest(cy) - Int(region.y), nearest(cx) - Int(region.x)));
      return;
    }
    for (int k = 0; k < 4; ++k) keep(taps.weight[k] + at, bilinear_weight(cx.fraction, cy.fraction, k));
    if (derivatives) {
      keep(taps.fraction_x + at, cx.fraction);
      keep(taps.fraction_y + at, cy.fraction);
      keep(taps.slope[0] + at, cx.slope);
      keep(taps.slope[1] + at, cy.slope);
      keep(taps.base_x + at, x);
      keep(taps.base_y + at, V{} + y);
    }
    keep(taps.pixel[0] + at, number(low_y, low_x));
    const bool square = all(inside(low_y, rows - 1) & inside(low_x, columns - 1));  // low and low + 1, of both axes
    for (int k = 0; k < kRun<T>; ++k) taps.square[at + k] = square;
    if (square) return;
    keep(taps.pixel[1] + at, number(low_y, low_x + 1));
    keep(taps.pixel[2] + at, number(low_y + 1, low_x));
    keep(taps.pixel[3] + at, number(low_y + 1, low_x + 1));
  }
  static REIDOPS_INLINE bool all(RunIndex<T> truths) {  // -1 where true
    const auto both = [](auto a, auto b) { return a & b; };
    if constexpr (kRun<T> == 2) return both(truths[0], truths[1]) != 0;
    else return reduce<typename Lanes<T>::Bits>(truths, both, std::make_integer_sequence<int, kRun<T> / 2>()) != 0;
  }

  const affine_sample::Problem<S>& p_;
  const affine_sample::Axis<T> x_, y_;
  Buffer<T> buffer_;
  T* base_;
  affine_sample::Theta<T> theta_{};
};

}  // namespace reidops::REIDOPS_ISA
