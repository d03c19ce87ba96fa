// depthwise_xcorr_cpu_kernel.h - the CPU kernel, compiled once for every instruction set.
#pragma once

#include "ways.h"

namespace reidops::REIDOPS_ISA::depthwise_xcorr_kernels {

// Tasks: first those of channels side by side, then those of channels one by one.
template <class S>
int64_t all_tasks(const depthwise_xcorr::Problem<S>& p) {
  const Ways<S> ways(p);
  if (ways.by_fft) return ByFft<S>::tasks(p);
  return Correlator<S>::tasks(ways.side_by_side) + ByPlane<S>::tasks(ways.by_plane);
}
template <class S>
void run_tasks(const depthwise_xcorr::Problem<S>& p, int64_t begin, int64_t end) {
  const Ways<S> ways(p);
  if (ways.by_fft) return ByFft<S>(p).run(begin, end);
  const int64_t first = Correlator<S>::tasks(ways.side_by_side);
  if (begin < first) Correlator<S>(ways.side_by_side).run(begin, std::min(end, first));
  if (end > first) ByPlane<S>(ways.by_plane).run(std::max(begin, first) - first, end - first);
}

#define REIDOPS_DEFINE_STORAGE(S)                                                                         \
  int64_t tasks(const depthwise_xcorr::Problem<S>& p) { return all_tasks(p); }                            \
  void correlate(const depthwise_xcorr::Problem<S>& p, int64_t begin, int64_t end) { run_tasks(p, begin, end); }
REIDOPS_DEFINE_STORAGE(float)
REIDOPS_DEFINE_STORAGE(double)
REIDOPS_DEFINE_STORAGE(Half)
REIDOPS_DEFINE_STORAGE(BFloat16)
#undef REIDOPS_DEFINE_STORAGE

}  // namespace reidops::REIDOPS_ISA::depthwise_xcorr_kernels
