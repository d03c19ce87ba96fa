// circle.h - where outputs, maps and taps lie on the circles of a Fourier transform, for rows or columns.
#pragma once

#include <algorithm>

#include "fourier.h"

namespace reidops::REIDOPS_ISA {

// With both sides padded by zeros to N, the circular correlation is
//
//     c[q mod N] = sum over i in [0, k) of taps[i] map[(q + i) mod N],
//
// and output y of a range is c at q = y - shift, where elements [first, first + count) of the map are laid out.  No
// other pixels meet a tap there if 0 <= q + i < N wherever q + i lies in the map, and if q + i + N, for q + i < 0, and
// q + i - N, for q + i >= N, lie beyond it.
struct Arc {
  int64_t first = 0, count = 0, shift = 0;
  int64_t begin = 0, end = 0;  // the outputs that meet the map, counted from the range's first; others are zero
  int64_t needs = 0;           // the least N; 0 where no output meets the map

  // For outputs [from, from + size), whose first looks at element from - before of the map.  All are below 2^31.
  Arc(int64_t map, int64_t k, int64_t before, int64_t from, int64_t size) {
    const int64_t margin = before - from;  // as though `from` were 0
    first = std::clamp<int64_t>(-margin, 0, map);
    count = std::clamp<int64_t>(size - margin + k - 1, first, map) - first;
    shift = margin + first;
    begin = std::clamp<int64_t>(shift - k + 1, 0, size);
    end = std::clamp<int64_t>(shift + count, begin, size);
    if (begin == end) return;
    // The least q is begin - shift, q + N >= count; the greatest is end - 1 - shift, q + k - 1 < N.  No more than
    // size + k - 1 are needed: with shift >= 0 the greatest is below size, no pixel beyond the greatest + k - 1 is laid
    // out, and the least is no more than size - 1 below the greatest.
    needs = std::max({count, k, count - (begin - shift), end - 1 - shift + k});
  }
  int64_t place(int64_t y, int64_t N) const { return y < shift ? y - shift + N : y - shift; }
};

// Outputs cut into `parts` ranges, of at most `length`, and the size of circle that serves all; 0 where there is none.
struct Cut {
  int64_t parts = 1, length = 0, size = 0;

  static constexpr int64_t kFewest = 16, kMostOfACircle = 2048;

  // The cut for which parts * size, which is what the time is about in proportion to, is least.
  Cut(int64_t map, int64_t k, int64_t before, int64_t out) {
    const int64_t whole = Arc(map, k, before, 0, out).needs;
    if (whole == 0) return;
    for (int64_t n = 1; n == 1 || out / n >= std::max(kFewest, k / 2); n *= 2) {
      const int64_t most = (out + n - 1) / n, needs = n == 1 ? whole : most + k - 1;
      if (needs > kMostOfACircle) continue;
      const int64_t found = fast_size(needs);
      if (size == 0 || found * n < size * parts) parts = (out + most - 1) / most, length = most, size = found;
    }
  }
};

}  // namespace reidops::REIDOPS_ISA
