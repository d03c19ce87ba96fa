// problem.h - what the CPU kernels are handed: pointers, sizes, strides; nothing of torch.
#pragma once

#include <cstdint>

#include "sparse_reconstruct.h"

namespace reidops::sparse_reconstruct {

// The type of the columns or of the atoms in memory: T itself, or a narrower one.
enum class Storage : int { kSame, kHalf, kBFloat16 };

// R columns (probe blocks) against G dictionaries (gallery images) of M atoms each.
//
// With an index the columns are those of P probes, N = R / P each, and every probe meets dictionaries of its own: the
// columns of probe p meet, as number g, dictionary index[p, g] of the D that `gram` and `atoms` hold.  Without one P is
// 1, D is G, and all columns meet all dictionaries.
template <class T>
struct Problem {
  const T* gram;                // (D, M, M), contiguous
  const T* correlation;         // (R, G, M), last stride 1
  const T* energy;              // (R, G)
  const void* columns;          // (R, G, d); null: no data at hand
  const void* atoms;            // (D, M, d); null: no data at hand
  const int64_t* index;         // (P, G), contiguous, each in [0, D); null: none
  Storage columns_storage;
  Storage atoms_storage;
  int64_t correlation_stride[2];  // of R and of G, in elements; so below
  int64_t energy_stride[2];
  int64_t columns_stride[3];      // of R, of G and of d
  int64_t atoms_stride[3];        // of D, of M and of d
  int64_t R, G, M, d;
  int64_t P = 1;
  T beta, tolerance;
  int max_iterations;
  Solver solver;
  T* error;         // (R, G)
  T* gap;           // (R, G)
  T* coefficients;  // (R, G, M); null: not wanted
};

// The work is cut into tasks of up to kColumns columns of one probe and one dictionary, whose Gram stays in the cache from
// one task to the next.
constexpr int64_t kColumns = 16;

// Tasks for the columns that one probe has for one dictionary.
template <class T>
int64_t blocks(const Problem<T>& p) {
  return (p.R / p.P + kColumns - 1) / kColumns;
}
template <class T>
int64_t tasks(const Problem<T>& p) {
  return p.P * p.G * blocks(p);
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
