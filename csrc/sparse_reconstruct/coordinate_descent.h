// coordinate_descent.h - the lasso of one column by cyclic coordinate descent over a shrinking set of atoms.
//
// One coordinate at its optimum, the others held:  w_j <- soft_threshold(r_j + G_jj w_j, t) / G_jj,  r -= (change) G_j.
// Sweeps go over all atoms until the certificate holds; between two of them only the atoms that are not zero are swept.
// It needs no factor, so no dependence between atoms can stop it: the safety net of the active set.
#pragma once

#include "../common/lanes.h"
#include "residual.h"
#include "sparse_reconstruct.h"

namespace reidops::REIDOPS_ISA {

template <class T>
class CoordinateDescent {
  static constexpr int kLanes = Lanes<T>::kCount;

 public:
  void reserve(int64_t atoms) {
    residual_ = residuals_.reserve(atoms);
    weight_ = weights_.reserve(atoms);  // null, as the residual is, where there are no atoms
  }

  // Starts from the weights `start`, or from zero.  Of a `trial` it gives up where the gap falls too slowly to be done
  // in kTrialChecks.
  bool solve(const Column<T>& column, T tolerance, int max_iterations, const T* start = nullptr, bool trial = false) {
    const size_t bytes = size_t(column.atoms) * sizeof(T);
    if (bytes > 0) start ? std::memcpy(weight_, start, bytes) : std::memset(weight_, 0, bytes);
    double best_gap = 1e30, last_gap = 1;
    int stalled = 0;
    refresh(column);
    for (int i = 0, checks = 1; i < max_iterations; ++i, ++checks) {
      sweep(column, /*all=*/true);
      for (int k = 0; k < kInnerSweeps && sweep(column, /*all=*/false) > tolerance * T(0.1); ++k) ++i;
      refresh(column);
      const double gap = certify_gram_form(column, sums_).gap;
      if (gap <= tolerance) return true;
      // It falls by a factor from check to check: gap factor^left is to reach the tolerance.
      if (trial && checks > 1 && !(gap * std::pow(gap / last_gap, kTrialChecks - checks) <= tolerance)) return false;
      // Rounding has a floor under the gap; 8 checks without a percent of progress have reached it.
      stalled = gap < best_gap * 0.99 ? 0 : stalled + 1;
      best_gap = gap < best_gap ? gap : best_gap;
      last_gap = gap;
      if (!(stalled < 8)) break;
    }
    return false;
  }

  const Sums<double>& sums() const { return sums_; }
  T weight(int64_t j) const { return weight_[j]; }

 private:
  static constexpr int kInnerSweeps = 20;
  static constexpr int kTrialChecks = 8;

  // Returns the largest change relative to the largest weight.
  T sweep(const Column<T>& column, bool all) {
    T moved = 0, size = 0;
    for (int64_t j = 0; j < column.atoms; ++j) {
      if (!all && weight_[j] == 0) continue;
      const T* row = column.gram + j * column.stride;
      const T energy = row[j];
      if (!(energy > 0)) continue;
      const T w = soft_threshold(residual_[j] + energy * weight_[j], column.t) / energy;
      const T change = w - weight_[j];
      const T absolute = change < 0 ? -change : change;
      size = w > size ? w : -w > size ? -w : size;
      if (absolute == 0) continue;
      moved = absolute > moved ? absolute : moved;
      weight_[j] = w;
      for (int64_t v = 0; v < column.atoms; v += kLanes)
        store(residual_ + v, load(residual_ + v) - load(row + v) * change);
    }
    return size > 0 ? moved / size : moved;
  }

  // r and the certificate's sums from c and G themselves.
  void refresh(const Column<T>& column) {
    if (column.atoms > 0) std::memcpy(residual_, column.correlation, size_t(column.atoms) * sizeof(T));
    for (int64_t j = 0; j < column.atoms; ++j) {
      if (weight_[j] == 0) continue;
      const T* row = column.gram + j * column.stride;
      for (int64_t v = 0; v < column.atoms; v += kLanes)
        store(residual_ + v, load(residual_ + v) - load(row + v) * weight_[j]);
    }
    sums_ = {};
    for (int64_t j = 0; j < column.atoms; ++j) {
      const double w = weight_[j], r = residual_[j];
      sums_.wc += w * double(column.correlation[j]);
      sums_.wr += w * r;
      sums_.l1 += w < 0 ? -w : w;
      sums_.r_max = r > sums_.r_max ? r : -r > sums_.r_max ? -r : sums_.r_max;
    }
  }

  Buffer<T> residuals_, weights_;
  T *residual_ = nullptr, *weight_ = nullptr;
  Sums<double> sums_;
};

}  // namespace reidops::REIDOPS_ISA
