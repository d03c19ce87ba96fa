// coordinate_descent.cuh - the lasso of one column by greedy coordinate descent, one warp a column.
//
// One coordinate at its optimum, the others held, is  w_j <- soft_threshold(r_j + G_jj w_j, t) / G_jj;  of all of them
// the one is taken that lowers the objective most.  With z_j = G_jj w_j and x_j = soft_threshold(r_j + z_j, t) - z_j
//
//     w_j += x_j / G_jj,   r -= (x_j / G_jj) G_j,   the objective falls by at least x_j^2 / G_jj.
//
// It needs no factor and no bound on the number of active atoms: the safety net of the active set.
#pragma once

#include "column.cuh"

namespace reidops::sparse_reconstruct {

// r = c - G w from scratch, and the sums that certify w.
template <class T, int kRounds, class Stored>
__device__ __forceinline__ Sums<T> refresh(const Column<T, kRounds, Stored>& column, LaneVector<T, kRounds>& w,
                                            LaneVector<T, kRounds>& r) {
  load_correlation(column, r);
  for_each_nonzero(w, [&](int atom, T value) { subtract_row(column, atom, value, r); });
  Sums<T> sums;
#pragma unroll
  for (int i = 0; i < r.rounds(); ++i) {
    const Four<T> c = correlation_at(column, i);
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const T value = w.at(i, k);
      sums.wc += value * c.at[k];
      sums.wr += value * r.at(i, k);
      sums.l1 += value < T(0) ? -value : value;
    }
  }
  sums = warp_sums(sums);
  sums.r_max = largest(r);
  return sums;
}

// Up to kGreedySteps steps; false where the first already would lower the objective by no more than `least`.
inline constexpr int kGreedySteps = 128;

template <class T, int kRounds, class Stored>
__device__ __forceinline__ bool greedy_steps(const Column<T, kRounds, Stored>& column, LaneVector<T, kRounds>& z,
                                             LaneVector<T, kRounds>& reciprocal, LaneVector<T, kRounds>& r, T least) {
#pragma unroll 1
  for (int step = 0; step < kGreedySteps; ++step) {
    T best = 0, x = 0, change = 0;
    int slot = 0;
#pragma unroll
    for (int i = 0; i < r.rounds(); ++i)
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        const T move = soft_threshold(r.at(i, k) + z.at(i, k), column.t) - z.at(i, k);
        const T decrease = move * move * reciprocal.at(i, k);
        if (decrease > best) best = decrease, x = move, change = move * reciprocal.at(i, k), slot = 4 * i + k;
      }
    const T most = warp_max_nonnegative(best);
    if (!(most > least)) return step > 0;
    const int chosen = warp_min_index(best == most ? atom_in_slot(slot) : kNoAtom);
#pragma unroll
    for (int i = 0; i < r.rounds(); ++i)
#pragma unroll
      for (int k = 0; k < 4; ++k) z.at(i, k) += chosen == atom_of(i, lane_index(), k) ? x : T(0);
    subtract_row(column, chosen, __shfl_sync(kAllLanes, change, owner_of(chosen)), r);
  }
  return true;
}

// Minimises from the given w and returns its sums; `reciprocal` is room to work in.
template <class T, int kRounds, class Stored>
__device__ __forceinline__ Sums<T> coordinate_descent(
    const Column<T, kRounds, Stored>& column, LaneVector<T, kRounds>& w, LaneVector<T, kRounds>& r,
    LaneVector<T, kRounds>& reciprocal, T tolerance, int max_iterations) {
#pragma unroll
  for (int i = 0; i < w.rounds(); ++i)
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const int atom = atom_of(i, lane_index(), k);
      const T energy = atom < column.atoms ? column.energy_of(atom) : T(0);
      reciprocal.at(i, k) = energy > T(0) ? 1 / energy : T(0);  // an atom that is zero never moves
      if (!(w.at(i, k) * 0 == T(0))) w.at(i, k) = 0;
    }
  // r is uncertain by some roundings of ||x|| ||y_j||; a step as small as that means nothing.
  const T least = unit_roundoff<T>() * unit_roundoff<T>() * *column.energy;
  bool moved = true;
#pragma unroll 1
  for (int iteration = 0;; ++iteration) {
    const Sums<T> sums = refresh(column, w, r);
    const T error = expanded_error(*column.energy, sums);
    if (iteration == 0 && !(error + 2 * column.t * sums.l1 <= *column.energy)) {
      fill(w, T(0));  // a better start: the objective is ||x||^2 there
      continue;
    }
    const T gap = certify(error, sums, column.t).gap;
    if (gap <= tolerance || iteration >= max_iterations || !moved) return sums;
#pragma unroll
    for (int i = 0; i < w.rounds(); ++i)
#pragma unroll
      for (int k = 0; k < 4; ++k) w.at(i, k) = reciprocal.at(i, k) > T(0) ? w.at(i, k) / reciprocal.at(i, k) : T(0);
    moved = greedy_steps(column, w, reciprocal, r, least);
#pragma unroll
    for (int i = 0; i < w.rounds(); ++i)
#pragma unroll
      for (int k = 0; k < 4; ++k) w.at(i, k) *= reciprocal.at(i, k);
  }
}

}  // namespace reidops::sparse_reconstruct
