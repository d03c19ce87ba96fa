// The CPU kernels without torch, one copy after another up to the widest this machine has.
//
// With orthonormal atoms the lasso has a closed form: w_j = soft(c_j, beta / 2), and the error is
// e - sum_j w_j (2 c_j - w_j).
#include <vector>

#include "check.h"
#include "common/isa.h"
#include "sparse_reconstruct/problem.h"

namespace sr = reidops::sparse_reconstruct;

template <class T, class Solve>
void orthonormal_atoms(Solve solve, reidops::Isa isa, sr::Solver solver) {
  const int64_t M = 19, R = 3;
  const T beta = T(0.4);
  std::vector<T> gram(M * M), correlation(R * M), energy(R, T(40)), error(R), gap(R), coefficients(R * M);
  for (int64_t j = 0; j < M; ++j) gram[j * M + j] = 1;
  for (int64_t i = 0; i < R * M; ++i) correlation[i] = T(std::sin(double(i)));

  sr::Problem<T> problem{};
  problem.gram = gram.data();
  problem.correlation = correlation.data();
  problem.energy = energy.data();
  problem.correlation_stride[0] = M;
  problem.energy_stride[0] = 1;
  problem.R = R;
  problem.G = 1;
  problem.M = M;
  problem.beta = beta;
  problem.tolerance = T(1e-5);
  problem.max_iterations = 1000;
  problem.solver = solver;
  problem.error = error.data();
  problem.gap = gap.data();
  problem.coefficients = coefficients.data();
  solve(problem, 0, sr::tasks(problem));

  for (int64_t r = 0; r < R; ++r) {
    double expected = energy[r];
    for (int64_t j = 0; j < M; ++j) {
      const double c = correlation[r * M + j], w = sr::soft_threshold(c, double(beta) / 2);
      check_close(reidops::name(isa), coefficients[r * M + j], w, 1e-5);
      expected -= w * (2 * c - w);
    }
    check_close(reidops::name(isa), error[r], expected, 1e-4);
    check_close(reidops::name(isa), gap[r], 0, 1e-5);
  }
}

template <class Solve>
void every_solver(Solve solve, reidops::Isa isa) {
  for (const auto solver : {sr::Solver::kActiveSet, sr::Solver::kFeatureSign, sr::Solver::kCoordinateDescent}) {
    orthonormal_atoms<float>(solve, isa, solver);
    orthonormal_atoms<double>(solve, isa, solver);
  }
}

int main() {
  using reidops::Isa;
  const Isa widest = reidops::widest_cpu_isa();
  every_solver([](const auto&... arguments) { reidops::baseline::solve(arguments...); }, Isa::kBaseline);
#ifdef REIDOPS_X86
  if (widest >= Isa::kAvx2) {
    every_solver([](const auto&... arguments) { reidops::avx2::solve(arguments...); }, Isa::kAvx2);
  }
  if (widest >= Isa::kAvx512) {
    every_solver([](const auto&... arguments) { reidops::avx512::solve(arguments...); }, Isa::kAvx512);
  }
#endif
  std::printf("kernels up to %s: %d failures\n", reidops::name(widest), failures);
  return failures > 0;
}
