// depthwise_xcorr_cuda.cu - the CUDA operator: its result, and the launch on the current stream.
#include <torch/csrc/stable/accelerator.h>

#include "../common/cuda_stream.h"
#include "depthwise_xcorr.cuh"
#include "operands.h"

namespace reidops {
namespace {

Tensor depthwise_xcorr_cuda(const Tensor& search, const Tensor& templ, int64_t top, int64_t left, int64_t h, int64_t w,
                            bool turned, std::vector<int64_t> batch) {
  const torch::stable::accelerator::DeviceGuard guard(search.get_device_index());
  auto call = depthwise_xcorr::check_call(search, templ, top, left, h, w, turned, std::move(batch));
  call.new_output();
  dispatch_storage(search.scalar_type(), depthwise_xcorr::kOp, "search", [&](auto zero) {
    depthwise_xcorr::launch_xcorr(call.problem<decltype(zero)>(), current_stream(search));
  });
  return call.output;
}

}  // namespace
}  // namespace reidops

STABLE_TORCH_LIBRARY_IMPL(reidops, CUDA, m) { m.impl("depthwise_xcorr", TORCH_BOX(&reidops::depthwise_xcorr_cuda)); }
