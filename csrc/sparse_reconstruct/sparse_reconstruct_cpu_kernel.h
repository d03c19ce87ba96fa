// sparse_reconstruct_cpu_kernel.h - the CPU kernel, compiled once for every instruction set.
#pragma once

#include <cmath>
#include <limits>

#include "../common/lanes.h"
#include "active_set.h"
#include "coordinate_descent.h"
#include "in_double.h"
#include "problem.h"
#include "rows.h"
#include "sparse_reconstruct.h"

namespace reidops::REIDOPS_ISA {

// Solves the columns of one dictionary after another, each by the solver that was asked for.  What that has not
// certified, its own rounding reckoned with, goes on in double (in_double.h): tiny penalties, and one column in many
// thousands.
template <class T>
class Kernel {
  static constexpr int kLanes = Lanes<T>::kCount;
  static constexpr int kCapacity = 64;
  static constexpr int kLargeCapacity = 1024;
  static constexpr int kTurns = 2;  // columns that take turns, so that one's work fills the other's waits

  struct Turn {
    ActiveSet<T> set;
    Buffer<T> correlation;
    int64_t r;
    bool busy;
  };

 public:
  explicit Kernel(const Problem<T>& problem) : p_(problem), rows_(problem) {
    atoms_ = (p_.M + kLanes - 1) / kLanes * kLanes;
    for (Turn& turn : turns_) {
      turn.set.reserve(atoms_, int(p_.M < kCapacity ? p_.M : kCapacity));
      turn.correlation.reserve(atoms_);
    }
  }

  void run(int64_t begin, int64_t end) {
    const int64_t blocks = sparse_reconstruct::blocks(p_), N = p_.R / p_.P;
    while (begin < end) {  // all that the range has of one probe and one dictionary
      const int64_t pair = begin / blocks;
      const int64_t stop = (pair + 1) * blocks < end ? (pair + 1) * blocks : end;
      const int64_t last = (stop - pair * blocks) * kColumns, first = pair / p_.G * N;
      dictionary(pair % p_.G, p_.index ? p_.index[pair] : pair % p_.G);
      columns(first + (begin - pair * blocks) * kColumns, first + (last < N ? last : N));
      begin = stop;
    }
  }

 private:
  // Place g of the table is dictionary `number`: its Gram, the rows padded with zeros to whole vectors, and what is to be
  // known of it.
  void dictionary(int64_t g, int64_t number) {
    g_ = g;
    if (number == number_) return;
    number_ = number;
    gram_ = p_.gram + number * p_.M * p_.M;
    largest_ = 0;
    for (int64_t j = 0; j < p_.M; ++j) largest_ = gram_[j * p_.M + j] > largest_ ? gram_[j * p_.M + j] : largest_;
    if (atoms_ != p_.M) {
      T* rows = padded_gram_.reserve(atoms_ * atoms_);
      for (int64_t j = 0; j < p_.M; ++j) std::memcpy(rows + j * atoms_, gram_ + j * p_.M, size_t(p_.M) * sizeof(T));
      gram_ = rows;
    }
    gram_is_finite_ = finite(gram_, p_.M * atoms_);
  }

  void columns(int64_t r, int64_t end) {
    if (p_.solver == Solver::kCoordinateDescent) {
      for (; r < end; ++r) descend(r);
      return;
    }
    int busy = 0;
    for (Turn& turn : turns_) busy += turn.busy = next(turn, r, end);
    while (busy > 0) {
      for (Turn& turn : turns_) {
        if (!turn.busy || turn.set.advance()) continue;
        const bool certified = turn.set.certified();
        if (!certified && turn.set.full()) solve_dense(turn.set, turn.r);
        else finish(turn.set, turn.set.size(), turn.r, turn.set.column());
        turn.busy = next(turn, r, end);
        busy -= !turn.busy;
      }
    }
  }

  // Gives the turn its next column.
  bool next(Turn& turn, int64_t& r, int64_t end) {
    for (; r < end; ++r) {
      const Column<T> column = described(r, turn.correlation.get());
      if (!solvable(r, column)) continue;
      turn.set.start(column, p_.tolerance, p_.max_iterations, p_.solver == Solver::kFeatureSign);
      turn.r = r++;
      return true;
    }
    return false;
  }

  void descend(int64_t r) {
    const Column<T> column = described(r, turns_[0].correlation.get());
    if (!solvable(r, column)) return;
    descent_.reserve(atoms_);
    descent_.solve(column, p_.tolerance, p_.max_iterations);
    finish(descent_, p_.M, r, column);
  }

  // A dense column.  Where atoms are unlike, sweeps over them cost less than to keep the inverse of so many; they are
  // tried for a while.  Where atoms are alike, there is no way round a larger set.
  void solve_dense(const ActiveSet<T>& set, int64_t r) {
    const Column<T>& column = set.column();
    if (rounding(column, set.sums()).largest > double(p_.tolerance) * double(column.t) / 4)
      return finish(set, set.size(), r, column);  // of no use: to be certified, it will have to go on in double
    T* start = start_.reserve(atoms_);
    for (int64_t j = 0; j < atoms_; ++j) start[j] = 0;
    for (int p = 0; p < set.size(); ++p) start[set.index(p)] = set.weight(p);
    descent_.reserve(atoms_);
    if (descent_.solve(column, p_.tolerance, p_.max_iterations, start, /*trial=*/true))
      return finish(descent_, p_.M, r, column);
    large_.reserve(atoms_, int(p_.M < kLargeCapacity ? p_.M : kLargeCapacity));
    large_.start(column, p_.tolerance, p_.max_iterations, p_.solver == Solver::kFeatureSign);
    while (large_.advance()) {
    }
    large_.certified();
    finish(large_, large_.size(), r, column);
  }

  // Column r with what rounding there is in it.
  Column<T> described(int64_t r, T* padded) const {
    Column<T> column = this->column(r, padded);
    column.largest = largest_;
    column.rounding = relative_rounding<T>(p_.d);
    return column;
  }

  // Whether the solver that was asked for can be tried; else the column is written here.
  bool solvable(int64_t r, const Column<T>& column) {
    if (!finite(column)) return write_nan(r), false;
    if (gram_is_finite_ && !vanishes(column)) return true;
    in_double_.start(p_.M);
    in_double(r, column);
    return false;
  }

  Column<T> column(int64_t r, T* padded) const {
    const T* c = p_.correlation + r * p_.correlation_stride[0] + g_ * p_.correlation_stride[1];
    // Columns lie a whole tile's row apart, where no hardware prefetcher looks.
    const char* ahead = reinterpret_cast<const char*>(c + kTurns * p_.correlation_stride[0]);
    for (int64_t i = 0; i < p_.M * int64_t(sizeof(T)); i += 64) __builtin_prefetch(ahead + i);
    if (atoms_ != p_.M) c = static_cast<const T*>(std::memcpy(padded, c, size_t(p_.M) * sizeof(T)));
    const T energy = p_.energy[r * p_.energy_stride[0] + g_ * p_.energy_stride[1]];
    return {gram_, atoms_, c, atoms_, energy, p_.beta / 2};
  }

  // NaN and infinity survive a multiplication with zero (as NaN), and a sum.
  static bool finite(const T* values, int64_t count) {
    Vector<T> total{};
    for (int64_t j = 0; j < count; j += kLanes) total += load(values + j) * T(0);
    return sum<T>(total) == T(0);
  }
  // A Gram matrix may overflow where the data does not: with the data at hand it is made again, in double.
  bool finite(const Column<T>& column) const {
    return column.energy * T(0) == T(0) && finite(column.correlation, column.atoms) && (gram_is_finite_ || rows_.at_hand());
  }

  // Whether float32 loses the digits of products because they are so small.
  bool vanishes(const Column<T>& column) const {
    constexpr T kSmall = T(1e-28);
    const T energy = column.energy;
    return sizeof(T) == sizeof(float) && ((energy > 0 && energy < kSmall) || (largest_ > 0 && largest_ < kSmall));
  }

  // Writes what a solver has reached; where that is not certified, what can be reached from there in double.
  template <class Result>
  REIDOPS_INLINE void finish(const Result& result, int64_t count, int64_t r, const Column<T>& column) {
    const Sums<double>& sums = result.sums();
    double error = expanded_error(double(column.energy), sums);
    if (rows_.at_hand() && expansion_lost_digits(T(error), column.energy, p_.tolerance))
      error = error_from_data(result, count, r);
    const double t = double(column.t), tolerance = double(p_.tolerance);
    const Certificate<double> certificate = certify(error, sums, t, rounding(column, sums));
    if (!(certificate.gap <= tolerance)) {
      double* start = in_double_.start(p_.M);
      for (int64_t k = 0; k < count; ++k)
        if (atom(result, k) < p_.M) start[atom(result, k)] = double(result.weight(k));
      return in_double(r, column);
    }
    p_.error[r * p_.G + g_] = T(certificate.error);
    p_.gap[r * p_.G + g_] = T(certificate.gap);
    if (!p_.coefficients) return;
    T* w = p_.coefficients + (r * p_.G + g_) * p_.M;
    if (p_.M > 0) std::memset(w, 0, size_t(p_.M) * sizeof(T));
    for (int64_t k = 0; k < count; ++k) {
      const int64_t j = atom(result, k);
      if (j < p_.M) w[j] = T(result.weight(k));
    }
  }

  // Goes on from the weights that in_double_ has been given, and writes.
  __attribute__((noinline)) void in_double(int64_t r, const Column<T>& column) {
    in_double_.solve(column, data(r), gram_is_finite_, number_,
                     {double(p_.tolerance), p_.max_iterations, p_.solver == Solver::kFeatureSign});
    p_.error[r * p_.G + g_] = T(in_double_.error());
    p_.gap[r * p_.G + g_] = T(in_double_.gap());
    if (!p_.coefficients) return;
    for (int64_t j = 0; j < p_.M; ++j) p_.coefficients[(r * p_.G + g_) * p_.M + j] = T(in_double_.weights()[j]);
  }

  Data<T> data(int64_t r) {
    if (!rows_.at_hand()) return {.d = p_.d, .M = p_.M};
    return {rows_.column(r, g_), rows_.atoms(number_), rows_.atom_stride(), p_.d, p_.M};
  }

  template <class S>
  static int64_t atom(const ActiveSet<S>& set, int64_t k) {
    return set.index(int(k));
  }
  template <class S>
  static int64_t atom(const CoordinateDescent<S>&, int64_t k) {
    return k;
  }

  // sum_i (x_i - sum_j w_j y_ji)^2, where the expansion has lost its digits: near-duplicates and tiny penalties.
  template <class Result>
  __attribute__((noinline)) double error_from_data(const Result& result, int64_t count, int64_t r) {
    const Data<T> given = data(r);
    double* rest = rest_.reserve(p_.d);
    given.load_column(rest);
    for (int64_t k = 0; k < count; ++k) {
      const double w = double(result.weight(k));
      if (w == 0) continue;  // and so it is for what pads the set
      const T* y = given.atoms + atom(result, k) * given.atom_stride;
      for (int64_t i = 0; i < p_.d; ++i) rest[i] -= w * double(y[i]);
    }
    double total = 0;
    for (int64_t i = 0; i < p_.d; ++i) total += rest[i] * rest[i];
    return total;
  }

  void write_nan(int64_t r) {
    const T nan = std::numeric_limits<T>::quiet_NaN();
    p_.error[r * p_.G + g_] = p_.gap[r * p_.G + g_] = nan;
    if (!p_.coefficients) return;
    for (int64_t j = 0; j < p_.M; ++j) p_.coefficients[(r * p_.G + g_) * p_.M + j] = nan;
  }

  const Problem<T>& p_;
  Rows<T> rows_;
  Turn turns_[kTurns];
  ActiveSet<T> large_;
  CoordinateDescent<T> descent_;
  InDouble<T> in_double_;
  Buffer<T> padded_gram_, start_;
  Buffer<double> rest_;
  const T* gram_ = nullptr;
  T largest_ = 0;  // energy of the dictionary's largest atom
  int64_t atoms_ = 0, g_ = -1, number_ = -1;
  bool gram_is_finite_ = true;
};

void solve(const Problem<float>& problem, int64_t begin, int64_t end) { Kernel<float>(problem).run(begin, end); }
void solve(const Problem<double>& problem, int64_t begin, int64_t end) { Kernel<double>(problem).run(begin, end); }

}  // namespace reidops::REIDOPS_ISA
