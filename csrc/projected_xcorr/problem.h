// problem.h - depthwise cross-correlation, 2x2 max-pooling or none, and a 1x1 convolution, as one:
//
//     out[o, y, x] = sum over t, c of weight[o, t, c] pool(correlation of search[c] with template[t, c])[y, x]
//
// so that what CSN makes of a pair, T C maps, is never held.
#pragma once

#include "../depthwise_xcorr/problem.h"

namespace reidops::projected_xcorr {

template <class S>
struct Problem {
  depthwise_xcorr::Problem<S> maps;  // of one template; `out` and its strides say where out begins, `sums` are none
  const S* weight;                   // contiguous: (O, T, C) for the CPU kernel, (C, T, O) for the CUDA kernel
  int64_t O, templates, template_step;
  int64_t ph, pw;                    // of the pooled maps, and of out, whose maps are contiguous
  bool pooled;
};

}  // namespace reidops::projected_xcorr

// For every instruction set, compiled from projected_xcorr_cpu_kernel.h: makes outputs [begin, end).
#define REIDOPS_DECLARE_STORAGE(S) \
  void project(const projected_xcorr::Problem<S>& problem, int64_t begin, int64_t end);
#define REIDOPS_DECLARE_PROJECTED_XCORR(isa)        \
  namespace reidops::isa::projected_xcorr_kernels { \
  REIDOPS_DECLARE_STORAGE(float)                    \
  REIDOPS_DECLARE_STORAGE(double)                   \
  REIDOPS_DECLARE_STORAGE(Half)                     \
  REIDOPS_DECLARE_STORAGE(BFloat16)                 \
  }
REIDOPS_DECLARE_PROJECTED_XCORR(baseline)
REIDOPS_DECLARE_PROJECTED_XCORR(avx2)
REIDOPS_DECLARE_PROJECTED_XCORR(avx512)
#undef REIDOPS_DECLARE_PROJECTED_XCORR
#undef REIDOPS_DECLARE_STORAGE
