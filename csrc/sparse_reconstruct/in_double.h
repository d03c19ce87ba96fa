// in_double.h - what happens to a column that the solver asked for has not certified.
//
// A point w is looked at in double, from the data where they are at hand: error, r = Y'(x - Yw), objective,
// certificate.  Three stages follow until one certifies: an active set in Gram form; one over the data; coordinate
// descent.  Each starts from the best point so far, and the best point is what is written.  So nothing that a stage
// does can make it worse.
#pragma once

#include "active_set.h"
#include "coordinate_descent.h"
#include "data.h"
#include "orthogonal_set.h"

namespace reidops::REIDOPS_ISA {

template <class T>
class InDouble {
  static constexpr int64_t kCapacity = 1024;
  static constexpr int64_t kDense = 64;
  static constexpr int kRefinements = 8;
  static constexpr int kIdle = 8;  // moves without progress after which rounding is to blame
  static constexpr int64_t kLanes = 8;

 public:
  struct Settings {
    double tolerance;
    int max_iterations;
    bool feature_sign;
  };

  // The weights to start from; zero at first.
  double* start(int64_t atoms) {
    atoms_ = (atoms + kLanes - 1) / kLanes * kLanes;
    weight_ = weights_.reserve(5 * atoms_);
    best_ = weight_ + atoms_;
    r_ = best_ + atoms_;
    best_r_ = r_ + atoms_;
    correlation_ = best_r_ + atoms_;
    for (int64_t j = 0; j < 5 * atoms_; ++j) weight_[j] = 0;
    return weight_;
  }

  // `gram` has rows of `column.stride` elements; where it is not finite, only the data are used.
  void solve(const Column<T>& column, const Data<T>& data, bool gram_is_finite, int64_t dictionary,
             const Settings& settings) {
    given_ = &column;
    data_ = data;
    settings_ = settings;
    t_ = double(column.t);
    if (dictionary != dictionary_) describe(dictionary, gram_is_finite);
    look();
    if (!(objective_ <= double(column.energy))) {  // worse than no weights at all, P(0) = ||x||^2, or not a number
      for (int64_t j = 0; j < data_.M; ++j) weight_[j] = 0;
      look();
    }
    for (int64_t j = 0; j < data_.M; ++j) best_[j] = weight_[j];
    remember();
    if (gram_is_finite) refine();
    if (data_.column) follow_data();
    if (gram_is_finite) descend();
  }

  // What was reached.
  const double* weights() const { return best_; }
  double error() const { return best_certificate_.error; }
  double gap() const { return best_certificate_.gap; }

 private:
  bool certified() const { return best_certificate_.gap <= settings_.tolerance; }

  // The atoms' lengths, and the Gram in double.
  void describe(int64_t dictionary, bool gram_is_finite) {
    dictionary_ = dictionary;
    largest_ = 0;
    length_ = lengths_.reserve(data_.M);
    double* atom = atom_.reserve(data_.d);
    for (int64_t j = 0; j < data_.M; ++j) {
      double energy;
      if (gram_is_finite) {
        energy = double(given_->row(j)[j]);
      } else {
        data_.load_atom(j, atom);
        energy = dot(atom, atom, data_.d);
      }
      largest_ = energy > largest_ ? energy : largest_;
      length_[j] = std::sqrt(energy);
    }
    if (!gram_is_finite) return;
    if constexpr (sizeof(T) == sizeof(double)) return;
    double* rows = gram_.reserve(atoms_ * atoms_);
    for (int64_t j = 0; j < data_.M; ++j)
      for (int64_t k = 0; k < data_.M; ++k) rows[j * atoms_ + k] = double(given_->row(j)[k]);
  }

  const double* row(int64_t j) const {
    if constexpr (sizeof(T) == sizeof(double)) return given_->row(j);
    else return gram_.get() + j * atoms_;
  }
  int64_t stride() const { return sizeof(T) == sizeof(double) ? given_->stride : atoms_; }

  // r, error and certificate of weight_.
  void look() {
    sums_ = {};
    members_ = 0;
    double reach = 0;
    for (int64_t j = 0; j < data_.M; ++j) {
      const double size = weight_[j] < 0 ? -weight_[j] : weight_[j];
      if (size == 0) continue;
      ++members_;
      sums_.l1 += size;
      reach += size * length_[j];
    }
    const double energy = double(given_->energy);
    Rounding<double> rounding = rounding_of_gram_form(energy, largest_, reach, relative_rounding<double>(0));
    if (data_.column) {
      // Once the digits of double where that is plenty.
      const bool twice = !(double(members_ + 4) * rounding.largest < settings_.tolerance * t_ / 1024);
      look_at_data(twice);
      // Bounds, whatever the order of the sums: of rho, and of its products with the atoms.
      const double of_rho = double(members_ + 4) * unit_roundoff<double>() * (twice ? kTwiceTheDigits : 1);
      const double of_products = double(data_.d / 8 + 10) * unit_roundoff<double>() * std::sqrt(error_);
      const double bound = of_rho * (std::sqrt(energy) + reach) + of_products;
      rounding = {bound * std::sqrt(largest_), bound * reach};
    } else {
      look_at_gram_form();
    }
    for (int64_t j = 0; j < data_.M; ++j) {
      const double size = r_[j] < 0 ? -r_[j] : r_[j];
      sums_.wc += weight_[j] * double(given_->correlation[j]);
      sums_.wr += weight_[j] * r_[j];
      sums_.r_max = size > sums_.r_max ? size : sums_.r_max;
    }
    if (!data_.column) error_ = expanded_error(energy, sums_);
    certificate_ = certify(error_, sums_, t_, rounding);
    objective_ = error_ + 2 * t_ * sums_.l1;
  }

  void look_at_data(bool twice) {
    residual_.start(data_, twice);
    for (int64_t j = 0; j < data_.M; ++j)
      if (weight_[j] != 0) residual_.subtract(j, weight_[j]);
    const double* rho = residual_.finish();
    residual_.correlate(r_);
    error_ = dot(rho, rho, data_.d);
  }

  void look_at_gram_form() {
    for (int64_t j = 0; j < data_.M; ++j) r_[j] = double(given_->correlation[j]);
    for (int64_t j = 0; j < data_.M; ++j) {
      if (weight_[j] == 0) continue;
      const double* g = row(j);
      for (int64_t k = 0; k < data_.M; ++k) r_[k] -= g[k] * weight_[j];
    }
  }

  // Keeps weight_ where it is better: certified, or of a smaller objective, or as far as that can be told of a smaller
  // gap.
  bool keep() {
    const bool sure = certificate_.gap <= settings_.tolerance;
    const double noise = 1e-14 * best_objective_;
    const bool better = sure != certified()                         ? sure
                        : objective_ < best_objective_ - noise      ? true
                        : !(objective_ <= best_objective_ + noise)  ? false
                                                                    : certificate_.gap < best_certificate_.gap;
    if (!better) return false;
    for (int64_t j = 0; j < data_.M; ++j) best_[j] = weight_[j];
    remember();
    return true;
  }

  void remember() {
    for (int64_t j = 0; j < data_.M; ++j) best_r_[j] = r_[j];
    best_error_ = error_;
    best_objective_ = objective_;
    best_certificate_ = certificate_;
  }

  // A Gram form that has the right r and the right error at the best point: c = r + Gw, e = ||rho||^2 + w . (c + r).
  Column<double> about_best() {
    for (int64_t j = 0; j < data_.M; ++j) correlation_[j] = best_r_[j];
    for (int64_t j = 0; j < data_.M; ++j) {
      if (best_[j] == 0) continue;
      const double* g = row(j);
      for (int64_t k = 0; k < data_.M; ++k) correlation_[k] += g[k] * best_[j];
    }
    double energy = best_error_;
    for (int64_t j = 0; j < data_.M; ++j) energy += best_[j] * (correlation_[j] + best_r_[j]);
    const int64_t atoms = sizeof(T) == sizeof(double) ? given_->atoms : atoms_;
    return {row(0), stride(), correlation_, atoms, energy, t_};
  }

  // To minimise the form about the best point moves it on; what rounding of G hides is made good by doing so again.
  void refine() {
    set_.reserve(atoms_, int(data_.M < kCapacity ? data_.M : kCapacity));
    for (int k = 0; k < kRefinements && !certified(); ++k) {
      const double objective = best_objective_, gap = best_certificate_.gap;
      const Column<double> column = about_best();
      descent_.reserve(atoms_);
      // As in Kernel::solve_dense.
      if (members_ >= kDense &&
          descent_.solve(column, settings_.tolerance / 4, settings_.max_iterations, best_, /*trial=*/true)) {
        for (int64_t j = 0; j < data_.M; ++j) weight_[j] = descent_.weight(j);
      } else {
        set_.start(column, settings_.tolerance / 4, settings_.max_iterations, settings_.feature_sign);
        while (set_.advance()) {
        }
        set_.certified();  // takes the drift of its inverse out
        for (int64_t j = 0; j < data_.M; ++j) weight_[j] = 0;
        for (int p = 0; p < set_.size(); ++p)
          if (set_.index(p) < data_.M) weight_[set_.index(p)] = set_.weight(p);
      }
      look();
      if (!keep()) return;
      const bool progress = gap > 2 * best_certificate_.gap || objective > best_objective_ * (1 + settings_.tolerance);
      if (!progress) return;
    }
  }

  void follow_data() {
    if (certified()) return;
    orthogonal_.start(data_, best_, t_);
    double lowest = 0;
    int idle = 0;
    for (int moves = 0; moves < settings_.max_iterations && idle < kIdle; ++moves) {
      orthogonal_.settle();
      orthogonal_.scatter(weight_);
      look();
      keep();
      if (certified()) return;
      if (moves == 0 || objective_ < lowest * (1 - 1e-13)) {
        lowest = objective_;
        idle = 0;
        orthogonal_.reconsider();
      } else {
        ++idle;
      }
      const int64_t j = orthogonal_.worst(r_);
      if (j >= 0) orthogonal_.join(j, r_[j] < 0 ? -1 : 1);
    }
  }

  void descend() {
    if (certified()) return;
    descent_.reserve(atoms_);
    const Column<double> column = about_best();
    descent_.solve(column, settings_.tolerance / 4, settings_.max_iterations, best_);
    for (int64_t j = 0; j < data_.M; ++j) weight_[j] = descent_.weight(j);
    look();
    keep();
  }

  static constexpr double kTwiceTheDigits = 1e-7;  // 2^-26 is 1.5e-8

  const Column<T>* given_ = nullptr;
  Data<T> data_;
  Settings settings_{};
  DataResidual<T> residual_;
  OrthogonalSet<T> orthogonal_;
  ActiveSet<double> set_;
  CoordinateDescent<double> descent_;
  Buffer<double> weights_, gram_, atom_, lengths_;
  double *weight_ = nullptr, *best_ = nullptr, *r_ = nullptr, *best_r_ = nullptr, *correlation_ = nullptr,
         *length_ = nullptr;
  Sums<double> sums_;
  Certificate<double> certificate_{}, best_certificate_{};
  double error_ = 0, best_error_ = 0, objective_ = 0, best_objective_ = 0, largest_ = 0, t_ = 0;
  int64_t atoms_ = 0, dictionary_ = -1;
  int64_t members_ = 0;  // weights that are not zero, of the point looked at last
};

}  // namespace reidops::REIDOPS_ISA
