// projected_xcorr_cpu.cpp - the CPU operator: the kernel of this machine's instruction set on all threads.
#include "../common/isa.h"
#include "operands.h"

namespace reidops {
namespace {

using projected_xcorr::Problem;

template <class S>
using Kernel = void (*)(const Problem<S>&, int64_t, int64_t);

template <class S>
Kernel<S> kernel() {
#ifdef REIDOPS_X86
  if (cpu_isa() == Isa::kAvx512) return avx512::projected_xcorr_kernels::project;
  if (cpu_isa() == Isa::kAvx2) return avx2::projected_xcorr_kernels::project;
#endif
  return baseline::projected_xcorr_kernels::project;
}

Tensor projected_xcorr_cpu(const Tensor& search, const Tensor& templates, const Tensor& weight, int64_t top,
                           int64_t left, int64_t h, int64_t w, bool pooled, std::vector<int64_t> batch) {
  const auto call = projected_xcorr::check_call(search, templates, weight, top, left, h, w, pooled, batch);
  const Tensor laid_out = torch::stable::contiguous(call.weight);
  dispatch_storage(search.scalar_type(), projected_xcorr::kOp, "search", [&](auto zero) {
    using S = decltype(zero);
    const Problem<S> problem = call.problem<S>(laid_out);
    const Kernel<S> project = kernel<S>();
    share_out(projected_xcorr::kOp, problem.maps.outputs.size,
              [&](int64_t begin, int64_t end) { project(problem, begin, end); });
  });
  return call.maps.output;
}

}  // namespace
}  // namespace reidops

STABLE_TORCH_LIBRARY_IMPL(reidops, CPU, m) { m.impl("projected_xcorr", TORCH_BOX(&reidops::projected_xcorr_cpu)); }
