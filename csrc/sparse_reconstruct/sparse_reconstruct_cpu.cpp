// sparse_reconstruct_cpu.cpp - the CPU operator: the kernel of this machine's instruction set, on all threads.
#include <optional>
#include <tuple>

#include "../common/isa.h"
#include "operands.h"

namespace reidops {
namespace {

using sparse_reconstruct::Problem;

template <class T>
void solve(const Problem<T>& problem) {
  void (*kernel)(const Problem<T>&, int64_t, int64_t) = baseline::solve;
#ifdef REIDOPS_X86
  if (cpu_isa() == Isa::kAvx2) kernel = avx2::solve;
  if (cpu_isa() == Isa::kAvx512) kernel = avx512::solve;
#endif
  share_out(sparse_reconstruct::kOp, sparse_reconstruct::tasks(problem),
            [&](int64_t begin, int64_t end) { kernel(problem, begin, end); });
}

std::tuple<Tensor, Tensor, Tensor> sparse_reconstruct_gram(
    const Tensor& gram, const Tensor& correlation, const Tensor& energy, const std::optional<Tensor>& columns,
    const std::optional<Tensor>& atoms, double beta, double tolerance, int64_t max_iterations, int64_t solver,
    bool return_coefficients, const std::optional<Tensor>& index) {
  const auto operands = sparse_reconstruct::check_operands(gram, correlation, energy, columns, atoms, beta, tolerance,
                                                           max_iterations, solver, return_coefficients, index);
  dispatch_floating(correlation.scalar_type(), sparse_reconstruct::kOp,
                    [&](auto zero) { solve(operands.problem<decltype(zero)>()); });
  return operands.results();
}

}  // namespace
}  // namespace reidops

STABLE_TORCH_LIBRARY_IMPL(reidops, CPU, m) {
  m.impl("sparse_reconstruct_gram", TORCH_BOX(&reidops::sparse_reconstruct_gram));
}
