// sparse_reconstruct_cuda.cu - the CUDA operator: checks, outputs, workspace, launch on the current stream.
#include <cstdint>
#include <limits>
#include <optional>
#include <tuple>

#include <torch/csrc/inductor/aoti_torch/c/shim.h>
#include <torch/csrc/stable/accelerator.h>

#include "../common/tensor.h"
#include "problem.h"
#include "sparse_reconstruct.cuh"

namespace reidops {
namespace {

using sparse_reconstruct::Problem;
using sparse_reconstruct::Solver;

Stream current_stream(const Tensor& tensor) {
  void* stream = nullptr;
  TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(tensor.get_device_index(), &stream));
  return static_cast<Stream>(stream);
}

// The kernel reads rows of the Gram 16 bytes at a time: contiguous, padded with zeros to a multiple of 4 atoms.
Tensor padded_gram(const Tensor& gram, int64_t M) {
  const Tensor dense = torch::stable::contiguous(gram);
  const int64_t missing = (4 - M % 4) % 4;
  if (missing != 0) return torch::stable::pad(dense, {0, missing});
  const bool aligned = reinterpret_cast<std::uintptr_t>(dense.const_data_ptr()) % 16 == 0;
  return aligned ? dense : torch::stable::clone(dense);
}

std::tuple<Tensor, Tensor, Tensor> sparse_reconstruct_gram(
    const Tensor& gram, const Tensor& correlation, const Tensor& energy, const std::optional<Tensor>& columns,
    const std::optional<Tensor>& atoms, double beta, double tolerance, int64_t max_iterations, int64_t solver,
    bool return_coefficients) {
  constexpr const char* kOp = "sparse_reconstruct_gram";
  STD_TORCH_CHECK(correlation.dim() == 3, kOp, ": correlation: expected 3 dimensions (R, G, M), got ",
                  correlation.dim());
  STD_TORCH_CHECK(columns.has_value() == atoms.has_value(), kOp, ": columns, atoms: expected both or neither");
  STD_TORCH_CHECK(!columns.has_value() || columns->dim() == 3, kOp, ": columns: expected 3 dimensions (R, G, d)");
  const int64_t R = correlation.size(0), G = correlation.size(1), M = correlation.size(2);
  const int64_t d = columns.has_value() ? columns->size(2) : 0;
  constexpr int64_t kMost = std::numeric_limits<int>::max() / 2;
  STD_TORCH_CHECK(R <= kMost && G <= kMost && M <= kMost, kOp, ": correlation: expected sizes of at most ", kMost,
                  ", got ", shape_string(correlation.sizes()));
  check_operand(kOp, "gram", gram, {G, M, M}, correlation);
  check_operand(kOp, "energy", energy, {R, G}, correlation);
  check_operand(kOp, "columns", columns, {R, G, d}, correlation);
  check_operand(kOp, "atoms", atoms, {G, M, d}, correlation);

  const torch::stable::accelerator::DeviceGuard guard(correlation.get_device_index());
  const Tensor rows = padded_gram(gram, M);
  const Tensor dense_correlation = rows_contiguous(correlation);
  const std::optional<Tensor> dense_columns = rows_contiguous(columns), dense_atoms = rows_contiguous(atoms);
  Tensor error = torch::stable::new_empty(correlation, {R, G});
  Tensor gap = torch::stable::new_empty(correlation, {R, G});
  Tensor coefficients = return_coefficients ? torch::stable::new_empty(correlation, {R, G, M})
                                            : torch::stable::new_empty(correlation, {0});

  dispatch_floating(correlation.scalar_type(), kOp, [&](auto zero) {
    using T = decltype(zero);
    const Problem<T> problem{
        .gram = rows.const_data_ptr<T>(),
        .correlation = dense_correlation.const_data_ptr<T>(),
        .energy = energy.const_data_ptr<T>(),
        .columns = data_or_null<T>(dense_columns),
        .atoms = data_or_null<T>(dense_atoms),
        .correlation_stride = {dense_correlation.stride(0), dense_correlation.stride(1)},
        .energy_stride = {energy.stride(0), energy.stride(1)},
        .columns_stride = {d ? dense_columns->stride(0) : 0, d ? dense_columns->stride(1) : 0},
        .atoms_stride = {d ? dense_atoms->stride(0) : 0, d ? dense_atoms->stride(1) : 0},
        .R = R,
        .G = G,
        .M = M,
        .d = d,
        .beta = static_cast<T>(beta),
        .tolerance = static_cast<T>(tolerance),
        .max_iterations = static_cast<int>(max_iterations),
        .solver = static_cast<Solver>(solver),
        .error = error.mutable_data_ptr<T>(),
        .gap = gap.mutable_data_ptr<T>(),
        .coefficients = return_coefficients ? coefficients.mutable_data_ptr<T>() : nullptr,
    };
    Tensor memory = torch::stable::new_empty(correlation, {sparse_reconstruct::memory_needed(problem)});
    sparse_reconstruct::launch_sparse_reconstruct(problem, rows.size(2), memory.mutable_data_ptr<T>(),
                                                  current_stream(correlation));
  });
  return {error, gap, coefficients};
}

}  // namespace
}  // namespace reidops

STABLE_TORCH_LIBRARY_IMPL(reidops, CUDA, m) {
  m.impl("sparse_reconstruct_gram", TORCH_BOX(&reidops::sparse_reconstruct_gram));
}
