// sizes.h - sizes and strides that come from outside, whose plain products may wrap around to something harmless.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "portable.h"

namespace reidops {

// The most elements of anything that is made or laid out.  No machine has as many, and eight bytes for each of a few
// times as many still have an address that fits 63 bits.
constexpr int64_t kMostElements = int64_t(1) << 48;
// The most of one dimension of a map: tiles, rows and columns are counted in 32 bits on a GPU.
constexpr int64_t kMostOfADimension = (int64_t(1) << 31) - 1;

// a b of two numbers that are not negative; the largest number there is where the product is larger than that, so that
// a comparison with a limit is right all the same.
REIDOPS_HOST_DEVICE constexpr int64_t times(int64_t a, int64_t b) {
  constexpr int64_t kLargest = 0x7fffffffffffffff;
  return b > 0 && a > kLargest / b ? kLargest : a * b;
}

template <class Sizes = std::initializer_list<int64_t>>
constexpr int64_t product(const Sizes& sizes) {
  int64_t all = 1;
  for (const int64_t size : sizes) all = times(all, size);
  return all;
}

// Elements from a channel, a row and a column of a map to the next.
struct Strides {
  int64_t channel, row, column;
};

}  // namespace reidops
