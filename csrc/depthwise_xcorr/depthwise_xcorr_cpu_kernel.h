// depthwise_xcorr_cpu_kernel.h - the CPU kernel, compiled once for every instruction set.
#pragma once

#include "correlator.h"

namespace reidops::REIDOPS_ISA::depthwise_xcorr_kernels {

#define REIDOPS_DEFINE_STORAGE(S)                                                                              \
  int64_t tasks(const depthwise_xcorr::Problem<S>& p) { return p.outputs.size * Correlator<S>::blocks(p); }    \
  void correlate(const depthwise_xcorr::Problem<S>& p, int64_t begin, int64_t end) { Correlator<S>(p).run(begin, end); }
REIDOPS_DEFINE_STORAGE(float)
REIDOPS_DEFINE_STORAGE(double)
REIDOPS_DEFINE_STORAGE(Half)
REIDOPS_DEFINE_STORAGE(BFloat16)
#undef REIDOPS_DEFINE_STORAGE

}  // namespace reidops::REIDOPS_ISA::depthwise_xcorr_kernels
