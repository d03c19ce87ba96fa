// sparse_reconstruct_cpu_kernel.h - the CPU kernel, compiled once for every instruction set.
#pragma once

#include <cmath>
#include <limits>

#include "../common/lanes.h"
#include "active_set.h"
#include "coordinate_descent.h"
#include "problem.h"
#include "sparse_reconstruct.h"

namespace reidops::REIDOPS_ISA {

// Solves the columns of one dictionary after another.  A column goes through up to three stages, until one certifies it:
// the solver that was asked for; the same active set in double, with room for every atom; coordinate descent in double.
// Beyond the first goes what float32 or a bounded active set cannot do: one column in many thousands.
template <class T>
class Kernel {
  static constexpr int kLanes = Lanes<T>::kCount;
  static constexpr int kCapacity = 64;
  static constexpr int kLargeCapacity = 1024;

 public:
  explicit Kernel(const Problem<T>& problem) : p_(problem) {
    atoms_ = (p_.M + kLanes - 1) / kLanes * kLanes;
    padded_ = atoms_ != p_.M;
    column_.atoms = atoms_;
    column_.stride = atoms_;
    column_.t = p_.beta / 2;
    active_set_.reserve(atoms_, int(p_.M < kCapacity ? p_.M : kCapacity));
    if (padded_) correlation_.reserve(atoms_);
  }

  void run(int64_t begin, int64_t end) {
    const int64_t blocks = (p_.R + kColumns - 1) / kColumns;
    for (int64_t task = begin; task < end; ++task) {
      const int64_t g = task / blocks, first = task % blocks * kColumns;
      const int64_t last = first + kColumns < p_.R ? first + kColumns : p_.R;
      dictionary(g);
      for (int64_t r = first; r < last; ++r) column(r, g);
    }
  }

 private:
  void dictionary(int64_t g) {
    if (g == g_) return;
    g_ = g;
    double_g_ = -1;
    gram_ = p_.gram + g * p_.M * p_.M;
    column_.gram = gram_;
    if (!padded_) return;
    T* rows = grams_.reserve(atoms_ * atoms_);
    for (int64_t j = 0; j < p_.M; ++j) std::memcpy(rows + j * atoms_, gram_ + j * p_.M, size_t(p_.M) * sizeof(T));
    column_.gram = rows;
  }

  void column(int64_t r, int64_t g) {
    const T* c = p_.correlation + r * p_.correlation_stride[0] + g * p_.correlation_stride[1];
    column_.energy = p_.energy[r * p_.energy_stride[0] + g * p_.energy_stride[1]];
    column_.correlation = c;
    if (padded_) {
      std::memcpy(correlation_.get(), c, size_t(p_.M) * sizeof(T));
      column_.correlation = correlation_.get();
    }
    if (!finite()) return write_nan(r, g);
    if (p_.solver == Solver::kCoordinateDescent) {
      descent_.reserve(atoms_);
      const bool done = descent_.solve(column_, p_.tolerance, p_.max_iterations);
      if (done || sizeof(T) == sizeof(double)) return write(descent_, p_.M, r, g);
    } else if (active_set_.solve(column_, p_.tolerance, p_.max_iterations, p_.solver == Solver::kFeatureSign)) {
      return write(active_set_, active_set_.size(), r, g);
    }
    column_in_double(r, g);
  }

  // NaN and infinity survive a multiplication with zero (as NaN), and a sum.
  bool finite() const {
    Vector<T> total{};
    for (int64_t j = 0; j < atoms_; j += kLanes) total += load(column_.correlation + j) * T(0);
    return sum<T>(total) + column_.energy * T(0) == T(0);
  }

  __attribute__((noinline)) void column_in_double(int64_t r, int64_t g) {
    const int64_t atoms = (p_.M + 7) / 8 * 8;
    if (double_g_ != g) {
      double* rows = double_gram_.reserve(atoms * atoms);
      for (int64_t j = 0; j < p_.M; ++j)
        for (int64_t k = 0; k < p_.M; ++k) rows[j * atoms + k] = double(gram_[j * p_.M + k]);
      double_g_ = g;
    }
    double* c = double_correlation_.reserve(atoms);
    for (int64_t j = 0; j < p_.M; ++j) c[j] = double(column_.correlation[j]);
    const Column<double> column{double_gram_.get(), atoms, c, atoms, double(column_.energy), double(p_.beta) / 2};
    if (p_.solver != Solver::kCoordinateDescent) {
      large_.reserve(atoms, int(p_.M < kLargeCapacity ? p_.M : kLargeCapacity));
      if (large_.solve(column, p_.tolerance, p_.max_iterations, p_.solver == Solver::kFeatureSign))
        return write(large_, large_.size(), r, g);
    }
    double_descent_.reserve(atoms);
    double_descent_.solve(column, p_.tolerance, p_.max_iterations);
    write(double_descent_, p_.M, r, g);
  }

  template <class S>
  static int64_t atom(const ActiveSet<S>& set, int64_t k) {
    return set.index(int(k));
  }
  template <class S>
  static int64_t atom(const CoordinateDescent<S>&, int64_t k) {
    return k;
  }

  template <class Result>
  REIDOPS_INLINE void write(const Result& result, int64_t count, int64_t r, int64_t g) {
    const auto& sums = result.sums();
    const auto t = decltype(sums.l1)(p_.beta) / 2;
    auto error = expanded_error(decltype(sums.l1)(column_.energy), sums);
    if (p_.columns && expansion_lost_digits(T(error), column_.energy, p_.tolerance))
      error = error_from_data(result, count, r, g);
    const auto certificate = certify(error, sums, t);
    p_.error[r * p_.G + g] = T(certificate.error);
    p_.gap[r * p_.G + g] = T(certificate.gap);
    if (!p_.coefficients) return;
    T* w = p_.coefficients + (r * p_.G + g) * p_.M;
    std::memset(w, 0, size_t(p_.M) * sizeof(T));
    for (int64_t k = 0; k < count; ++k) {
      const int64_t j = atom(result, k);
      if (j < p_.M) w[j] = T(result.weight(k));
    }
  }

  // sum_i (x_i - sum_j w_j y_ji)^2, where the expansion has lost its digits: near-duplicates and tiny penalties.
  template <class Result>
  __attribute__((noinline)) double error_from_data(const Result& result, int64_t count, int64_t r, int64_t g) {
    const T* x = p_.columns + r * p_.columns_stride[0] + g * p_.columns_stride[1];
    double* rest = rest_.reserve(p_.d);
    for (int64_t i = 0; i < p_.d; ++i) rest[i] = double(x[i]);
    for (int64_t k = 0; k < count; ++k) {
      const double w = double(result.weight(k));
      if (w == 0) continue;
      const T* y = p_.atoms + g * p_.atoms_stride[0] + atom(result, k) * p_.atoms_stride[1];
      for (int64_t i = 0; i < p_.d; ++i) rest[i] -= w * double(y[i]);
    }
    double total = 0;
    for (int64_t i = 0; i < p_.d; ++i) total += rest[i] * rest[i];
    return total;
  }

  void write_nan(int64_t r, int64_t g) {
    const T nan = std::numeric_limits<T>::quiet_NaN();
    p_.error[r * p_.G + g] = p_.gap[r * p_.G + g] = nan;
    if (!p_.coefficients) return;
    for (int64_t j = 0; j < p_.M; ++j) p_.coefficients[(r * p_.G + g) * p_.M + j] = nan;
  }

  const Problem<T>& p_;
  Column<T> column_{};
  ActiveSet<T> active_set_;
  CoordinateDescent<T> descent_;
  ActiveSet<double> large_;
  CoordinateDescent<double> double_descent_;
  Buffer<T> grams_, correlation_;
  Buffer<double> double_gram_, double_correlation_, rest_;
  const T* gram_ = nullptr;
  int64_t atoms_ = 0, g_ = -1, double_g_ = -1;
  bool padded_ = false;
};

void solve(const Problem<float>& problem, int64_t begin, int64_t end) { Kernel<float>(problem).run(begin, end); }
void solve(const Problem<double>& problem, int64_t begin, int64_t end) { Kernel<double>(problem).run(begin, end); }

}  // namespace reidops::REIDOPS_ISA
