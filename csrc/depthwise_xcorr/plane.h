// plane.h - one channel laid out for the kernels that go along its rows, and those kernels' operands.
#pragma once

#include <algorithm>

#include "../common/pixels.h"
#include "problem.h"

namespace reidops::REIDOPS_ISA {

constexpr int64_t whole_runs(int64_t count, int64_t run) { return (count + run - 1) / run * run; }

// Some rows of outputs of one channel, y in [0, rows) and x in [0, width),
//
//     out[y, x] += sum over r, j of taps[r - y - start, j] map[r, x + j],   0 <= r - y - start < kh, 0 <= j < kw,
//
// where r in [r0, r1) are the rows of the map that lie in it and that some of the outputs look at.
template <class T>
struct Plane {
  const T *map, *taps;  // the first element of row r0, and of row 0
  int64_t map_pitch, tap_pitch;
  T* out;
  int64_t out_pitch;
  int64_t rows, width, kh, kw, start, r0, r1;
  bool first;   // out holds nothing yet
  bool padded;  // rows of out may be written up to a whole run; else width is at least a run
};

// Rows of a map in the computing type, with the columns that some output looks at, zeros where they lie outside.
//
// A row has w + kw - 1 columns and at least a run more, which the kernels may read: a run of L outputs begins at
// x <= w - 1 and is read at columns x + j, j <= kw - 1, up to w + kw - 2 + L - 1; a run of taps begins at j <= kw - 1
// and meets columns from x <= w - 1 on, the same bound.  pitch() >= w + kw - 1 + L.
template <class S>
class PaddedRows {
  using T = typename depthwise_xcorr::Problem<S>::T;
  static constexpr int kLanes = kRun<T>;

 public:
  // Room for `rows` rows.
  PaddedRows(const depthwise_xcorr::Problem<S>& p, int64_t rows) : p_(p), width_(p.w + p.kw - 1) {
    pitch_ = whole_runs(width_ + kLanes, kLanes);
    if (pitch_ * int64_t(sizeof(T)) % 1024 == 0) pitch_ += kLanes;  // or rows would share a few sets of the cache
    rows_ = memory_.reserve(rows * pitch_);
    // before + count <= width: with first >= 0 and first >= -left, before is in [0, width], and count is 0 or
    // last - first <= width - left - first, which is width - before.  Where count is 0, `first` may lie beyond the map.
    const int64_t first = std::max<int64_t>(0, -p.left), last = std::min(p.W, width_ - p.left);
    before_ = std::min(first + p.left, width_);
    count_ = std::max<int64_t>(0, last - first);
    column_ = count_ > 0 ? first * p.of_search.column : 0;
  }
  // Rows [r0, r1) of the map; the columns outside are zero from the first and stay so.
  void lay_out(const S* from, int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r)
      copy(from + r * p_.of_search.row + column_, p_.of_search.column, count_, rows_ + (r - r0) * pitch_ + before_);
  }
  const T* rows() const { return rows_; }
  int64_t pitch() const { return pitch_; }

  static void copy(const S* from, int64_t stride, int64_t count, T* to) {
    if constexpr (sizeof(S) == sizeof(T)) {
      if (stride == 1) {
        std::memcpy(to, from, size_t(count) * sizeof(T));
        return;
      }
    }
    switch (stride) {  // a stride that is known makes vectors
      case 1: return copy_apart<1>(from, 1, count, to);
      case 2: return copy_apart<2>(from, 2, count, to);
      case 3: return copy_apart<3>(from, 3, count, to);
      case 4: return copy_apart<4>(from, 4, count, to);
      default: return copy_apart<0>(from, stride, count, to);
    }
  }

 private:
  template <int kStride>
  static void copy_apart(const S* from, int64_t stride, int64_t count, T* to) {
    for (int64_t i = 0; i < count; ++i) to[i] = widen(from[i * (kStride > 0 ? kStride : stride)]);
  }

  const depthwise_xcorr::Problem<S>& p_;
  const int64_t width_;
  int64_t pitch_, before_, count_, column_;
  Buffer<T> memory_;
  T* rows_;
};

// Outputs of a row to where they belong.
template <class T, class S>
void write_row(const T* from, int64_t count, S* to, int64_t stride) {
  if (stride == 1)
    for (int64_t x = 0; x < count; ++x) narrow(from[x], to[x]);
  else
    for (int64_t x = 0; x < count; ++x) narrow(from[x], to[x * stride]);
}

// Which of kRows rows of outputs, from row y on, row r of the map adds to: [k0, k1), those with a tap row
// i = r - start - y - k in [0, kh).
struct Meeting {
  int64_t k0, k1;
};
template <class T>
REIDOPS_INLINE Meeting meeting(const Plane<T>& p, int64_t r, int64_t y, int64_t rows) {
  const int64_t i = r - p.start - y;
  return {std::max<int64_t>(0, i - p.kh + 1), std::min(rows, i + 1)};
}

// Calls `body` with k0 and the count k1 - k0 as constants, for 0 <= k0 < k1 <= kRows: sums then stay in registers.
template <int kRows, class Body>
REIDOPS_INLINE void with_rows(Meeting m, Body&& body) {
  with_constant<kRows>(m.k0, [&](auto k0) __attribute__((always_inline)) {
    with_constant<kRows - k0>(m.k1 - m.k0 - 1, [&](auto last) __attribute__((always_inline)) {
      body(k0, std::integral_constant<int, last + 1>());
    });
  });
}

}  // namespace reidops::REIDOPS_ISA
