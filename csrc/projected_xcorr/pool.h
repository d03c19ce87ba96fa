// pool.h - what 2x2 max-pooling is made of, for numbers (CUDA) and for registers of them (CPU).
#pragma once

#include "../common/portable.h"

namespace reidops::projected_xcorr {

// The larger of two; NaN where either is.
template <class V>
REIDOPS_HOST_DEVICE V larger_or_nan(V a, V b) {
  return (a > b) | (a != a) ? a : b;
}

}  // namespace reidops::projected_xcorr
