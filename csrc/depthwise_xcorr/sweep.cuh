// sweep.cuh - how the threads of a block share a box of channels, rows and columns among them.
#pragma once

#include <algorithm>
#include <cstdint>

#include "../common/launch.h"
#include "../common/portable.h"

namespace reidops::depthwise_xcorr {

REIDOPS_HOST_DEVICE constexpr int64_t ceil_of(int64_t a, int64_t b) { return (a + b - 1) / b; }
REIDOPS_HOST_DEVICE constexpr int round_up(int64_t a, int64_t b) { return static_cast<int>(ceil_of(a, b) * b); }

// A number of at most 2^10 by which a number of threads, below 2^10, is divided.  The reciprocal is 2^20 / value
// rounded up: too large by less than 1, so that the quotient is too large by less than 2^10 / 2^20 <= 1 / value, and its
// whole part is right.
struct Divisor {
  int value;
  unsigned reciprocal;

  static Divisor of(int number) { return {number, static_cast<unsigned>(ceil_of(1 << 20, number))}; }
  REIDOPS_HOST_DEVICE int divide(int dividend) const {
    return static_cast<int>(static_cast<unsigned>(dividend) * reciprocal >> 20);
  }
};

// Threads begin side by side at channels x rows x columns places of a box, and go on by as many.  A column may stand
// for several that are copied at once.
struct Sweep {
  int channels, rows, columns;
  Divisor innermost, middle;
  bool channels_innermost;  // neighbouring threads have neighbouring channels; else columns

  struct Start {
    int channel, row, column;
  };

  // Of rows and channels, the split that needs fewest steps: four rows are one, and to begin with a channel is another.
  static Sweep of(int threads, int channels, int rows, int columns, bool channels_innermost) {
    Sweep s{};
    s.channels_innermost = channels_innermost;
    if (channels_innermost) {
      s.channels = std::min(channels, threads);
      s.columns = std::min(columns, threads / s.channels);
      s.rows = std::min(rows, threads / s.channels / s.columns);
      s.innermost = Divisor::of(s.channels), s.middle = Divisor::of(s.columns);
      return s;
    }
    s.columns = std::min(columns, threads);
    int64_t fewest = INT64_MAX;
    for (int r = std::min(rows, threads / s.columns); r >= 1; --r) {
      const int c = std::min(channels, threads / s.columns / r);
      const int64_t steps = (ceil_of(ceil_of(rows, r), 4) + 1) * ceil_of(channels, c);
      if (steps < fewest) fewest = steps, s.rows = r, s.channels = c;
    }
    s.innermost = Divisor::of(s.columns), s.middle = Divisor::of(s.rows);
    return s;
  }

  // A thread too many begins beyond every box.
  REIDOPS_HOST_DEVICE Start start(int thread) const {
    constexpr int kBeyond = 1 << 30;
    const int row_or_later = innermost.divide(thread), last = middle.divide(row_or_later);
    const int first = thread - row_or_later * innermost.value, second = row_or_later - last * middle.value;
    if (channels_innermost) return {first, last < rows ? last : kBeyond, second};
    return {last < channels ? last : kBeyond, second, first};
  }
};

}  // namespace reidops::depthwise_xcorr
