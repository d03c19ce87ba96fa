// across_taps.h - taps side by side: a register holds a run of products of one output, to be summed in the end.
//
// For few columns of outputs under wide templates, as the gradient by a template is.  Sums of some rows and columns of
// outputs stay in registers while the rows of the map go by: a run of taps that is read serves all columns, a run of
// pixels all rows.
//
// Rows of taps are read up to a whole run, which their pitch is a multiple of, with zeros beyond kw; rows r - start - y -
// k of them are in [0, kh) (`meeting`).  The pixels that they meet are in a row's last run (plane.h).
#pragma once

#include "plane.h"

namespace reidops::REIDOPS_ISA {

template <class T>
class AcrossTaps {
  using V = Run<T>;
  static constexpr int kLanes = kRun<T>;
  static constexpr int kMostColumns = REIDOPS_VECTOR_BYTES == 64 ? 5 : 3;
  static constexpr int kRows = REIDOPS_VECTOR_BYTES == 64 ? 4 : 3;

 public:
  static void correlate(const Plane<T>& p) {
    in_parts<kMostColumns>(p.width, [&](int64_t x, auto columns) { strip<columns>(p, x); });
  }

 private:
  template <int kColumns>
  static void strip(const Plane<T>& p, int64_t x) {
    for (int64_t y = 0; y < p.rows; y += kRows) tile<kColumns>(p, x, y);
  }

  template <int kColumns>
  static void tile(const Plane<T>& p, int64_t x, int64_t y) {
    const int64_t rows = std::min<int64_t>(kRows, p.rows - y);
    V sums[kRows][kColumns] = {};
    const int64_t r0 = std::max(p.r0, y + p.start), r1 = std::min(p.r1, y + p.start + rows + p.kh - 1);
    for (int64_t r = r0; r < r1; ++r) {
      const T* const map = p.map + (r - p.r0) * p.map_pitch + x;
      const T* const taps = p.taps + (r - p.start - y) * p.tap_pitch;
      with_rows<kRows>(meeting(p, r, y, rows), [&](auto k0, auto count) __attribute__((always_inline)) {
        add<k0, count>(map, taps - k0 * p.tap_pitch, p.tap_pitch, p.kw, sums);
      });
    }
    for (int k = 0; k < kRows; ++k)
      for (int c = 0; c < kColumns && k < rows; ++c) {
        T& to = p.out[(y + k) * p.out_pitch + x + c];
        const T found = sum<T>(__builtin_bit_cast(Vector<T>, sums[k][c]));
        to = p.first ? found : to + found;
      }
  }

  // A row of the map.  Of the last run of taps those beyond kw are zero; so are made the pixels that they meet, which
  // need not be numbers.
  template <int k0, int kCount, int kColumns>
  REIDOPS_INLINE static void add(const T* map, const T* taps, int64_t tap_pitch, int64_t kw,
                                 V (&sums)[kRows][kColumns]) {
    int64_t j = 0;
    for (; j + kLanes <= kw; j += kLanes)
      add_run<k0, kCount>(map + j, taps + j, tap_pitch, sums, [](V pixels) { return pixels; });
    if (j == kw) return;
    using Index = typename Several<T, kLanes>::Index;
    Index lane;
    for (int i = 0; i < kLanes; ++i) lane[i] = i;
    const Index inside = lane < typename Lanes<T>::Bits(kw - j);
    const auto keep = [inside](V pixels) { return __builtin_bit_cast(V, __builtin_bit_cast(Index, pixels) & inside); };
    add_run<k0, kCount>(map + j, taps + j, tap_pitch, sums, keep);
  }
  template <int k0, int kCount, int kColumns, class Keep>
  REIDOPS_INLINE static void add_run(const T* map, const T* taps, int64_t tap_pitch, V (&sums)[kRows][kColumns],
                                     Keep keep) {
    V of_row[kCount];
    for (int k = 0; k < kCount; ++k) of_row[k] = take<kLanes>(taps - k * tap_pitch);
    for (int c = 0; c < kColumns; ++c) {
      const V pixels = keep(take<kLanes>(map + c));
      for (int k = 0; k < kCount; ++k) sums[k0 + k][c] += of_row[k] * pixels;
    }
  }
};

}  // namespace reidops::REIDOPS_ISA
