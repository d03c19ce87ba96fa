// problem.h - what the kernels are handed: pointers, sizes, strides; nothing of torch.
//
//     out[c, y, x] = sum over i, j of template[c, i, j] search[c, y + i - top, x + j - left]     (CSN, eq. 2)
//
// where search is zero outside, and template may be turned by 180 degrees.  Its gradients are of the same form: by the
// search map the correlation of the gradient with the turned template, by the template that of the search map with the
// gradient.  So is a sum over batch dimensions, which the gradient of what was broadcast needs.
#pragma once

#include <cstdint>

#include "../common/half.h"
#include "../common/sizes.h"

namespace reidops::depthwise_xcorr {

// Elements from the start of the search maps, the templates and the output.
struct Place {
  int64_t search = 0, templ = 0, out = 0;
};

// Some of the batch dimensions, and what a step along each of them moves.
struct Walk {
  static constexpr int kMostDims = 8;
  int64_t extent[kMostDims];
  Place step[kMostDims];
  int dims = 0;
  int64_t size = 1;

  void add(int64_t count, const Place& one) {
    extent[dims] = count;
    step[dims++] = one;
    size = times(size, count);
  }
  REIDOPS_HOST_DEVICE Place at(int64_t index, Place start) const {
    for (int d = dims - 1; d >= 0; --d) {
      const int64_t i = index % extent[d];
      index /= extent[d];
      start.search += i * step[d].search;
      start.templ += i * step[d].templ;
      start.out += i * step[d].out;
    }
    return start;
  }
};

template <class S>
struct Problem {
  using T = typename Computing<S>::Type;

  const S* search;
  const S* templ;
  S* out;
  Walk outputs, sums;
  int64_t C, H, W, kh, kw, h, w, top, left;
  Strides of_search, of_template, of_out;
  bool turned;  // the template, by 180 degrees
};

}  // namespace reidops::depthwise_xcorr

// For every instruction set, compiled from depthwise_xcorr_cpu_kernel.h: runs tasks [begin, end) of `tasks`.
#define REIDOPS_DECLARE_STORAGE(S)                                                     \
  int64_t tasks(const depthwise_xcorr::Problem<S>& problem);                           \
  void correlate(const depthwise_xcorr::Problem<S>& problem, int64_t begin, int64_t end);
#define REIDOPS_DECLARE_DEPTHWISE_XCORR(isa)                                           \
  namespace reidops::isa::depthwise_xcorr_kernels {                                    \
  REIDOPS_DECLARE_STORAGE(float)                                                       \
  REIDOPS_DECLARE_STORAGE(double)                                                      \
  REIDOPS_DECLARE_STORAGE(Half)                                                        \
  REIDOPS_DECLARE_STORAGE(BFloat16)                                                    \
  }
REIDOPS_DECLARE_DEPTHWISE_XCORR(baseline)
REIDOPS_DECLARE_DEPTHWISE_XCORR(avx2)
REIDOPS_DECLARE_DEPTHWISE_XCORR(avx512)
#undef REIDOPS_DECLARE_DEPTHWISE_XCORR
#undef REIDOPS_DECLARE_STORAGE
