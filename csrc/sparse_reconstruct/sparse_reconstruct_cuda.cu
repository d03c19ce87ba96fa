// sparse_reconstruct_cuda.cu - the CUDA operator: workspace, and the launch on the current stream.
#include <cstdint>
#include <optional>
#include <tuple>

#include <torch/csrc/stable/accelerator.h>

#include "../common/cuda_stream.h"
#include "operands.h"
#include "sparse_reconstruct.cuh"

namespace reidops {
namespace {

// The kernel reads rows of the Gram 16 bytes at a time: contiguous, padded with zeros to a multiple of 4 atoms.
Tensor padded_gram(const Tensor& dense, int64_t M) {
  const int64_t missing = (4 - M % 4) % 4;
  if (missing != 0) return torch::stable::pad(dense, {0, missing});
  const bool aligned = reinterpret_cast<std::uintptr_t>(dense.const_data_ptr()) % 16 == 0;
  return aligned ? dense : torch::stable::clone(dense);
}

std::tuple<Tensor, Tensor, Tensor> sparse_reconstruct_gram(
    const Tensor& gram, const Tensor& correlation, const Tensor& energy, const std::optional<Tensor>& columns,
    const std::optional<Tensor>& atoms, double beta, double tolerance, int64_t max_iterations, int64_t solver,
    bool return_coefficients, const std::optional<Tensor>& index) {
  const torch::stable::accelerator::DeviceGuard guard(correlation.get_device_index());
  STD_TORCH_CHECK(!index.has_value(), sparse_reconstruct::kOp, ": index: expected None on CUDA");
  auto operands =
      sparse_reconstruct::check_operands(gram, correlation, energy, rows_contiguous(columns), rows_contiguous(atoms),
                                         beta, tolerance, max_iterations, solver, return_coefficients, index);
  for (const auto& data : {operands.columns, operands.atoms})
    STD_TORCH_CHECK(operands.storage(data) == sparse_reconstruct::Storage::kSame, sparse_reconstruct::kOp,
                    ": columns, atoms: expected the dtype of all the others on CUDA");
  operands.gram = padded_gram(operands.gram, operands.M);
  preload([] {
    sparse_reconstruct::load_kernels<float>();
    sparse_reconstruct::load_kernels<double>();
  });
  dispatch_floating(correlation.scalar_type(), sparse_reconstruct::kOp, [&](auto zero) {
    using T = decltype(zero);
    const auto problem = operands.problem<T>();
    Tensor memory = torch::stable::new_empty(correlation, {sparse_reconstruct::memory_needed(problem)});
    sparse_reconstruct::launch_sparse_reconstruct(problem, operands.gram.size(2), memory.mutable_data_ptr<T>(),
                                                  current_stream(correlation));
  });
  return operands.results();
}

}  // namespace
}  // namespace reidops

STABLE_TORCH_LIBRARY_IMPL(reidops, CUDA, m) {
  m.impl("sparse_reconstruct_gram", TORCH_BOX(&reidops::sparse_reconstruct_gram));
}
