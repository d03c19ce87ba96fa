// taps.h - the pixels that a stretch of output pixels is made of, worked out before any channel is looked at.
#pragma once

#include "../common/pixels.h"
#include "gather.h"
#include "problem.h"
#include "region.h"

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

// Whether all of a run of comparisons came out true: -1 each.
template <class T>
REIDOPS_INLINE bool every(RunIndex<T> truths) {
#if REIDOPS_VECTOR_BYTES == 64
  if constexpr (sizeof(T) == 4) return _mm512_movepi32_mask(__builtin_bit_cast(__m512i, truths)) == 0xffff;
  else return _mm512_movepi64_mask(__builtin_bit_cast(__m512i, truths)) == 0xff;
#elif REIDOPS_VECTOR_BYTES == 32
  return _mm256_movemask_epi8(__builtin_bit_cast(__m256i, truths)) == -1;
#else
  bool all = true;
  for (int i = 0; i < kRun<T>; ++i) all &= truths[i] != 0;
  return all;
#endif
}

// Where the pixels of a region lie: pixel (y, x) of it at y * row + x * column, and what has no pixel there at
// `nothing`.  All of them fit 31 bits: a layout of our own has fewer than 2^30 pixels, and the image itself is only
// numbered so where `reached_directly` (problem.h) says that it may be.
struct Numbering {
  Region region;
  int64_t row = 0, column = 0, nothing = 0;
};

constexpr int kStretch = 64;            // output pixels at a time
constexpr int kRoom = kStretch + 16;    // their last run may reach beyond
// What a run of a box's columns has instead of a window: some outside the image; or all inside, but too far apart.
constexpr int32_t kOutside = -1, kFarApart = -2;

template <class T>
struct Taps {
  // Numbers of pixels, in the order (low y, low x), (low y, high x), (high y, low x), (high y, high x).  Sampling the
  // nearest pixel has the first alone, and so has a square: all four lie in the region, which is nearly always.  A
  // number is that of a pixel of the region or `nothing`, whatever theta is: see fill.
  alignas(64) int32_t pixel[4][kRoom];
  alignas(64) T weight[4][kRoom];
  alignas(64) T fraction_x[kRoom], fraction_y[kRoom];
  bool square[kRoom];
  // d position / d theta = slope times x_j, y_i and 1, for both rows of theta.
  alignas(64) T slope[2][kRoom], base_x[kRoom], base_y[kRoom];
};

// One row of a box: samples of it lie between rows `first` and `first` + 1 of the image, if both are there.
template <class T>
struct RowOfBox {
  int64_t first;
  T fraction;
  bool there;
};

// Positions of the samples of one problem.
template <class S>
class Positions {
  using T = typename affine_sample::Problem<S>::T;
  using V = Run<T>;
  using Int = typename Lanes<T>::Bits;
  using I = RunIndex<T>;
  using Cell = affine_sample::Cell<V>;

 public:
  explicit Positions(const affine_sample::Problem<S>& p) : p_(p), x_(p.W, p.align_corners), y_(p.H, p.align_corners) {
    base_ = base_memory_.reserve(p.w + kRun<T>);
    for (int64_t j = 0; j < p.w + kRun<T>; ++j)  // the last run goes on with the last column
      base_[j] = affine_sample::base_coordinate<T>(j < p.w ? j : p.w - 1, p.w, p.align_corners);
  }

  void set_theta(const S* theta) {
    theta_ = affine_sample::read_theta<T>(theta);
    found_begin_ = found_end_ = windows_begin_ = windows_end_ = 0;
  }
  // Whether X depends on the column alone and Y on the row alone, as for every box.
  bool separable() const { return theta_.xy == 0 && theta_.yx == 0; }
  // Pixels from one column's X to the next.
  double step() const { return std::fabs(double(theta_.xx)) * double(p_.W) / double(p_.w); }

  // What this theta's samples of the whole output may touch, or those of one tile.
  Region reach() const { return reach({0, 1}, {0, 1}); }
  Region reach(const affine_sample::Tile& tile) const {
    const T top = base_y(tile.row), bottom = base_y(tile.row + tile.rows - 1);
    return reach(Span<T>::between(base_[tile.column], base_[tile.column + tile.columns - 1]),
                 Span<T>::between(top, bottom));
  }

  // Of a separable theta: row i of the output; and columns from j on, each between low_x and low_x + 1 of the image.  A
  // run of them has a window (see `window_of`), or none.  `find_windows` comes first.
  RowOfBox<T> row_of_box(int64_t i) const {
    const Cell cy = affine_sample::cell(theta_.to_y(take<kRun<T>>(base_), base_y(i)), y_, p_.padding);
    return {cy.low[0], cy.fraction[0], cy.low[0] >= 0 && cy.low[0] < p_.H - 1};
  }
  const T* fraction_x(int64_t j) const { return fraction_x_ + j; }
  const Int* low_x(int64_t j) const { return low_x_ + j; }
  const int32_t* window(int64_t j) const { return window_ + j; }
  void find_windows(int64_t j, int64_t n) {
    if (j == windows_begin_ && j + n == windows_end_) return;
    if (j < found_begin_ || j + n > found_end_) find_columns(j, n);
    window_ = window_memory_.reserve(p_.w + kRun<T>);
    for (int64_t k = 0; k < n; k += kRun<T>) {
      const I low_x = take<kRun<T>>(low_x_ + j + k);
      const bool there = every<T>(affine_sample::inside(low_x, I{} + Int(p_.W - 1)));
      window_[j + k] = there ? window_of(low_x) : kOutside;
    }
    windows_begin_ = j, windows_end_ = j + n;
  }

  // Output pixels [begin, begin + count), count of up to kStretch; `derivatives`: what a gradient needs as well.
  void find(int64_t begin, int64_t count, const Numbering& numbering, bool derivatives, Taps<T>& taps) {
    int64_t i = begin / p_.w, j = begin % p_.w, done = 0;
    while (done < count) {  // what the stretch has of one row
      const int64_t n = p_.w - j < count - done ? p_.w - j : count - done;
      if (separable()) find_of_box(i, j, n, numbering, derivatives, taps, done);
      else find_of_map(i, j, n, numbering, derivatives, taps, done);
      done += n;
      j = 0;
      ++i;
    }
  }

 private:
  T base_y(int64_t i) const { return affine_sample::base_coordinate<T>(i, p_.h, p_.align_corners); }

  Region reach(const Span<T>& x, const Span<T>& y) const {
    Region region;
    REIDOPS_ISA::reach({theta_.xx, theta_.xy, theta_.x}, x, y, p_.W, x_, p_.padding, region.x, region.columns);
    REIDOPS_ISA::reach({theta_.yx, theta_.yy, theta_.y}, x, y, p_.H, y_, p_.padding, region.y, region.rows);
    return region.pixels() > 0 ? region : Region{};
  }

  void find_of_map(int64_t i, int64_t j, int64_t n, const Numbering& numbering, bool derivatives, Taps<T>& taps,
                   int64_t at) const {
    const T y = base_y(i);
    for (int64_t k = 0; k < n; k += kRun<T>) {
      const V x = take<kRun<T>>(base_ + j + k);
      const Cell cx = affine_sample::cell(theta_.to_x(x, y), x_, p_.padding);
      const Cell cy = affine_sample::cell(theta_.to_y(x, y), y_, p_.padding);
      fill(cx, cy, x, y, numbering, derivatives, taps, at + k);
    }
  }

  // The same cells, to the bit, as find_of_map's: a term of theta that is 0 adds 0.  Those of the columns are kept.
  void find_of_box(int64_t i, int64_t j, int64_t n, const Numbering& numbering, bool derivatives, Taps<T>& taps,
                   int64_t at) {
    if (j < found_begin_ || j + n > found_end_) find_columns(j, n);
    const T y = base_y(i);
    const Cell cy = affine_sample::cell(theta_.to_y(take<kRun<T>>(base_ + j), y), y_, p_.padding);
    for (int64_t k = 0; k < n; k += kRun<T>) {
      const Cell cx{take<kRun<T>>(low_x_ + j + k), take<kRun<T>>(fraction_x_ + j + k), take<kRun<T>>(slope_x_ + j + k)};
      fill(cx, cy, take<kRun<T>>(base_ + j + k), y, numbering, derivatives, taps, at + k);
    }
  }
  // Cells of columns [j, j + n) and of those that follow up to a whole run: base_ has room for them, and so have these.
  void find_columns(int64_t j, int64_t n) {
    low_x_ = low_memory_.reserve(p_.w + kRun<T>);
    fraction_x_ = fraction_memory_.reserve(p_.w + kRun<T>);
    slope_x_ = slope_memory_.reserve(p_.w + kRun<T>);
    for (int64_t k = 0; k < n; k += kRun<T>) {
      const Cell c = affine_sample::cell(theta_.to_x(take<kRun<T>>(base_ + j + k), T(0)), x_, p_.padding);
      put<kRun<T>>(low_x_ + j + k, c.low);
      put<kRun<T>>(fraction_x_ + j + k, c.fraction);
      put<kRun<T>>(slope_x_ + j + k, c.slope);
    }
    if (j == found_end_) found_end_ = j + n;  // what is found grows to the right, or begins anew
    else found_begin_ = j, found_end_ = j + n;
  }

  // The arrays have room for a whole run, of which what follows overwrites the rest.
  static REIDOPS_INLINE void keep(int32_t* to, I v) { put<kRun<T>>(to, __builtin_convertvector(v, RunInt<T>)); }
  static REIDOPS_INLINE void keep(T* to, V v) { put<kRun<T>>(to, v); }

  // A pixel counts as there when it lies in the region: only that may be touched.  So memory does not depend on the
  // bound of `reach`; were that too narrow, a sample would lose a pixel and touch nothing else.  Rows and columns
  // outside become 0 before they are multiplied, so the number stays below 2^31, as that of the last pixel is.
  REIDOPS_INLINE void fill(const Cell& cx, const Cell& cy, V x, T y, const Numbering& numbering, bool derivatives,
                           Taps<T>& taps, int64_t at) const {
    using namespace affine_sample;
    const Region& region = numbering.region;
    const I rows = I{} + Int(region.rows), columns = I{} + Int(region.columns);
    const I low_y = cy.low - Int(region.y), low_x = cx.low - Int(region.x);
    const auto number = [&](I row, I column) -> I {
      const I there = inside(row, rows) & inside(column, columns);
      const I pixel = (row & there) * Int(numbering.row) + (column & there) * Int(numbering.column);
      return there ? pixel : I{} + Int(numbering.nothing);
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
    const I there = inside(low_y, rows - 1) & inside(low_x, columns - 1);  // low and low + 1, of both axes
    const bool square = every<T>(there);
    std::memset(taps.square + at, square, kRun<T>);
    if (square) {
      keep(taps.pixel[0] + at, low_y * Int(numbering.row) + low_x * Int(numbering.column));
      return;
    }
    keep(taps.pixel[0] + at, number(low_y, low_x));
    keep(taps.pixel[1] + at, number(low_y, low_x + 1));
    keep(taps.pixel[2] + at, number(low_y + 1, low_x));
    keep(taps.pixel[3] + at, number(low_y + 1, low_x + 1));
  }

  // Columns [start, start + 2 runs) of the image hold low_x and low_x + 1 of every sample of a run, all of them inside:
  // start is in [0, W - 2 runs], and each low_x in [start, start + 2 runs - 2].
  int32_t window_of(I low_x) const {
    constexpr Int kLast = kRun<T> - 1, kWidth = 2 * kRun<T>;
    const Int least = low_x[0] < low_x[kLast] ? low_x[0] : low_x[kLast];
    const Int start = least < Int(p_.W) - kWidth ? least : Int(p_.W) - kWidth;
    if (!kPicksFromWindows || start < 0) return kFarApart;
    const I from = low_x - start;
    return every<T>((from >= 0) & (from <= kWidth - 2)) ? int32_t(start) : kFarApart;
  }

  const affine_sample::Problem<S>& p_;
  const affine_sample::Axis<T> x_, y_;
  Buffer<T> base_memory_, fraction_memory_, slope_memory_;
  Buffer<Int> low_memory_;
  T *base_, *fraction_x_ = nullptr, *slope_x_ = nullptr;
  Int* low_x_ = nullptr;
  Buffer<int32_t> window_memory_;
  int32_t* window_ = nullptr;
  int64_t found_begin_ = 0, found_end_ = 0;      // columns of the box whose cells are kept
  int64_t windows_begin_ = 0, windows_end_ = 0;  // and whose runs have windows
  affine_sample::Theta<T> theta_{};
};

}  // namespace reidops::REIDOPS_ISA
