// affine_sample_cpu_kernel.h - the CPU kernels, compiled once for every instruction set.
#pragma once

#include "backward.h"
#include "forward.h"
#include "strips.h"

namespace reidops::REIDOPS_ISA::affine_sample_kernels {

#define REIDOPS_DEFINE(S, name, Kernel, run)                                                               \
  void name(const affine_sample::Problem<S>& p, int64_t begin, int64_t end) {                              \
    if (p.C <= affine_sample::kFewChannels) Kernel<S, affine_sample::kFewChannels>(p).run(begin, end);     \
    else Kernel<S, affine_sample::kManyChannels>(p).run(begin, end);                                       \
  }
#define REIDOPS_DEFINE_STORAGE(S)                       \
  REIDOPS_DEFINE(S, forward, Forward, run)              \
  REIDOPS_DEFINE(S, backward, Backward, run)            \
  REIDOPS_DEFINE(S, add_parts, Backward, add_parts)     \
  REIDOPS_DEFINE(S, spread, BackwardInStrips, spread)   \
  REIDOPS_DEFINE(S, slopes, BackwardInStrips, slopes)
REIDOPS_DEFINE_STORAGE(float)
REIDOPS_DEFINE_STORAGE(double)
REIDOPS_DEFINE_STORAGE(Half)
REIDOPS_DEFINE_STORAGE(BFloat16)
#undef REIDOPS_DEFINE_STORAGE
#undef REIDOPS_DEFINE

}  // namespace reidops::REIDOPS_ISA::affine_sample_kernels
