// along_rows.h - outputs side by side: a register holds a run of outputs of one row.
//
// Every tap is spread over a register and multiplied by the run of pixels under it.  Some rows of some runs of outputs
// stay in registers while the rows of the map go by, so that a run of pixels that is read serves all rows and a tap all
// runs.
#pragma once

#include "plane.h"

namespace reidops::REIDOPS_ISA {

template <class T>
class AlongRows {
  using V = Run<T>;
  static constexpr int kLanes = kRun<T>;
  static constexpr int kMostRuns = REIDOPS_VECTOR_BYTES == 64 ? 4 : 3;
  static constexpr int rows_of(int runs) {
    constexpr int kWide[] = {8, 8, 5, 4}, kNarrow[] = {6, 4, 3};
    return REIDOPS_VECTOR_BYTES == 64 ? kWide[runs - 1] : kNarrow[runs - 1];
  }

 public:
  static void correlate(const Plane<T>& p) {
    in_parts<kMostRuns>((p.width + kLanes - 1) / kLanes, [&](int64_t run, auto runs) { strip<runs>(p, run * kLanes); });
  }

 private:
  template <int kRuns>
  static void strip(const Plane<T>& p, int64_t x) {
    for (int64_t y = 0; y < p.rows; y += rows_of(kRuns)) tile<kRuns, rows_of(kRuns)>(p, x, y);
  }

  // The last run of a row ends where the row ends and makes some outputs again, unless there is room for all of it.
  // It begins at x + last <= width - 1 in both cases, and at 0 or later, since a width without room is a run or more.
  template <int kRuns, int kRows>
  static void tile(const Plane<T>& p, int64_t x, int64_t y) {
    const int64_t rows = std::min<int64_t>(kRows, p.rows - y), whole = (kRuns - 1) * kLanes;
    const int64_t last = p.padded ? whole : std::min(whole, p.width - kLanes - x);
    const auto at = [last](int c) { return c + 1 < kRuns ? int64_t(c) * kLanes : last; };
    V sums[kRows][kRuns];
    T* const out = p.out + y * p.out_pitch + x;
    for (int k = 0; k < kRows; ++k)
      for (int c = 0; c < kRuns; ++c)
        sums[k][c] = p.first || k >= rows ? V{} : take<kLanes>(out + k * p.out_pitch + at(c));
    const int64_t r0 = std::max(p.r0, y + p.start), r1 = std::min(p.r1, y + p.start + rows + p.kh - 1);
    for (int64_t r = r0; r < r1; ++r) {
      const T* const map = p.map + (r - p.r0) * p.map_pitch + x;
      const T* const taps = p.taps + (r - p.start - y) * p.tap_pitch;  // of row 0 of the outputs; k rows up, of row k
      with_rows<kRows>(meeting(p, r, y, rows), [&](auto k0, auto count) __attribute__((always_inline)) {
        add<k0, count>(map, last, taps - k0 * p.tap_pitch, p.tap_pitch, p.kw, sums);
      });
    }
    for (int k = 0; k < kRows; ++k)
      for (int c = 0; c < kRuns && k < rows; ++c) put<kLanes>(out + k * p.out_pitch + at(c), sums[k][c]);
  }

  // A row of the map, to kCount rows of sums from k0 on.
  template <int k0, int kCount, int kRows, int kRuns>
  REIDOPS_INLINE static void add(const T* map, int64_t last, const T* taps, int64_t tap_pitch, int64_t kw,
                                 V (&sums)[kRows][kRuns]) {
    for (int64_t j = 0; j < kw; ++j, ++map, ++taps) {
      V pixels[kRuns];
      for (int c = 0; c < kRuns; ++c) pixels[c] = take<kLanes>(map + (c + 1 < kRuns ? int64_t(c) * kLanes : last));
      for (int k = 0; k < kCount; ++k) {
        const T tap = taps[-k * tap_pitch];
        for (int c = 0; c < kRuns; ++c) sums[k0 + k][c] += tap * pixels[c];
      }
    }
  }
};

}  // namespace reidops::REIDOPS_ISA
