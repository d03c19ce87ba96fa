// walk.h - a walk over batch dimensions that broadcast: CPU and CUDA, every operator.
#pragma once

#include <cstdint>

#include "sizes.h"

namespace reidops {

constexpr int kMostBatchDims = 8;  // as MOST_BATCH_DIMS in reidops/_common/registration.py

// Some of the batch dimensions, and how far a step along each of them moves.  A Place holds an offset for each tensor;
// `place.move(step, count)` adds `count` steps to it.
template <class Place>
struct Walk {
  int64_t extent[kMostBatchDims];
  Place step[kMostBatchDims];
  int dims = 0;
  int64_t size = 1;

  void add(int64_t count, const Place& one) {
    extent[dims] = count;
    step[dims++] = one;
    size = times(size, count);
  }

  // How many items in a row differ in the last dimension alone; at least 1.
  int64_t innermost() const { return dims == 0 || extent[dims - 1] < 1 ? 1 : extent[dims - 1]; }

  // Where item `index` is, counted from `start` with the last dimension fastest.  A GPU divides 32 bits several times
  // as fast as 64, and hardly any batch has 2^32 items.
  REIDOPS_HOST_DEVICE Place at(int64_t index, const Place& start) const {
    return size <= int64_t(UINT32_MAX) ? descend(static_cast<uint32_t>(index), start) : descend(index, start);
  }

  // The same with divisions of Index, an unsigned type that holds the index and every extent that it meets.
  template <class Index>
  REIDOPS_HOST_DEVICE Place descend(Index rest, Place place) const {
    for (int d = dims - 1; d >= 0; --d) {
      const Index count = static_cast<Index>(extent[d]);
      place.move(step[d], rest % count);
      rest /= count;
    }
    return place;
  }
};

}  // namespace reidops
