// projected_xcorr_cuda.cu - the CUDA operator: its result, and the launch on the current stream.
#include <torch/csrc/stable/accelerator.h>

#include "../common/cuda_stream.h"
#include "operands.h"
#include "projected_xcorr.cuh"

namespace reidops {
namespace {

Tensor projected_xcorr_cuda(const Tensor& search, const Tensor& templates, const Tensor& weight, int64_t top,
                            int64_t left, int64_t h, int64_t w, bool pooled, std::vector<int64_t> batch) {
  const torch::stable::accelerator::DeviceGuard guard(search.get_device_index());
  const auto call = projected_xcorr::check_call(search, templates, weight, top, left, h, w, pooled, batch);
  // (C, T, O): what a step of the kernel needs of the weight lies in one piece.
  const Tensor laid_out = torch::stable::contiguous(torch::stable::transpose(call.weight, 0, 2));
  dispatch_storage(search.scalar_type(), projected_xcorr::kOp, "search", [&](auto zero) {
    projected_xcorr::launch_projection(call.problem<decltype(zero)>(laid_out), current_stream(search));
  });
  return call.maps.output;
}

}  // namespace
}  // namespace reidops

STABLE_TORCH_LIBRARY_IMPL(reidops, CUDA, m) { m.impl("projected_xcorr", TORCH_BOX(&reidops::projected_xcorr_cuda)); }
