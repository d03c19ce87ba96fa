// operands.h - the operators' arguments, checked, and the problem that they make for the kernels: CPU and CUDA alike.
#pragma once

#include <algorithm>
#include <tuple>
#include <vector>

#include "../common/maps.h"
#include "problem.h"

namespace reidops::affine_sample {

constexpr const char* kOp = "affine_sample";

// The batch dimensions of input (*B, C, H, W) and theta (*B, 2, 3), broadcast against each other.
struct Batch {
  std::vector<int64_t> sizes;  // of the output
  Walk<Place> images, repeats;
};

// A dimension along which the input does not move is one of repeats: its images are laid out once.  In backward only
// where the input has no more than one image along it; an expanded input has a gradient for each.
inline Batch batch_of(const Tensor& input, const Tensor& theta, bool backward) {
  const int64_t of_input = input.dim() - 3, of_theta = theta.dim() - 2, dims = std::max(of_input, of_theta);
  Batch batch;
  batch.sizes.resize(dims);
  int64_t sample = 1, image = 1;
  std::vector<Place> steps(dims);
  std::vector<bool> repeats(dims);
  for (int64_t d = dims - 1; d >= 0; --d) {
    const int64_t i = d - (dims - of_input), t = d - (dims - of_theta);
    const int64_t images = i < 0 ? 1 : input.size(i), thetas = t < 0 ? 1 : theta.size(t);
    batch.sizes[d] = images == 1 ? thetas : images;
    repeats[d] = images == 1 || (!backward && input.stride(i) == 0);
    steps[d] = {.image = images == 1 ? 0 : input.stride(i),
                .theta = thetas == 1 ? 0 : theta.stride(t),
                .sample = sample,
                .number = images == 1 ? 0 : image};
    sample = times(sample, batch.sizes[d]);
    image = times(image, images);
  }
  for (int64_t d = 0; d < dims; ++d)
    if (batch.sizes[d] != 1) (repeats[d] ? batch.repeats : batch.images).add(batch.sizes[d], steps[d]);
  return batch;
}

// `maps` as new_maps would have made it: itself, or a copy.
inline Tensor laid_out(const Tensor& maps, const Tensor& like, bool channels_last) {
  Tensor made = new_maps(like, {maps.sizes().begin(), maps.sizes().end()}, channels_last);
  if (std::ranges::equal(maps.strides(), made.strides())) return maps;
  return torch::stable::copy_(made, maps);
}

// The batch dimensions broadcast, and what they count fits 32 bits: images, maps and samples, each on its own, since
// none of one kind leaves any number of another.
inline void check_batch(const Tensor& input, const Tensor& theta) {
  constexpr int64_t kMost = (int64_t(1) << 31) - 1;
  const int64_t of_input = input.dim() - 3, of_theta = theta.dim() - 2, dims = std::max(of_input, of_theta);
  STD_TORCH_CHECK(dims <= kMostBatchDims, kOp, ": input, theta: expected at most ", kMostBatchDims,
                  " batch dimensions, got ", dims);
  std::vector<int64_t> images(dims, 1), thetas(dims, 1), samples(dims);
  for (int64_t d = 0; d < of_input; ++d) images[dims - of_input + d] = input.size(d);
  for (int64_t d = 0; d < of_theta; ++d) thetas[dims - of_theta + d] = theta.size(d);
  for (int64_t d = 0; d < dims; ++d) {
    STD_TORCH_CHECK(images[d] == thetas[d] || images[d] == 1 || thetas[d] == 1, kOp,
                    ": theta: expected batch dimensions that broadcast with those of input ",
                    shape_string(input.sizes()), ", got ", shape_string(theta.sizes()));
    samples[d] = images[d] == 1 ? thetas[d] : images[d];
  }
  check_product(kOp, "input", "images", images, kMost);
  check_product(kOp, "theta", "maps", thetas, kMost);
  check_product(kOp, "input, theta", "samples", samples, kMost);
}

inline void check_call(const Tensor& input, const Tensor& theta, int64_t h, int64_t w, int64_t mode, int64_t padding) {
  STD_TORCH_CHECK(0 <= mode && mode < kModes, kOp, ": mode: expected 0 to ", kModes - 1, ", got ", mode);
  STD_TORCH_CHECK(0 <= padding && padding < kPaddings, kOp, ": padding_mode: expected 0 to ", kPaddings - 1, ", got ",
                  padding);
  STD_TORCH_CHECK(input.dim() >= 3, kOp, ": input: expected shape (*B, C, H, W), got ", shape_string(input.sizes()));
  const int64_t n = theta.dim();
  STD_TORCH_CHECK(n >= 2 && theta.size(n - 2) == 2 && theta.size(n - 1) == 3, kOp,
                  ": theta: expected shape (*B, 2, 3), got ", shape_string(theta.sizes()));
  STD_TORCH_CHECK(theta.scalar_type() == input.scalar_type(), kOp, ": theta: expected input's dtype ",
                  torch::headeronly::toString(input.scalar_type()), ", got ",
                  torch::headeronly::toString(theta.scalar_type()));
  STD_TORCH_CHECK(theta.device() == input.device(), kOp, ": theta: expected the device of input");
  const int64_t H = input.size(input.dim() - 2), W = input.size(input.dim() - 1);
  constexpr int64_t kMost = int64_t(1) << 30;
  STD_TORCH_CHECK(times(H, W) < kMost, kOp, ": input: expected fewer than 2^30 pixels in an image, got ",
                  shape_string(input.sizes()));
  STD_TORCH_CHECK(h > 0 && w > 0 && times(h, w) < kMost, kOp,
                  ": size: expected positive numbers whose product is below 2^30, got (", h, ", ", w, ")");
  STD_TORCH_CHECK(H > 0 && W > 0, kOp, ": input: expected images of at least one pixel, got ",
                  shape_string(input.sizes()));
  check_batch(input, theta);
  check_memory(kOp, "input", input);
  check_memory(kOp, "theta", theta);
}

// All of a problem but the pointers to results.  `input` may be any strides, `theta` must have its six side by side.
template <class S>
Problem<S> problem_of(const Tensor& input, const Tensor& theta, const Batch& batch, int64_t h, int64_t w, int64_t mode,
                      int64_t padding, bool align_corners) {
  const int64_t n = input.dim();
  const Strides strides = strides_of(input);
  return {
      .input = static_cast<const S*>(input.const_data_ptr()),
      .theta = static_cast<const S*>(theta.const_data_ptr()),
      .output = nullptr,
      .grad_output = nullptr,
      .grad_input = nullptr,
      .grad_theta = nullptr,
      .grad_parts = nullptr,
      .images = batch.images,
      .repeats = batch.repeats,
      .C = input.size(n - 3),
      .H = input.size(n - 2),
      .W = input.size(n - 1),
      .h = h,
      .w = w,
      .channel_stride = strides.channel,
      .row_stride = strides.row,
      .column_stride = strides.column,
      .channels_last = is_channels_last(input),
      .align_corners = align_corners,
      .mode = static_cast<Mode>(mode),
      .padding = static_cast<Padding>(padding),
  };
}

inline Tensor new_output(const Tensor& input, const Batch& batch, int64_t h, int64_t w) {
  const auto sizes = with_maps(batch.sizes, input.size(input.dim() - 3), h, w);
  check_product(kOp, "input, theta, size", "elements of the output", sizes);
  return new_maps(input, sizes, is_channels_last(input));
}

// What both backward operators have and make.
struct BackwardOperands {
  Tensor grad, input, theta;
  Batch batch;
  int64_t mode, padding;
  Tensor grad_input;  // (0,) where not wanted
  Tensor sums;        // (samples, slices, 6), or no samples: of theta, to be added up

  template <class S>
  Problem<S> problem(bool align_corners) const {
    const int64_t n = grad.dim();
    auto problem = problem_of<S>(input, theta, batch, grad.size(n - 2), grad.size(n - 1), mode, padding, align_corners);
    problem.grad_output = static_cast<const S*>(grad.const_data_ptr());
    if (grad_input.numel() > 0) problem.grad_input = static_cast<S*>(grad_input.mutable_data_ptr());
    return problem;
  }

  template <class S>
  Tensor new_memory(int64_t elements) const {
    return torch::stable::new_empty(input, {elements}, sizeof(S) == 8 ? ScalarType::Double : ScalarType::Float);
  }

  template <class S>
  void new_sums(Problem<S>& problem, bool wanted, int64_t slices) {
    const int64_t samples = wanted ? problem.images.size * problem.repeats.size : 0;
    const ScalarType dtype = sizeof(S) == 8 ? ScalarType::Double : ScalarType::Float;
    sums = torch::stable::new_zeros(input, {samples, slices, 6}, dtype);
    if (samples > 0) problem.grad_theta = static_cast<typename Problem<S>::T*>(sums.mutable_data_ptr());
  }

  // The gradients of input and, one for each sample, of theta; (0,) where not wanted.
  std::tuple<Tensor, Tensor> gradients(bool of_theta) const {
    auto sizes = batch.sizes;
    sizes.insert(sizes.end(), {2, 3});
    if (!of_theta) sizes = {0};
    const int64_t slices = 1;
    return {grad_input, torch::stable::reshape(torch::stable::sum(sums, {{&slices, 1}}), sizes)};
  }
};

inline BackwardOperands backward_operands(const Tensor& grad, const Tensor& input, const Tensor& theta, int64_t mode,
                                          int64_t padding, bool of_input) {
  STD_TORCH_CHECK(grad.dim() >= 3, kOp, ": grad: expected shape (*B, C, h, w), got ", shape_string(grad.sizes()));
  const int64_t h = grad.size(grad.dim() - 2), w = grad.size(grad.dim() - 1);
  check_call(input, theta, h, w, mode, padding);
  const Tensor thetas = torch::stable::contiguous(theta);
  const Batch batch = batch_of(input, thetas, true);
  check_operand(kOp, "grad", grad, with_maps(batch.sizes, input.size(input.dim() - 3), h, w), input);
  const bool channels_last = is_channels_last(input);
  const std::vector<int64_t> sizes(input.sizes().begin(), input.sizes().end());
  check_product(kOp, "grad", "elements", {grad.sizes().begin(), grad.sizes().end()});
  check_product(kOp, "input", "elements", sizes);
  return {.grad = laid_out(grad, input, channels_last),
          .input = input,
          .theta = thetas,
          .batch = batch,
          .mode = mode,
          .padding = padding,
          .grad_input = of_input ? new_maps(input, sizes, channels_last) : torch::stable::new_empty(input, {0}),
          .sums = {}};
}

}  // namespace reidops::affine_sample
