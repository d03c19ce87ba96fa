// operands.h - the operator's arguments, checked, and the problem that they make for the kernels: CPU and CUDA alike.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <tuple>

#include "../common/tensor.h"
#include "problem.h"

namespace reidops::sparse_reconstruct {

struct Operands {
  Tensor gram, correlation, energy;
  std::optional<Tensor> columns, atoms, index;
  double beta, tolerance;
  int64_t max_iterations, solver;
  Tensor error, gap, coefficients;
  int64_t R, G, M, d, P;
  bool with_coefficients;

  // Along a dimension of one element a tensor's stride may be any number, which would overflow in a product.
  static int64_t stride(const Tensor& tensor, int64_t d) { return tensor.size(d) == 1 ? 0 : tensor.stride(d); }

  // The kernels' view of it.
  template <class T>
  Problem<T> problem() const {
    return {
        .gram = gram.const_data_ptr<T>(),
        .correlation = correlation.const_data_ptr<T>(),
        .energy = energy.const_data_ptr<T>(),
        .columns = columns.has_value() ? columns->const_data_ptr() : nullptr,
        .atoms = atoms.has_value() ? atoms->const_data_ptr() : nullptr,
        .index = data_or_null<int64_t>(index),
        .columns_storage = storage(columns),
        .atoms_storage = storage(atoms),
        .correlation_stride = {stride(correlation, 0), stride(correlation, 1)},
        .energy_stride = {stride(energy, 0), stride(energy, 1)},
        .columns_stride = {d ? stride(*columns, 0) : 0, d ? stride(*columns, 1) : 0, d ? stride(*columns, 2) : 0},
        .atoms_stride = {d ? stride(*atoms, 0) : 0, d ? stride(*atoms, 1) : 0, d ? stride(*atoms, 2) : 0},
        .R = R,
        .G = G,
        .M = M,
        .d = d,
        .P = P,
        .beta = in_range<T>(beta),
        .tolerance = in_range<T>(tolerance),
        .max_iterations = static_cast<int>(std::clamp<int64_t>(max_iterations, 0, std::numeric_limits<int>::max())),
        .solver = static_cast<Solver>(solver),
        .error = error.mutable_data_ptr<T>(),
        .gap = gap.mutable_data_ptr<T>(),
        .coefficients = with_coefficients ? coefficients.mutable_data_ptr<T>() : nullptr,
    };
  }

  // The nearest finite T.  The largest beta of T stands for any that is larger: long before it, w = 0 is the optimum.
  template <class T>
  static T in_range(double value) {
    return static_cast<T>(std::min<double>(value, std::numeric_limits<T>::max()));
  }

  static Storage storage(const std::optional<Tensor>& data) {
    if (!data.has_value()) return Storage::kSame;
    const auto type = data->scalar_type();
    return type == ScalarType::Half ? Storage::kHalf : type == ScalarType::BFloat16 ? Storage::kBFloat16 : Storage::kSame;
  }

  std::tuple<Tensor, Tensor, Tensor> results() const { return {error, gap, coefficients}; }
};

constexpr const char* kOp = "sparse_reconstruct_gram";

// Which dictionaries each of P probes meets: their numbers, in the memory of a CPU.
inline void check_index(const Tensor& index, int64_t R, int64_t G, int64_t D) {
  STD_TORCH_CHECK(index.dim() == 2 && index.size(1) == G && index.scalar_type() == ScalarType::Long && index.is_cpu(),
                  kOp, ": index: expected int64 of shape (P, ", G, ") on the CPU, got ", shape_string(index.sizes()));
  const int64_t P = index.size(0);
  STD_TORCH_CHECK(P > 0 && R % P == 0, kOp, ": index: expected P >= 1 probes with as many of the ", R,
                  " columns each, got ", P);
  check_memory(kOp, "index", index);
  const Tensor numbers = torch::stable::contiguous(index);
  const int64_t* number = numbers.const_data_ptr<int64_t>();
  for (int64_t k = 0; k < P * G; ++k)
    STD_TORCH_CHECK(0 <= number[k] && number[k] < D, kOp, ": index: expected numbers of ", D, " dictionaries, got ",
                    number[k]);
}

// Columns, or atoms: of the type of all the others, or, beside float32, of a half type.
inline void check_data(const char* argument, const Tensor& data, const std::vector<int64_t>& shape,
                       const Tensor& correlation) {
  const auto type = data.scalar_type();
  const bool half = type == ScalarType::Half || type == ScalarType::BFloat16;
  const bool narrow = half && correlation.scalar_type() == ScalarType::Float;
  check_operand(kOp, argument, data, shape, narrow ? data : correlation);
  STD_TORCH_CHECK(data.device() == correlation.device(), kOp, ": ", argument,
                  ": expected the device of all the others");
}

inline Operands check_operands(const Tensor& gram, const Tensor& correlation, const Tensor& energy,
                               const std::optional<Tensor>& columns, const std::optional<Tensor>& atoms, double beta,
                               double tolerance, int64_t max_iterations, int64_t solver, bool return_coefficients,
                               const std::optional<Tensor>& index) {
  STD_TORCH_CHECK(correlation.dim() == 3, kOp, ": correlation: expected 3 dimensions (R, G, M), got ",
                  correlation.dim());
  STD_TORCH_CHECK(columns.has_value() == atoms.has_value(), kOp, ": columns, atoms: expected both or neither");
  STD_TORCH_CHECK(!columns.has_value() || columns->dim() == 3, kOp, ": columns: expected 3 dimensions (R, G, d)");
  STD_TORCH_CHECK(!index.has_value() || gram.dim() == 3, kOp, ": gram: expected 3 dimensions (D, M, M)");
  STD_TORCH_CHECK(!index.has_value() || index->dim() == 2, kOp, ": index: expected 2 dimensions (P, G)");
  STD_TORCH_CHECK(0 <= solver && solver < kSolvers, kOp, ": solver: expected 0 to ", kSolvers - 1, ", got ", solver);
  const int64_t R = correlation.size(0), G = correlation.size(1), M = correlation.size(2);
  const int64_t d = columns.has_value() ? columns->size(2) : 0;
  const int64_t D = index.has_value() ? gram.size(0) : G, P = index.has_value() ? index->size(0) : 1;
  constexpr int64_t kMost = std::numeric_limits<int>::max() / 2;
  STD_TORCH_CHECK(R <= kMost && G <= kMost && M <= kMost, kOp, ": correlation: expected sizes of at most ", kMost,
                  ", got ", shape_string(correlation.sizes()));
  STD_TORCH_CHECK(beta >= 0 && std::isfinite(beta), kOp, ": beta: expected a finite number >= 0, got ", beta);
  STD_TORCH_CHECK(tolerance > 0 && std::isfinite(tolerance), kOp, ": tolerance: expected a finite number > 0, got ",
                  tolerance);
  // Of what is made, copied or counted; a Gram is laid out with its rows padded to a run.
  constexpr int64_t kMostLanes = 16;
  check_product(kOp, "gram", "elements", {D, M + kMostLanes, M + kMostLanes});
  check_product(kOp, "correlation", "elements", {R, G, M});
  check_product(kOp, "correlation", "columns", {R, G});  // also where M is 0
  check_product(kOp, "columns", "elements", {R, G, d});
  check_product(kOp, "atoms", "elements", {D, M, d});
  check_memory(kOp, "correlation", correlation);
  check_operand(kOp, "gram", gram, {D, M, M}, correlation);
  check_operand(kOp, "energy", energy, {R, G}, correlation);
  if (columns.has_value()) check_data("columns", *columns, {R, G, d}, correlation);
  if (atoms.has_value()) check_data("atoms", *atoms, {D, M, d}, correlation);
  if (index.has_value()) check_index(*index, R, G, D);
  return {
      .gram = torch::stable::contiguous(gram),
      .correlation = rows_contiguous(correlation),
      .energy = energy,
      .columns = columns,
      .atoms = atoms,
      .index = index.has_value() ? std::optional(torch::stable::contiguous(*index)) : std::nullopt,
      .beta = beta,
      .tolerance = tolerance,
      .max_iterations = max_iterations,
      .solver = solver,
      .error = torch::stable::new_empty(correlation, {R, G}),
      .gap = torch::stable::new_empty(correlation, {R, G}),
      .coefficients = return_coefficients ? torch::stable::new_empty(correlation, {R, G, M})
                                          : torch::stable::new_empty(correlation, {0}),
      .R = R,
      .G = G,
      .M = M,
      .d = d,
      .P = P,
      .with_coefficients = return_coefficients,
  };
}

}  // namespace reidops::sparse_reconstruct
