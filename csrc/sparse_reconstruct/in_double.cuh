// in_double.cuh - the second pass: what the first could not certify is solved again in double, and from the data.
//
// Few columns need it.  So a warp looks at 32 of them at a time, one a lane, and solves those that the first pass left
// above the tolerance, or whose certificate was made of c and G too coarse for it.  All others keep their bits.
//
// The solvers are the first pass's, with T = double.  The Gram stays as it is; what its rounding changes is made good
// by iterative refinement.  At the w that was found, first w = 0,
//
//     rho = x - Yw,    r = Y'rho                     summed in double from the data: they certify w;
//     c = r + Gw,      e = ||rho||^2 + w . (c + r)   make a Gram form that has this r and this error at w,
//
// and to solve that one moves w on.  The best point so far is kept: each step starts from it, and it is what is
// written.  Without data, r = c - Gw and the error come from c, G and e as they are given, and the certificate is one
// for those.
//
// A Gram that was rounded may not be positive any more, and coordinate descent would follow a negative direction for
// ever.  It works with a raised diagonal, which the refinement takes out again.
#pragma once

#include <algorithm>
#include <cstdint>

#include "active_set.cuh"
#include "column.cuh"
#include "coordinate_descent.cuh"
#include "data.cuh"
#include "problem.h"

namespace reidops::sparse_reconstruct {

inline constexpr int kWideWarps = 4;             // of a block
inline constexpr int64_t kMostWideBlocks = 264;  // two on each of 132 multiprocessors: every warp has memory of its own
inline constexpr int kWideVectors = 5;            // vectors over the atoms there: r, w, reciprocals, c, best w
inline constexpr int kRefinements = 8;
inline constexpr double kNoise = 1e-14;  // of an objective in double, relatively
inline constexpr double kRidge = 1e-6;  // some roundings of float32, as many as may add up in a Gram

// Doubles of memory for a warp: the vectors over the atoms, and rho where there are data.
template <class Stored>
__host__ __device__ __forceinline__ int64_t doubles_of_a_warp(const Problem<Stored>& p) {
  return int64_t(kWideVectors) * kRoundAtoms * rounds_of(p.M) + (p.d + 1) / 2 * 2;
}

// One column, solved in double by one warp.
template <class Stored>
class WideColumn {
 public:
  __device__ __forceinline__ WideColumn(const Problem<Stored>& p, int gram_stride, int row, int g,
                                        Scratch<double>& scratch, double* memory)
      : p_(p), row_(row), g_(g), scratch_(scratch), r_(memory, 0, rounds_of(p.M)), w_(memory, 1, rounds_of(p.M)),
        reciprocal_(memory, 2, rounds_of(p.M)), c_(memory, 3, rounds_of(p.M)), best_(memory, 4, rounds_of(p.M)) {
    const int length = kRoundAtoms * rounds_of(p.M);
    rho_ = memory + int64_t(kWideVectors) * length;
    column_.gram = p.gram + g * p.M * gram_stride;
    column_.gram_stride = gram_stride;
    column_.correlation = memory + int64_t(3) * length;
    column_.fours = length;
    column_.atoms = static_cast<int>(p.M);
    column_.energy = &scratch.energy;
    column_.t = double(p.beta) / 2;
    set_suffices_ = p.solver != Solver::kCoordinateDescent;
  }

  __device__ __forceinline__ void solve(double largest) {
    largest_ = largest;
    const double tolerance = double(p_.tolerance);
    fill(w_, 0.0);
    look();
    remember();
#pragma unroll 1
    for (int refinement = 0; refinement <= kRefinements && best_gap_ > tolerance; ++refinement) {
      const double before = best_gap_;
      const bool reached = minimise(tolerance / 2);  // the other half is for what G hides
      look();
      keep();
      if (!reached || !(best_gap_ < before)) break;
    }
    write();
  }

 private:
  // r, error and certifying sums of w, from what is given.
  __device__ __forceinline__ void look() {
    sums_ = {};
    double reach = 0;  // sum_k |w_k| ||y_k||
    if (p_.columns != nullptr) {
      error_ = error_from_data(p_, row_, g_, w_, [&](int64_t i, double rest) { rho_[i] = rest; });
      correlate_with_data(p_, g_, rho_, r_);
    } else {
      load_given(c_);
      load_given(r_);
      for_each_nonzero(w_, [&](int atom, double w) { subtract_row(column_, atom, w, r_); });
    }
#pragma unroll 1
    for (int i = 0; i < r_.rounds(); ++i)
      for (int k = 0; k < 4; ++k) {
        const double w = w_.at(i, k);
        if (p_.columns == nullptr) sums_.wc += w * c_.at(i, k);
        sums_.wr += w * r_.at(i, k);
        sums_.l1 += w < 0 ? -w : w;
        const int atom = atom_of(i, lane_index(), k);
        if (w != 0) reach += (w < 0 ? -w : w) * sqrt(double(column_.row(atom)[atom]));
      }
    sums_ = warp_sums(sums_);
    reach = warp_sum(reach);
    sums_.r_max = largest(r_);
    const double energy = double(p_.energy[row_ * p_.energy_stride[0] + g_ * p_.energy_stride[1]]);
    Rounding<double> rounding;
    if (sizeof(Stored) < sizeof(double))
      rounding = rounding_of_gram_form(energy, largest_, reach, relative_rounding<double>(p_.d));
    if (p_.columns == nullptr) error_ = expanded_error(energy, sums_);
    gap_ = certify(error_, sums_, column_.t, rounding).gap;
    objective_ = error_ + 2 * column_.t * sums_.l1;
  }

  // Keeps w where it is better than the best point, which w becomes otherwise: certified, or of a smaller objective,
  // or, as far as that can be told, of a smaller gap.
  __device__ __forceinline__ void keep() {
    const double tolerance = double(p_.tolerance), noise = kNoise * best_objective_;
    bool better = gap_ <= tolerance;
    if (better == (best_gap_ <= tolerance)) {
      better = objective_ < best_objective_ - noise;
      if (!better && objective_ <= best_objective_ + noise) better = gap_ < best_gap_;
    }
    if (better) return remember();
    copy(best_, w_);
    look();
  }

  __device__ __forceinline__ void remember() {
    copy(w_, best_);
    best_gap_ = gap_;
    best_objective_ = objective_;
  }

  __device__ __forceinline__ static void copy(LaneVector<double, kInMemory>& from, LaneVector<double, kInMemory>& to) {
#pragma unroll 1
    for (int i = 0; i < from.rounds(); ++i)
      for (int k = 0; k < 4; ++k) to.at(i, k) = from.at(i, k);
    __syncwarp();
  }

  __device__ __forceinline__ void load_given(LaneVector<double, kInMemory>& c) const {
    const Stored* given = p_.correlation + row_ * p_.correlation_stride[0] + g_ * p_.correlation_stride[1];
#pragma unroll 1
    for (int i = 0; i < c.rounds(); ++i) {
      const Four<Stored> four = load_padded(given, atom_of(i, lane_index(), 0), column_.atoms, 0);
      for (int k = 0; k < 4; ++k) c.at(i, k) = double(four.at[k]);
    }
  }

  // c and e of the Gram form that agrees with what is given at w.
  __device__ __forceinline__ void expand() {
#pragma unroll 1
    for (int i = 0; i < r_.rounds(); ++i)
      for (int k = 0; k < 4; ++k) c_.at(i, k) = r_.at(i, k);
    for_each_nonzero(w_, [&](int atom, double w) { subtract_row(column_, atom, -w, c_); });
    double sum = 0;
#pragma unroll 1
    for (int i = 0; i < r_.rounds(); ++i)
      for (int k = 0; k < 4; ++k) sum += w_.at(i, k) * (c_.at(i, k) + r_.at(i, k));
    const double energy = error_ + warp_sum(sum);
    if (lane_index() == 0) scratch_.energy = energy;
    __syncwarp();
  }

  // Moves w to the minimum of the Gram form about it; false where it has not come near enough.
  __device__ __forceinline__ bool minimise(double tolerance) {
    if (set_suffices_) {
      expand();
      load_correlation(column_, r_);
      ActiveSet<double, kInMemory, Stored> set(column_, scratch_);
      set_suffices_ = set.solve(r_, tolerance, p_.max_iterations, p_.solver == Solver::kFeatureSign, sums_);
      set.scatter(w_);
      __syncwarp();  // the set reads c of other lanes
      if (set_suffices_) return true;
      look();
      keep();  // a Gram that is not positive leads anywhere
    }
    column_.ridge = kRidge;
    expand();
    sums_ = coordinate_descent(column_, w_, r_, reciprocal_, tolerance, p_.max_iterations);
    column_.ridge = 0;
    return certify(expanded_error(scratch_.energy, sums_), sums_, column_.t).gap <= tolerance;
  }

  __device__ __forceinline__ void write() {
    const int64_t out = row_ * p_.G + g_;
    if (lane_index() == 0) {
      p_.error[out] = static_cast<Stored>(error_);
      p_.gap[out] = static_cast<Stored>(gap_);
    }
    if (p_.coefficients != nullptr) write_coefficients(p_.coefficients + out * p_.M, column_.atoms, w_);
    __syncwarp();
  }

  const Problem<Stored>& p_;
  const int row_, g_;
  Scratch<double>& scratch_;
  LaneVector<double, kInMemory> r_, w_, reciprocal_, c_, best_;
  double* rho_;
  Column<double, kInMemory, Stored> column_;
  Sums<double> sums_;  // of w as it was last looked at; so are error, gap and objective
  double error_ = 0, gap_ = 1, objective_ = 0;
  double best_gap_ = 1, best_objective_ = 0;
  double largest_ = 0;  // energy of the largest atom
  bool set_suffices_;   // the active set has certified so far
};

// Energy of the dictionary's largest atom.
template <class Stored>
__device__ __forceinline__ Stored largest_energy(const Stored* gram, int atoms, int64_t gram_stride) {
  Stored largest = 0;
#pragma unroll 1
  for (int j = lane_index(); j < atoms; j += kWarp) {
    const Stored energy = gram[j * gram_stride + j];
    if (energy > largest) largest = energy;
  }
  return warp_max_nonnegative(largest);
}

// A column that is not finite has a NaN gap.  It is skipped and stays NaN.
template <class Stored>
__device__ __forceinline__ bool needs_double(const Problem<Stored>& p, int64_t row, int g, Stored largest) {
  if (row >= p.R) return false;
  const Stored gap = p.gap[row * p.G + g], energy = p.energy[row * p.energy_stride[0] + g * p.energy_stride[1]];
  return gap > p.tolerance || (gap <= p.tolerance && !certificate_is_sound(energy, largest, p.beta / 2, p.tolerance));
}

template <class Stored>
__global__ void __launch_bounds__(kWideWarps* kWarp, 2)
    sparse_reconstruct_in_double_kernel(const Problem<Stored> p, int gram_stride, double* memory) {
  Scratch<double>& scratch = dynamic_shared<Scratch<double>>()[warp_index()];
  const int64_t warp = int64_t(blockIdx.x) * kWideWarps + warp_index(), warps = int64_t(gridDim.x) * kWideWarps;
  memory += warp * doubles_of_a_warp(p);
  const int64_t items = (p.R + kWarp - 1) / kWarp * p.G;
#pragma unroll 1
  for (int64_t item = warp; item < items; item += warps) {
    const int g = static_cast<int>(item % p.G), first = static_cast<int>(item / p.G) * kWarp;
    const Stored largest = largest_energy(p.gram + g * p.M * gram_stride, static_cast<int>(p.M), gram_stride);
    unsigned rest = __ballot_sync(kAllLanes, needs_double(p, first + lane_index(), g, largest));
    __syncwarp();
#pragma unroll 1
    for (; rest != 0; rest &= rest - 1)
      WideColumn<Stored>(p, gram_stride, first + __ffs(static_cast<int>(rest)) - 1, g, scratch, memory)
          .solve(double(largest));
  }
}

// ---- launch --------------------------------------------------------------------------------------------------------

template <class Stored>
int64_t wide_blocks(const Problem<Stored>& p) {
  const int64_t items = (p.R + kWarp - 1) / kWarp * p.G;
  return std::min((items + kWideWarps - 1) / kWideWarps, kMostWideBlocks);
}

template <class Stored>
int64_t doubles_needed(const Problem<Stored>& p) {
  return wide_blocks(p) * kWideWarps * doubles_of_a_warp(p);
}

template <class Stored>
void launch_in_double(const Problem<Stored>& p, int gram_stride, double* memory, Stream stream) {
  if (p.M == 0) return;
  launch(sparse_reconstruct_in_double_kernel<Stored>, dim3(static_cast<unsigned>(wide_blocks(p))),
         dim3(kWideWarps * kWarp), kWideWarps * sizeof(Scratch<double>), stream, p, gram_stride, memory);
}

}  // namespace reidops::sparse_reconstruct
