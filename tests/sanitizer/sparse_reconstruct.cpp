// sparse_reconstruct.cpp - every solver, with and without the data, at penalties down to almost none.
#include <cmath>
#include <cstdio>
#include <memory>
#include <random>
#include <type_traits>

#include "memory.h"
#include "sparse_reconstruct/problem.h"

namespace sr = reidops::sparse_reconstruct;
using reidops::BFloat16;

namespace {

// Columns and atoms of whatever rank, and what repeats, is zero, or is no number.  A penalty near zero takes a column
// through every stage: a full set, sweeps, a larger set, and in double a Gram form, an orthogonal set, sweeps again.
template <class T>
void reconstruct(int64_t R, int64_t G, int64_t M, int64_t d, double beta, sr::Solver solver, bool with_data, bool bad,
                 std::mt19937& random) {
  ++calls;
  Exact<T> x(R * G * d), y(G * M * d), gram(G * M * M), correlation(R * G * M), energy(R * G), error(R * G), gap(R * G),
      coefficients(R * G * M);
  std::normal_distribution<double> normal;
  for (int64_t i = 0; i < x.size(); ++i) x.set(i, normal(random));
  for (int64_t i = 0; i < y.size(); ++i) y.set(i, i >= d && i % (5 * d) < d ? y[i % d] : normal(random));  // repeats
  if (bad && x.size() > 0) x.set(x.size() - 1, NAN);
  for (int64_t g = 0; g < G; ++g)
    for (int64_t j = 0; j < M; ++j) {
      const auto dot = [&](const Exact<T>& v, int64_t start) {
        double sum = 0;
        for (int64_t i = 0; i < d; ++i) sum += v[start + i] * y[(g * M + j) * d + i];
        return sum;
      };
      for (int64_t k = 0; k < M; ++k) gram.set((g * M + j) * M + k, dot(y, (g * M + k) * d));
      for (int64_t r = 0; r < R; ++r) correlation.set((r * G + g) * M + j, dot(x, (r * G + g) * d));
    }
  for (int64_t i = 0; i < R * G; ++i) {
    double sum = 0;
    for (int64_t k = 0; k < d; ++k) sum += x[i * d + k] * x[i * d + k];
    energy.set(i, sum);
  }
  sr::Problem<T> p{};
  p.gram = gram.get(), p.correlation = correlation.get(), p.energy = energy.get();
  if (with_data) p.columns = x.get(), p.atoms = y.get();
  p.correlation_stride[0] = G * M, p.correlation_stride[1] = M, p.energy_stride[0] = G, p.energy_stride[1] = 1;
  p.columns_stride[0] = G * d, p.columns_stride[1] = d, p.columns_stride[2] = 1;
  p.atoms_stride[0] = M * d, p.atoms_stride[1] = d, p.atoms_stride[2] = 1;
  // The same data with channels outermost, for floats in a half type; and dictionaries chosen in turn.
  const bool planar = random() % 2;
  const auto turned = [&](const Exact<T>& rows, auto& to, int64_t items, int64_t length) {
    for (int64_t i = 0; i < items; ++i)
      for (int64_t j = 0; j < length; ++j)
        for (int64_t k = 0; k < d; ++k) to.set((i * d + k) * length + j, rows[(i * length + j) * d + k]);
  };
  using Stored = std::conditional_t<sizeof(T) == 4, BFloat16, T>;
  Exact<Stored> planar_x(x.size()), planar_y(y.size());
  if (planar && with_data) {
    turned(x, planar_x, 1, R * G), turned(y, planar_y, G, M);
    p.columns = planar_x.get(), p.atoms = planar_y.get();
    p.columns_storage = p.atoms_storage = sizeof(T) == 4 ? sr::Storage::kBFloat16 : sr::Storage::kSame;
    p.columns_stride[0] = G, p.columns_stride[1] = 1, p.columns_stride[2] = R * G;
    p.atoms_stride[1] = 1, p.atoms_stride[2] = M;
  }
  const auto index = std::make_unique<int64_t[]>(size_t(R * G));
  for (int64_t i = 0; i < R * G; ++i) index[i] = i % G;
  if (planar) p.index = index.get(), p.P = R;
  p.R = R, p.G = G, p.M = M, p.d = d, p.beta = T(beta), p.tolerance = T(1e-4), p.max_iterations = 300;
  p.solver = solver, p.error = error.get(), p.gap = gap.get(), p.coefficients = coefficients.get();
  tested::solve(p, 0, sr::tasks(p));
  for (int64_t i = 0; i < R * G; ++i)
    if (!(error[i] >= 0 && error[i] <= energy[i] * 1.01) && !(bad && i == R * G - 1)) {
      ++failures;
      std::fprintf(stderr, "sparse_reconstruct: an error of %g of %g; M %lld, d %lld, beta %g\n", error[i], energy[i],
                   (long long)M, (long long)d, beta);
      return;
    }
}

template <class T>
void reconstruct_anything(unsigned seed) {
  std::mt19937 random(seed);
  for (const int64_t M : {0, 1, 7, 16, 33, 70, 100})
    for (const auto solver : {sr::Solver::kActiveSet, sr::Solver::kFeatureSign, sr::Solver::kCoordinateDescent})
      for (const double beta : {0.5, 1e-3, 1e-12})
        reconstruct<T>(1 + int64_t(random() % 19), 1 + int64_t(random() % 2), M, M > 40 ? 96 : random() % 2 ? 5 : 18,
                       beta, solver, random() % 2, random() % 2, random);
}

}  // namespace

void test_sparse_reconstruct() {
  reconstruct_anything<float>(9);
  reconstruct_anything<double>(10);
}
