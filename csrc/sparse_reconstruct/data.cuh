// data.cuh - what a warp reads from the data themselves, the columns X and the atoms Y, and not from their Gram form.
#pragma once

#include "column.cuh"

namespace reidops::sparse_reconstruct {

// ||x - Yw||^2; keep(i, (x - Yw)_i) is called for every channel i, by the lane i % 32.
template <class T, int kRounds, class Stored, class Keep>
__device__ __forceinline__ T error_from_data(const Problem<Stored>& p, int row, int g, LaneVector<T, kRounds>& w,
                                             Keep keep) {
  constexpr int kEach = 4;
  const Stored* x = static_cast<const Stored*>(p.columns) + row * p.columns_stride[0] + g * p.columns_stride[1];
  const Stored* atoms = static_cast<const Stored*>(p.atoms) + g * p.atoms_stride[0];
  T total = 0;
  for (int64_t first = lane_index(); first - lane_index() < p.d; first += kEach * kWarp) {
    T rest[kEach];
#pragma unroll
    for (int n = 0; n < kEach; ++n) rest[n] = first + n * kWarp < p.d ? T(x[first + n * kWarp]) : T(0);
    for_each_nonzero(w, [&](int atom, T value) {
      const Stored* y = atoms + atom * p.atoms_stride[1];
#pragma unroll
      for (int n = 0; n < kEach; ++n)
        if (first + n * kWarp < p.d) rest[n] -= value * T(y[first + n * kWarp]);
    });
#pragma unroll
    for (int n = 0; n < kEach; ++n) {
      total += rest[n] * rest[n];
      if (first + n * kWarp < p.d) keep(first + n * kWarp, rest[n]);
    }
  }
  return warp_sum(total);
}

// r = Y'rho, of which each lane has kept its own channels; four atoms at a time, which one lane owns.
template <class T, class Stored>
__device__ __forceinline__ void correlate_with_data(const Problem<Stored>& p, int g, const T* rho,
                                                    LaneVector<T, kInMemory>& r) {
  const Stored* atoms = static_cast<const Stored*>(p.atoms) + g * p.atoms_stride[0];
  fill(r, T(0));
#pragma unroll 1
  for (int first = 0; first < p.M; first += 4) {
    T sums[4] = {};
    for (int64_t i = lane_index(); i < p.d; i += kWarp)
#pragma unroll
      for (int k = 0; k < 4; ++k)
        if (first + k < p.M) sums[k] += rho[i] * T(atoms[(first + k) * p.atoms_stride[1] + i]);
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const T sum = warp_sum(sums[k]);
      if (lane_index() == owner_of(first)) r.at(first / kRoundAtoms, k) = sum;
    }
  }
}

}  // namespace reidops::sparse_reconstruct
