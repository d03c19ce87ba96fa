// sparse_reconstruct_cpu_kernel.h - the CPU kernel, compiled once for every instruction set.
#pragma once

#include <cmath>
#include <limits>

#include "../common/lanes.h"
#include "active_set.h"
#include "coordinate_descent.h"
#include "data.h"
#include "problem.h"
#include "sparse_reconstruct.h"

namespace reidops::REIDOPS_ISA {

// Solves the columns of one dictionary after another.  A column goes through up to three stages, until one certifies it:
// the solver that was asked for; an active set in double, with room for a thousand atoms; coordinate descent in double.
// Beyond the first goes what float32 or a bounded active set cannot do: tiny penalties, and one column in many thousands.
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
  explicit Kernel(const Problem<T>& problem) : p_(problem), data_(problem) {
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
    double_number_ = -1;
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
        if (turn.set.certified()) write(turn.set, turn.set.size(), turn.r, turn.set.column());
        else in_double(turn.r, turn.set.column());
        turn.busy = next(turn, r, end);
        busy -= !turn.busy;
      }
    }
  }

  // Gives the turn its next column.
  bool next(Turn& turn, int64_t& r, int64_t end) {
    for (; r < end; ++r) {
      const Column<T> column = this->column(r, turn.correlation.get());
      if (!finite(column)) {
        write_nan(r);
        continue;
      }
      if (!sound(column)) {
        in_double(r, column);
        continue;
      }
      turn.set.start(column, p_.tolerance, p_.max_iterations, p_.solver == Solver::kFeatureSign);
      turn.r = r++;
      return true;
    }
    return false;
  }

  void descend(int64_t r) {
    const Column<T> column = this->column(r, turns_[0].correlation.get());
    if (!finite(column)) return write_nan(r);
    descent_.reserve(atoms_);
    if (sound(column) && descent_.solve(column, p_.tolerance, p_.max_iterations)) write(descent_, p_.M, r, column);
    else in_double(r, column);
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
    return column.energy * T(0) == T(0) && finite(column.correlation, column.atoms) && (gram_is_finite_ || data_.at_hand());
  }

  // Whether the certificate can be believed; in double there is nothing better to turn to.
  bool sound(const Column<T>& column) const {
    if (!gram_is_finite_) return false;
    return sizeof(T) == sizeof(double) || certificate_is_sound(column.energy, largest_, column.t, p_.tolerance);
  }

  __attribute__((noinline)) void in_double(int64_t r, const Column<T>& column) {
    const int64_t atoms = (p_.M + 7) / 8 * 8;
    if (double_number_ != number_) gram_in_double(atoms);
    double* c = double_correlation_.reserve(atoms);
    const T* x = data_.at_hand() ? data_.column(r, g_) : nullptr;
    for (int64_t j = 0; j < p_.M; ++j) c[j] = x ? dot(x, atom_data(j)) : double(column.correlation[j]);
    const double energy = x ? dot(x, x) : double(column.energy);
    const Column<double> same{double_gram_.get(), atoms, c, atoms, energy, double(p_.beta) / 2};
    large_.reserve(atoms, int(p_.M < kLargeCapacity ? p_.M : kLargeCapacity));
    large_.start(same, p_.tolerance, p_.max_iterations, p_.solver == Solver::kFeatureSign);
    while (large_.advance()) {
    }
    if (large_.certified()) return write(large_, large_.size(), r, column);
    double_descent_.reserve(atoms);
    double_descent_.solve(same, p_.tolerance, p_.max_iterations);
    write(double_descent_, p_.M, r, column);
  }

  // From the data where they are at hand: their products in float32 are what a column in double is here to avoid.
  void gram_in_double(int64_t atoms) {
    double_number_ = number_;
    double* rows = double_gram_.reserve(atoms * atoms);
    for (int64_t j = 0; j < p_.M; ++j)
      for (int64_t k = 0; k <= j; ++k)
        rows[j * atoms + k] = rows[k * atoms + j] =
            data_.at_hand() ? dot(atom_data(j), atom_data(k)) : double(gram_[j * atoms_ + k]);
  }

  const T* atom_data(int64_t j) { return data_.atom(number_, j); }

  double dot(const T* a, const T* b) const {
    double sums[8] = {};
    int64_t i = 0;
    for (; i + 8 <= p_.d; i += 8)
      for (int k = 0; k < 8; ++k) sums[k] += double(a[i + k]) * double(b[i + k]);
    for (; i < p_.d; ++i) sums[0] += double(a[i]) * double(b[i]);
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
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
  REIDOPS_INLINE void write(const Result& result, int64_t count, int64_t r, const Column<T>& column) {
    const auto& sums = result.sums();
    const auto t = decltype(sums.l1)(p_.beta) / 2;
    auto error = expanded_error(decltype(sums.l1)(column.energy), sums);
    if (data_.at_hand() && expansion_lost_digits(T(error), column.energy, p_.tolerance))
      error = error_from_data(result, count, r);
    const auto certificate = certify(error, sums, t);
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

  // sum_i (x_i - sum_j w_j y_ji)^2, where the expansion has lost its digits: near-duplicates and tiny penalties.
  template <class Result>
  __attribute__((noinline)) double error_from_data(const Result& result, int64_t count, int64_t r) {
    const T* x = data_.column(r, g_);
    double* rest = rest_.reserve(p_.d);
    for (int64_t i = 0; i < p_.d; ++i) rest[i] = double(x[i]);
    for (int64_t k = 0; k < count; ++k) {
      const double w = double(result.weight(k));
      if (w == 0) continue;  // and so it is for what pads the set
      const T* y = atom_data(atom(result, k));
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
  Data<T> data_;
  Turn turns_[kTurns];
  CoordinateDescent<T> descent_;
  ActiveSet<double> large_;
  CoordinateDescent<double> double_descent_;
  Buffer<T> padded_gram_;
  Buffer<double> double_gram_, double_correlation_, rest_;
  const T* gram_ = nullptr;
  T largest_ = 0;  // energy of the dictionary's largest atom
  int64_t atoms_ = 0, g_ = -1, number_ = -1, double_number_ = -1;
  bool gram_is_finite_ = true;
};

void solve(const Problem<float>& problem, int64_t begin, int64_t end) { Kernel<float>(problem).run(begin, end); }
void solve(const Problem<double>& problem, int64_t begin, int64_t end) { Kernel<double>(problem).run(begin, end); }

}  // namespace reidops::REIDOPS_ISA
