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
#include "../common/walk.h"

namespace reidops::depthwise_xcorr {

// Elements from the start of the search maps, the templates and the output.
struct Place {
  int64_t search = 0, templ = 0, out = 0;

  REIDOPS_HOST_DEVICE void move(const Place& step, int64_t count) {
    search += count * step.search;
    templ += count * step.templ;
    out += count * step.out;
  }
};

template <class S>
struct Problem {
  using T = typename Computing<S>::Type;

  const S* search;
  const S* templ;
  S* out;
  Walk<Place> outputs, sums;
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
