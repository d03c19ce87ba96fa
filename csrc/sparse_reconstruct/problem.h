// problem.h - what the CPU kernels are handed: pointers, sizes, strides; nothing of torch.
#pragma once

#include <cstdint>

#include "sparse_reconstruct.h"

namespace reidops::sparse_reconstruct {

// R columns (probe blocks) against G dictionaries (gallery images) of M atoms each.
template <class T>
struct Problem {
  const T* gram;                // (G, M, M), contiguous
  const T* correlation;         // (R, G, M), last stride 1
  const T* energy;              // (R, G)
  const T* columns;             // (R, G, d), last stride 1; null: no data at hand
  const T* atoms;               // (G, M, d), last stride 1; null: no data at hand
  int64_t correlation_stride[2];  // of R and of G, in elements; so below
  int64_t energy_stride[2];
  int64_t columns_stride[2];
  int64_t atoms_stride[2];        // of G and of M
  int64_t R, G, M, d;
  T beta, tolerance;
  int max_iterations;
  Solver solver;
  T* error;         // (R, G)
  T* gap;           // (R, G)
  T* coefficients;  // (R, G, M); null: not wanted
};

// The work is cut into tasks of up to kColumns columns of one dictionary, whose Gram stays in the cache from one task to the next.
constexpr int64_t kColumns = 16;

template <class T>
int64_t tasks(const Problem<T>& p) {
  return p.G * ((p.R + kColumns - 1) / kColumns);
}

}  // namespace reidops::sparse_reconstruct

// One solve() for every instruction set, each compiled from sparse_reconstruct_cpu_kernel.h; runs tasks [begin, end).
#define REIDOPS_DECLARE_SOLVE(isa)                                                                   \
  namespace reidops::isa {                                                                           \
  void solve(const sparse_reconstruct::Problem<float>& problem, int64_t begin, int64_t end);         \
  void solve(const sparse_reconstruct::Problem<double>& problem, int64_t begin, int64_t end);        \
  }
REIDOPS_DECLARE_SOLVE(baseline)
REIDOPS_DECLARE_SOLVE(avx2)
REIDOPS_DECLARE_SOLVE(avx512)
#undef REIDOPS_DECLARE_SOLVE
