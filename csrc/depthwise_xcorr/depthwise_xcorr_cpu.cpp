// depthwise_xcorr_cpu.cpp - the CPU operator: the kernel of this machine's instruction set, on all threads.
#include "../common/isa.h"
#include "operands.h"

namespace reidops {
namespace {

using depthwise_xcorr::Problem;

template <class S>
struct Kernel {
  int64_t (*tasks)(const Problem<S>&) = baseline::depthwise_xcorr_kernels::tasks;
  void (*correlate)(const Problem<S>&, int64_t, int64_t) = baseline::depthwise_xcorr_kernels::correlate;

  Kernel() {
#ifdef REIDOPS_X86
    if (cpu_isa() == Isa::kAvx2)
      tasks = avx2::depthwise_xcorr_kernels::tasks, correlate = avx2::depthwise_xcorr_kernels::correlate;
    if (cpu_isa() == Isa::kAvx512)
      tasks = avx512::depthwise_xcorr_kernels::tasks, correlate = avx512::depthwise_xcorr_kernels::correlate;
#endif
  }
};

// Innermost outputs whose maps, templates and results all follow the channels of the ones before are more channels.
template <class S>
Problem<S> with_batch_as_channels(Problem<S> p) {
  for (auto& walk = p.outputs; walk.dims > 0; --walk.dims) {
    const int64_t count = walk.extent[walk.dims - 1];
    const depthwise_xcorr::Place& step = walk.step[walk.dims - 1];
    if (p.C == 1) p.of_search.channel = step.search, p.of_template.channel = step.templ, p.of_out.channel = step.out;
    if (count == 0 || p.C == 0 || step.search != p.C * p.of_search.channel ||
        step.templ != p.C * p.of_template.channel || step.out != p.C * p.of_out.channel)
      break;
    p.C *= count, walk.size /= count;
  }
  return p;
}

Tensor depthwise_xcorr_cpu(const Tensor& search, const Tensor& templ, int64_t top, int64_t left, int64_t h, int64_t w,
                           bool turned, std::vector<int64_t> batch) {
  auto call = depthwise_xcorr::check_call(search, templ, top, left, h, w, turned, std::move(batch));
  call.new_output();
  dispatch_storage(search.scalar_type(), depthwise_xcorr::kOp, "search", [&](auto zero) {
    using S = decltype(zero);
    const auto problem = with_batch_as_channels(call.problem<S>());
    const Kernel<S> kernel;
    const int64_t tasks = kernel.tasks(problem), grain = std::clamp<int64_t>(tasks / 8, 1, 4);  // what repays a set-up
    share_out(
        depthwise_xcorr::kOp, tasks, [&](int64_t begin, int64_t end) { kernel.correlate(problem, begin, end); }, grain);
  });
  return call.output;
}

}  // namespace
}  // namespace reidops

STABLE_TORCH_LIBRARY_IMPL(reidops, CPU, m) { m.impl("depthwise_xcorr", TORCH_BOX(&reidops::depthwise_xcorr_cpu)); }
