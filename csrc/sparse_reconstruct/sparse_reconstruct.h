// sparse_reconstruct.h - the arithmetic of sparse reconstruction, shared by the CPU and the CUDA kernels.
//
// For one probe column x and one gallery dictionary Y (d x M) the lasso of DSR, eq. 3, is
//
//     P(w) = ||x - Yw||^2 + beta |w|_1.
//
// The kernels see it only through the Gram form
//
//     G = Y'Y  (M x M),    c = Y'x  (M),    e = x'x,    t = beta / 2,
//
// whose half gradient is r = c - Gw = Y'(x - Yw), the correlation of every atom with what is left.  The optimum is
// where (KKT)
//
//     r_j = t sign(w_j)  where w_j != 0,      |r_j| <= t  where w_j == 0.
#pragma once

#include <cmath>
#include <cstdint>

#include "../common/portable.h"

namespace reidops::sparse_reconstruct {

// The names of these, in this order, are SOLVERS in reidops/_ops/sparse_reconstruct_gram.py.
enum class Solver : int { kActiveSet = 0, kFeatureSign = 1, kCoordinateDescent = 2 };
constexpr int kSolvers = 3;

// A coefficient is a soft threshold of what it would be without the penalty: argmin_w 1/2 w^2 - b w + t |w|.
template <class T>
REIDOPS_HOST_DEVICE T soft_threshold(T b, T t) {
  return b > t ? b - t : b < -t ? b + t : T(0);
}

// What is summed over the atoms of one column to certify it; r = c - Gw is computed afresh from c and G, never from
// the solver's own running copy, so that the drift of an iterate cannot certify itself.
template <class T>
struct Sums {
  T wc = 0;     // w . c
  T wr = 0;     // w . r
  T l1 = 0;     // |w|_1
  T r_max = 0;  // max_j |r_j|
};

template <class T>
struct Certificate {
  T error;  // ||x - Yw||^2
  T gap;    // (P(w) - D(u)) / P(w): how far above the optimum P(w) can be, relatively
};

// Error and relative duality gap.
//
// The dual of the lasso is max_u D(u) = ||x||^2 - ||x - u||^2 over |Y'u|_inf <= t.  With the residual rho = x - Yw and
// the scale a = min(1, t / |Y'rho|_inf), u = a rho is feasible; and since x . rho = ||rho||^2 + w . r,
//
//     P(w) - D(a rho) = (1 - a)^2 ||rho||^2 + 2 (t |w|_1 - a w . r),
//
// a sum of two terms that are never negative: nothing as large as ||x||^2 is subtracted, so float32 keeps its digits.
// ||rho||^2 = e - w . (c + r) does subtract; `error` may be replaced by one that was computed from the data.
template <class T>
REIDOPS_HOST_DEVICE T expanded_error(T energy, const Sums<T>& s) {
  const T error = energy - s.wc - s.wr;
  return error < T(0) ? T(0) : error;  // a NaN stays one
}

// a = min(1, t / |Y'rho|_inf).
template <class T>
REIDOPS_HOST_DEVICE T feasible_scale(T r_max, T t) {
  return r_max > t ? t / r_max : T(1);
}

// What r = c - Gw may be off by.
template <class T>
struct Rounding {
  T largest = 0;  // any r_j
  T product = 0;  // w . r
};

// The gap is that of the worst case: every |r_j| larger, and w . r smaller, by what rounding may have done to them.  It
// is never above 1, for u = 0 is feasible, too.
template <class T>
REIDOPS_HOST_DEVICE Certificate<T> certify(T error, const Sums<T>& s, T t, const Rounding<T>& rounding = {}) {
  const T a = feasible_scale(s.r_max + rounding.largest, t);
  const T slack = t * s.l1 - a * (s.wr - rounding.product);
  const T primal = error + 2 * t * s.l1;
  const T gap = (1 - a) * (1 - a) * error + 2 * (slack > T(0) ? slack : T(0));
  const T relative = primal > T(0) ? gap / primal : gap;
  return {error, relative > T(1) ? T(1) : relative};  // a NaN stays one
}

// Rounding of one sum, relative to the sizes of what is summed.
template <class T>
REIDOPS_HOST_DEVICE T unit_roundoff() {
  return sizeof(T) == 4 ? T(6e-8) : T(1.1e-16);
}

// Of r_j = c_j - sum_k w_k G_jk, where c and G are sums of `channels` products: relative to ||y_j|| (||x|| + reach),
// with reach = sum_k |w_k| ||y_k||.  A bound for any order of the sums would be `channels` roundings, in float32 more
// than the tolerance.  Independent roundings grow with the root of their number.  Over features of 64 to 65,536
// channels, alike and unlike, in float32, r_j was off by at most 0.75 of this number.
template <class T>
REIDOPS_HOST_DEVICE double relative_rounding(int64_t channels) {
  return (4 + std::sqrt(double(channels)) / 16) * double(unit_roundoff<T>());
}

// Where only |w|_1 is known, `reach` is at most that times the length of the longest atom.  In w . r roundings of
// several atoms cancel; over the same features it was off by at most 0.23 of relative * reach (||x|| + reach).
template <class T>
REIDOPS_HOST_DEVICE Rounding<T> rounding_of_gram_form(T energy, T largest_atom_energy, T reach, T relative) {
  const T rounding = relative * (std::sqrt(energy) + reach);
  return {rounding * std::sqrt(largest_atom_energy), rounding * reach / 3};
}

// The expansion of ||rho||^2 loses about 8 roundings of e; where that is more than the tolerance allows of the error,
// the residual itself has to be summed.
template <class T>
REIDOPS_HOST_DEVICE bool expansion_lost_digits(T error, T energy, T tolerance) {
  return error * tolerance < 16 * unit_roundoff<T>() * energy;
}

// A certificate is as good as the c and G it is made of.  Their rounding moves r_j by about 4 roundings of
// ||x|| ||y_j||; it must stay below the share of t that the tolerance speaks of.
template <class T>
REIDOPS_HOST_DEVICE bool certificate_is_sound(T energy, T largest_atom_energy, T t, T tolerance) {
  const T rounding = 4 * unit_roundoff<T>();
  const T allowed = tolerance * t;
  // Squared, but never as one product: of features as small as 1e-12 it is nothing in float32, of 1e10 it is infinite.
  return (rounding * energy / allowed) * (rounding * largest_atom_energy / allowed) <= T(1);
}

// How far w may go towards `target` before a coefficient of this sign reaches zero; 1 or more: all the way.
template <class T>
REIDOPS_HOST_DEVICE T crossing(T w, T target, T sign) {
  return target * sign < T(0) ? w / (w - target) : T(2);
}

// An atom whose Schur complement (its squared distance from the span of the active ones) is below this share of its
// own energy repeats them: flat image regions give many such atoms.
template <class T>
REIDOPS_HOST_DEVICE T pivot_floor() {
  return sizeof(T) == 4 ? T(1e-5) : T(1e-11);
}

}  // namespace reidops::sparse_reconstruct
