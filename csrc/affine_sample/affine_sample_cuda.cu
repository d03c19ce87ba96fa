// affine_sample_cuda.cu - the CUDA operators: results, and the launches on the current stream.
#include <tuple>

#include <torch/csrc/stable/accelerator.h>

#include "../common/cuda_stream.h"
#include "affine_sample.cuh"
#include "operands.h"

namespace reidops {
namespace {

using affine_sample::Batch;

// The input itself or, where its rows or columns are too far apart for the kernels, a copy.
Tensor within_reach(const Tensor& input) {
  const int64_t n = input.dim();
  if (n < 3 || input.numel() == 0) return input;  // an error, which the checks name, or nothing to do
  const Strides strides = strides_of(input);
  const bool near = affine_sample::within_reach(input.size(n - 2), strides.row) &&
                    affine_sample::within_reach(input.size(n - 1), strides.column);
  return near ? input : affine_sample::laid_out(input, input, is_channels_last(input));
}

Tensor forward(const Tensor& given_input, const Tensor& given, int64_t h, int64_t w, int64_t mode, int64_t padding,
               bool align_corners) {
  affine_sample::check_call(given_input, given, h, w, mode, padding);
  const torch::stable::accelerator::DeviceGuard guard(given_input.get_device_index());
  const Tensor input = within_reach(given_input);
  const Tensor theta = torch::stable::contiguous(given);
  const Batch batch = affine_sample::batch_of(input, theta, false);
  const Tensor output = affine_sample::new_output(input, batch, h, w);
  dispatch_storage(input.scalar_type(), affine_sample::kOp, "input", [&](auto zero) {
    using S = decltype(zero);
    auto problem = affine_sample::problem_of<S>(input, theta, batch, h, w, mode, padding, align_corners);
    problem.output = static_cast<S*>(output.mutable_data_ptr());
    affine_sample::launch_forward(problem, current_stream(input));
  });
  return output;
}

std::tuple<Tensor, Tensor> backward(const Tensor& grad, const Tensor& input, const Tensor& given, int64_t mode,
                                    int64_t padding, bool align_corners, bool of_input, bool of_theta) {
  const torch::stable::accelerator::DeviceGuard guard(input.get_device_index());
  auto operands = affine_sample::backward_operands(grad, within_reach(input), given, mode, padding, of_input);
  dispatch_storage(input.scalar_type(), affine_sample::kOp, "input", [&](auto zero) {
    using S = decltype(zero);
    auto problem = operands.problem<S>(align_corners);
    const Stream stream = current_stream(input);
    if (of_input) affine_sample::launch_input(problem, stream);
    operands.new_sums(problem, of_theta, affine_sample::slices(problem));
    if (of_theta && problem.mode == affine_sample::Mode::kBilinear) affine_sample::launch_theta(problem, stream);
  });
  return operands.gradients(of_theta);
}

}  // namespace
}  // namespace reidops

STABLE_TORCH_LIBRARY_IMPL(reidops, CUDA, m) {
  m.impl("affine_sample", TORCH_BOX(&reidops::forward));
  m.impl("affine_sample_backward", TORCH_BOX(&reidops::backward));
}
