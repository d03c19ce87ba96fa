// The operator, found in torch's dispatcher by a program that only links to the library.
//
// One atom: w = soft(c, beta / 2) / G, error = e - w (2 c - G w).
#include <array>

#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include "check.h"

using torch::headeronly::ScalarType;
using torch::stable::Tensor;
namespace stable = torch::stable::detail;

Tensor filled(torch::headeronly::IntHeaderOnlyArrayRef shape, double value) {
  const torch::stable::Device cpu(torch::headeronly::DeviceType::CPU);
  Tensor tensor = torch::stable::empty(shape, ScalarType::Float, std::nullopt, cpu);
  return torch::stable::fill_(tensor, value);
}

int main() {
  const double gram = 2, correlation = 0.9, energy = 1.5, beta = 0.4;
  std::array<StableIValue, 10> stack{
      stable::from(filled({1, 1, 1}, gram)),
      stable::from(filled({1, 1, 1}, correlation)),
      stable::from(filled({1, 1}, energy)),
      stable::from(std::nullopt),  // columns
      stable::from(std::nullopt),  // atoms
      stable::from(beta),
      stable::from(1e-5),           // tolerance
      stable::from(int64_t{1000}),  // max_iterations
      stable::from(int64_t{0}),     // solver
      stable::from(true),           // return_coefficients
  };
  if (torch_call_dispatcher("reidops::sparse_reconstruct_gram", "", stack.data(), TORCH_ABI_VERSION) != 0) return 1;

  const auto error = stable::to<Tensor>(stack[0]);
  const auto gap = stable::to<Tensor>(stack[1]);
  const auto coefficients = stable::to<Tensor>(stack[2]);
  const double w = (correlation - beta / 2) / gram;
  check_close("coefficients", *coefficients.const_data_ptr<float>(), w, 1e-6);
  check_close("error", *error.const_data_ptr<float>(), energy - w * (2 * correlation - gram * w), 1e-6);
  check_close("gap", *gap.const_data_ptr<float>(), 0, 1e-5);
  std::printf("operator: %d failures\n", failures);
  return failures > 0;
}
