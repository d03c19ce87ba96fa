// sparse_reconstruct_cpu.cpp - the CPU operator: checks, outputs, and the kernel of this machine's instruction set.
#include <optional>
#include <tuple>

#include "../common/isa.h"
#include "../common/tensor.h"
#include "problem.h"

namespace reidops {
namespace {

using sparse_reconstruct::Problem;
using sparse_reconstruct::Solver;

template <class T>
void solve(const Problem<T>& problem) {
  void (*kernel)(const Problem<T>&, int64_t, int64_t) = baseline::solve;
#ifdef REIDOPS_X86
  if (cpu_isa() == Isa::kAvx2) kernel = avx2::solve;
  if (cpu_isa() == Isa::kAvx512) kernel = avx512::solve;
#endif
  torch::stable::parallel_for(0, sparse_reconstruct::tasks(problem), 1,
                              [&](int64_t begin, int64_t end) { kernel(problem, begin, end); });
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
  check_operand(kOp, "gram", gram, {G, M, M}, correlation);
  check_operand(kOp, "energy", energy, {R, G}, correlation);
  check_operand(kOp, "columns", columns, {R, G, d}, correlation);
  check_operand(kOp, "atoms", atoms, {G, M, d}, correlation);

  const Tensor dense_gram = torch::stable::contiguous(gram);
  const Tensor dense_correlation = rows_contiguous(correlation);
  const std::optional<Tensor> dense_columns = rows_contiguous(columns), dense_atoms = rows_contiguous(atoms);
  Tensor error = torch::stable::new_empty(correlation, {R, G});
  Tensor gap = torch::stable::new_empty(correlation, {R, G});
  Tensor coefficients = return_coefficients ? torch::stable::new_empty(correlation, {R, G, M})
                                            : torch::stable::new_empty(correlation, {0});

  dispatch_floating(correlation.scalar_type(), kOp, [&](auto zero) {
    using T = decltype(zero);
    solve(Problem<T>{
        .gram = dense_gram.const_data_ptr<T>(),
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
    });
  });
  return {error, gap, coefficients};
}

}  // namespace
}  // namespace reidops

STABLE_TORCH_LIBRARY_IMPL(reidops, CPU, m) {
  m.impl("sparse_reconstruct_gram", TORCH_BOX(&reidops::sparse_reconstruct_gram));
}
