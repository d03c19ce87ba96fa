// projected_xcorr_cpu.cpp - the CPU operator: checks, and the kernel of this machine's instruction set on all threads.
#include "../common/isa.h"
#include "../depthwise_xcorr/operands.h"
#include "problem.h"

namespace reidops {
namespace {

using projected_xcorr::Problem;
constexpr const char* kOp = "projected_xcorr";

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

int64_t halved(int64_t size, bool pooled) { return pooled ? (size + 1) / 2 : size; }

// The templates without their dimension T, which no output has: (*B, T, C, kh, kw) -> (*B, C, kh, kw), the first.
Tensor first_of(const Tensor& templates) { return torch::stable::select(templates, templates.dim() - 4, 0); }

Tensor projected_xcorr_cpu(const Tensor& search, const Tensor& templates, const Tensor& given, int64_t top,
                           int64_t left, int64_t h, int64_t w, bool pooled, std::vector<int64_t> batch) {
  STD_TORCH_CHECK(templates.dim() >= 4 && templates.size(templates.dim() - 4) > 0, kOp,
                  ": template: expected shape (*B, T, C, kh, kw) with at least one T, got ",
                  shape_string(templates.sizes()));
  STD_TORCH_CHECK(search.dim() >= 3, kOp, ": search: expected shape (*B, C, H, W), got ",
                  shape_string(search.sizes()));
  const int64_t n = templates.dim(), T = templates.size(n - 4), C = search.size(search.dim() - 3);
  check_memory(kOp, "template", templates);
  STD_TORCH_CHECK(given.dim() == 3 && given.size(1) == T && given.size(2) == C, kOp, ": weight: expected shape (O, ",
                  T, ", ", C, "), got ", shape_string(given.sizes()));
  STD_TORCH_CHECK(given.scalar_type() == search.scalar_type(), kOp, ": weight: expected search's dtype");
  check_memory(kOp, "weight", given);
  check_product(kOp, "weight", "elements", {given.size(0), T, C});
  const Tensor weight = torch::stable::contiguous(given), first = first_of(templates);
  // The checks and the walk over the batch are depthwise_xcorr's, of an output of O channels and the pooled size.
  auto call = depthwise_xcorr::check_call(search, first, top, left, h, w, false, batch, kOp);
  const int64_t O = weight.size(0), ph = halved(h, pooled), pw = halved(w, pooled);
  check_product(kOp, "weight, batch, h, w", "elements of the output", with_maps(batch, O, ph, pw));
  // Sums of all outputs, whose rows end with a whole run (projected_xcorr_cpu_kernel.h).
  constexpr int64_t kMostLanes = 16;
  check_product(kOp, "weight, h, w", "elements laid out", {O, times(ph, pw) + kMostLanes});
  call.output = new_maps(search, with_maps(batch, O, ph, pw), false);
  dispatch_storage(search.scalar_type(), kOp, "search", [&](auto zero) {
    using S = decltype(zero);
    const Problem<S> problem{.maps = call.problem<S>(),
                             .weight = static_cast<const S*>(weight.const_data_ptr()),
                             .O = O,
                             .templates = T,
                             .template_step = templates.stride(n - 4),
                             .ph = ph,
                             .pw = pw,
                             .pooled = pooled};
    STD_TORCH_CHECK(problem.maps.sums.size == 1, kOp, ": batch: expected the broadcast dimensions, got ",
                    shape_string(batch));
    const Kernel<S> project = kernel<S>();
    share_out(kOp, problem.maps.outputs.size, [&](int64_t begin, int64_t end) { project(problem, begin, end); });
  });
  return call.output;
}

}  // namespace
}  // namespace reidops

STABLE_TORCH_LIBRARY_IMPL(reidops, CPU, m) { m.impl("projected_xcorr", TORCH_BOX(&reidops::projected_xcorr_cpu)); }
