// operands.h - the operator's arguments, checked, and the problem that they make for the kernels: CPU and CUDA alike.
#pragma once

#include <utility>
#include <vector>

#include "../depthwise_xcorr/operands.h"
#include "problem.h"

namespace reidops::projected_xcorr {

constexpr const char* kOp = "projected_xcorr";

struct Call {
  depthwise_xcorr::Call maps;  // of the first template; its output is the operator's own
  Tensor weight;               // (O, T, C), any strides
  int64_t templates, template_step, ph, pw;
  bool pooled;

  int64_t outputs() const { return weight.size(0); }

  // `laid_out`: the weight as the kernel wants it (problem.h).
  template <class S>
  Problem<S> problem(const Tensor& laid_out) const {
    const Problem<S> p{.maps = maps.problem<S>(),
                       .weight = static_cast<const S*>(laid_out.const_data_ptr()),
                       .O = outputs(),
                       .templates = templates,
                       .template_step = template_step,
                       .ph = ph,
                       .pw = pw,
                       .pooled = pooled};
    STD_TORCH_CHECK(p.maps.sums.size == 1, kOp, ": batch: expected the broadcast dimensions, got ",
                    shape_string(maps.batch));
    return p;
  }
};

// A call with its output made: search (*B, C, H, W), templates (*B, T, C, kh, kw), weight (O, T, C).
inline Call check_call(const Tensor& search, const Tensor& templates, const Tensor& weight, int64_t top, int64_t left,
                       int64_t h, int64_t w, bool pooled, const std::vector<int64_t>& batch) {
  STD_TORCH_CHECK(templates.dim() >= 4 && templates.size(templates.dim() - 4) > 0, kOp,
                  ": template: expected shape (*B, T, C, kh, kw) with at least one T, got ",
                  shape_string(templates.sizes()));
  STD_TORCH_CHECK(search.dim() >= 3, kOp, ": search: expected shape (*B, C, H, W), got ",
                  shape_string(search.sizes()));
  const int64_t n = templates.dim(), T = templates.size(n - 4), C = search.size(search.dim() - 3);
  check_memory(kOp, "template", templates);
  STD_TORCH_CHECK(weight.dim() == 3 && weight.size(1) == T && weight.size(2) == C, kOp,
                  ": weight: expected shape (O, ", T, ", ", C, "), got ", shape_string(weight.sizes()));
  STD_TORCH_CHECK(weight.scalar_type() == search.scalar_type(), kOp, ": weight: expected search's dtype");
  STD_TORCH_CHECK(weight.device() == search.device(), kOp, ": weight: expected the device of search");
  check_memory(kOp, "weight", weight);
  check_product(kOp, "weight", "elements", {weight.size(0), T, C});
  // The checks and the walk over the batch are depthwise_xcorr's, of an output of O channels and the pooled size; the
  // templates are handed over without their dimension T, which no output has: the first of them.
  const Tensor first = torch::stable::select(templates, n - 4, 0);
  Call call{.maps = depthwise_xcorr::check_call(search, first, top, left, h, w, false, batch, kOp),
            .weight = weight,
            .templates = T,
            .template_step = templates.stride(n - 4),
            .ph = pooled ? (h + 1) / 2 : h,
            .pw = pooled ? (w + 1) / 2 : w,
            .pooled = pooled};
  const std::vector<int64_t> sizes = with_maps(batch, call.outputs(), call.ph, call.pw);
  check_product(kOp, "weight, batch, h, w", "elements of the output", sizes);
  // The CPU kernel lays out sums of all outputs, whose rows end with a whole run (projected_xcorr_cpu_kernel.h).
  constexpr int64_t kMostLanes = 16;
  check_product(kOp, "weight, h, w", "elements laid out", {call.outputs(), times(call.ph, call.pw) + kMostLanes});
  call.maps.output = new_maps(search, sizes, false);
  return call;
}

}  // namespace reidops::projected_xcorr
