// active_set.h - the lasso of one column by an active set, in the manner of feature-sign search.
//
// On an active set A with signs s the optimum is linear: G_AA w = c_A - t s.  The explicit inverse of G_AA is kept and
// grown or shrunk by rank-one updates, which suits short vectors better than triangular solves: nothing in it waits for
// a chain of divisions, and the weights after an atom has joined follow from the update itself.
//
//   join j:   u = G_AA^-1 g,  g = G_Aj,  S = G_jj - g.u   (Schur complement: squared distance of y_j from the span of A)
//             w_j = (r_j - t s_j) / S,   w_A -= u w_j,   G_AA^-1 += (u, -1)(u, -1)' / S
//   leave p:  G_AA^-1 -= v v' / v_p,  v the p-th column
//
// r = c - Gw of all atoms is computed afresh from c after every step, so rounding does not pile up in it.
#pragma once

#include "../common/lanes.h"
#include "feature_sign.h"
#include "inverse.h"
#include "residual.h"
#include "sparse_reconstruct.h"

namespace reidops::REIDOPS_ISA {

template <class T>
class ActiveSet {
  static constexpr int kLanes = Lanes<T>::kCount;
  static constexpr int kRebuilds = 8;
  static constexpr int kSearches = 64;

 public:
  void reserve(int64_t atoms, int capacity) {
    capacity_ = (capacity + kLanes - 1) / kLanes * kLanes;
    residual_.reserve(atoms);
    inverse_.reserve(capacity_);
    weight_ = memory_.reserve(6 * int64_t(capacity_));
    sign_ = weight_ + capacity_;
    update_ = sign_ + capacity_;
    target_ = update_ + capacity_;
    kept_ = target_ + capacity_;  // twice as long
    index_ = indices_.reserve(capacity_);
  }

  // Sets out on a column.  `advance()` is then called until it returns false: one step each time, so that the caller
  // can let two columns take turns and the processor fill one's waits with the other's work.
  void start(const Column<T>& column, T tolerance, int max_iterations, bool feature_sign) {
    column_ = column;
    tolerance_ = tolerance;
    bound_ = column.t * (1 + tolerance);
    iterations_left_ = max_iterations;
    rebuilds_left_ = kRebuilds;
    feature_sign_ = feature_sign;
    size_ = 0;
    refresh();
  }

  bool advance() {
    if (!(residual_.largest() > bound_) || iterations_left_-- <= 0) return false;
    // An active atom can violate only when the inverse has drifted.
    if (active(worst_) ? !rebuild() : !join(worst_, residual_[worst_])) return false;
    join_second();
    refresh();
    return true;
  }

  // Whether the certificate has reached the tolerance.  If need be, what the inverse has drifted is taken out, and
  // atoms that violate their condition by less join, too.
  bool certified() {
    if (certify(residual_.largest()) <= tolerance_) return true;
    polish();
    refresh();
    if (certify(exactly_largest()) <= tolerance_) return true;
    const T noise = T(2 * rounding(column_, sums_).largest), tighter = column_.t * tolerance_ / 8;
    const T bound = column_.t + (noise > tighter ? noise : tighter);
    if (full() || !(bound < bound_)) return false;
    bound_ = bound;
    rebuilds_left_ = 0;
    while (advance()) {
    }
    return certify(exactly_largest()) <= tolerance_;
  }

  // Whether there is no room for the atom that should join.
  bool full() const { return size_ == capacity_; }

  const Column<T>& column() const { return column_; }
  const Sums<double>& sums() const { return sums_; }
  int size() const { return size_; }
  int index(int p) const { return index_[p]; }
  T weight(int p) const { return weight_[p]; }

 private:
  // A second atom whose violation was at least half of the worst, if it still is one after that has joined, joins in
  // the same step: so r of all atoms is computed less often.
  void join_second() {
    const T worst = residual_.largest() - column_.t, second = residual_.second_largest() - column_.t;
    const int64_t j = residual_.second();
    if (!(2 * second >= worst) || full() || active(j) || iterations_left_ <= 0) return;
    const T* row = column_.row(j);
    T r = column_.correlation[j];
    for (int p = 0; p < size_; ++p) r -= row[index_[p]] * weight_[p];
    if (!(r > bound_ || -r > bound_)) return;
    --iterations_left_;
    join(j, r);
  }

  void refresh() { worst_ = residual_.refresh(column_, index_, weight_, size_); }

  int vectors() const { return Inverse<T>::vectors(size_); }

  bool active(int64_t j) const {
    for (int p = 0; p < size_; ++p)
      if (index_[p] == j) return true;
    return false;
  }

  // u = G_AA^-1 G_Aj into update_; returns the Schur complement of atom j.
  REIDOPS_INLINE T schur(int64_t j) {
    const T* row = column_.row(j);
    inverse_.apply(size_, [&](int p) { return row[index_[p]]; }, update_);
    T a = 0, b = 0, c = 0, d = 0;  // four sums: none waits for another
    int p = 0;
    for (; p + 3 < size_; p += 4) {
      a += row[index_[p]] * update_[p];
      b += row[index_[p + 1]] * update_[p + 1];
      c += row[index_[p + 2]] * update_[p + 2];
      d += row[index_[p + 3]] * update_[p + 3];
    }
    for (; p < size_; ++p) a += row[index_[p]] * update_[p];
    return row[j] - ((a + b) + (c + d));
  }

  // Atom j joins; r is its r_j at the weights as they are.
  bool join(int64_t j, T r) {
    const T floor = pivot_floor<T>() * column_.row(j)[j];
    const T sign = r > 0 ? T(1) : T(-1);
    const T excess = r - column_.t * sign;
    T start = 0;
    T s = schur(j);
    bool moved = false;
    while (!(s > floor)) {
      // y_j lies in the span of A: along (-u, 1) the reconstruction stays as it is while |w|_1 falls, until an active
      // weight reaches zero and leaves.
      const int leaver = slide(sign, start);
      if (leaver < 0) return false;
      leave(leaver);
      s = schur(j);
      moved = true;
    }
    if (size_ == capacity_) return false;
    grow(j, sign, s);
    if (moved) {
      weight_[size_ - 1] = start;
      unpenalised();
    } else {
      const T step = excess / s;
      for (int v = 0; v < vectors(); ++v)
        store(target_ + v * kLanes, load(weight_ + v * kLanes) - load(update_ + v * kLanes) * step);
    }
    walk();
    return true;
  }

  // Moves w_A along -u sign as far as no weight changes sign; returns the first that would, -1 where none does.
  int slide(T sign, T& start) {
    T reach = 0;
    int leaver = -1;
    for (int p = 0; p < size_; ++p) {
      const T speed = -update_[p] * sign;
      if (speed * sign_[p] >= 0) continue;
      const T until = -weight_[p] / speed;
      if (leaver < 0 || until < reach) reach = until, leaver = p;
    }
    if (leaver < 0) return -1;
    for (int p = 0; p < size_; ++p) weight_[p] -= update_[p] * sign * reach;
    start += sign * reach;
    return leaver;
  }

  // Atom j joins with weight zero; expects u in update_.
  REIDOPS_INLINE void grow(int64_t j, T sign, T s) {
    const int last = size_++;
    if (last % kLanes == 0)
      for (T* padding : {update_, weight_, sign_}) store(padding + last, Vector<T>{});
    update_[last] = -1;
    sign_[last] = sign;
    index_[last] = int32_t(j);
    inverse_.grow(last, update_, s);
  }

  // The p-th member leaves; the last one takes its number.
  void leave(int p) {
    const int last = --size_;
    inverse_.leave(p, last);
    index_[p] = index_[last], weight_[p] = weight_[last], sign_[p] = sign_[last];
    weight_[last] = sign_[last] = 0;
  }

  // target = G_AA^-1 (c_A - t s): the optimum of this active set were no sign to change.
  void unpenalised() {
    inverse_.apply(size_, [&](int p) { return column_.correlation[index_[p]] - column_.t * sign_[p]; }, target_);
  }

  // Goes to the target, through as many changes of sign as there are on the way.
  REIDOPS_INLINE void walk() {
    for (int round = 0;; ++round) {
      unsigned crossed = 0;
      for (int v = 0; v < vectors(); ++v)
        crossed |= negative_lanes<T>(load(target_ + v * kLanes) * load(sign_ + v * kLanes));
      if (!crossed) break;
      // Each first crossing takes an atom out, so they end; line searches need not where rounding decides.
      feature_sign_ && round < kSearches ? search() : stop_at_first_crossing();
      if (size_ == 0) return;
      unpenalised();
    }
    for (int v = 0; v < vectors(); ++v) store(weight_ + v * kLanes, load(target_ + v * kLanes));
  }

  void stop_at_first_crossing() {
    T reach = 2;
    int leaver = 0;
    for (int p = 0; p < size_; ++p) {
      const T until = crossing(weight_[p], target_[p], sign_[p]);
      if (until < reach) reach = until, leaver = p;
    }
    for (int p = 0; p < size_; ++p) weight_[p] += reach * (target_[p] - weight_[p]);
    leave(leaver);
  }

  // Weights that have passed zero keep their new sign.
  void search() {
    const Step<T> step = best_crossing(column_, Members<T>{index_, weight_, target_, sign_, size_});
    for (int p = 0; p < size_; ++p) {
      weight_[p] += step.reach * (target_[p] - weight_[p]);
      if (weight_[p] * sign_[p] < 0) sign_[p] = -sign_[p];
    }
    if (step.leaver >= 0) leave(step.leaver);
  }

  // The inverse anew from G, and the optimum of the same set with it.  An atom that now repeats others goes.
  bool rebuild() {
    if (rebuilds_left_-- == 0) return false;
    const int members = size_;
    T *weights = kept_, *signs = kept_ + capacity_;
    std::memcpy(weights, weight_, size_t(members) * sizeof(T));
    std::memcpy(signs, sign_, size_t(members) * sizeof(T));
    size_ = 0;
    for (int k = 0; k < members; ++k) {
      const int32_t j = index_[k];  // still there: the set has not grown beyond k
      const T s = schur(j);
      if (!(s > pivot_floor<T>() * column_.row(j)[j])) continue;
      grow(j, signs[k], s);
      weight_[size_ - 1] = weights[k];
    }
    unpenalised();
    walk();
    return true;
  }

  // One step of iterative refinement: w_A += G_AA^-1 (r_A - t s), which takes out what the inverse has drifted.
  void polish() {
    inverse_.apply(size_, [&](int p) { return residual_[index_[p]] - column_.t * sign_[p]; }, target_);
    for (int p = 0; p < size_; ++p) {
      const T w = weight_[p] + target_[p];
      if (w * sign_[p] > 0) weight_[p] = w;
    }
  }

  T exactly_largest() const { return residual_.exactly_largest(column_.atoms); }

  double certify(T r_max) {
    sums_ = {};
    sums_.r_max = r_max;
    for (int p = 0; p < size_; ++p) {
      const double w = weight_[p];
      sums_.wc += w * double(column_.correlation[index_[p]]);
      sums_.wr += w * double(residual_[index_[p]]);
      sums_.l1 += w < 0 ? -w : w;
    }
    return certify_gram_form(column_, sums_).gap;
  }

  Residual<T> residual_;
  Inverse<T> inverse_;
  Buffer<T> memory_;
  Buffer<int32_t> indices_;
  T *weight_ = nullptr, *sign_ = nullptr, *update_ = nullptr, *target_ = nullptr, *kept_ = nullptr;
  int32_t* index_ = nullptr;
  Column<T> column_{};
  Sums<double> sums_;
  T tolerance_ = 0, bound_ = 0;
  int64_t worst_ = 0;
  int capacity_ = 0, size_ = 0, iterations_left_ = 0, rebuilds_left_ = 0;
  bool feature_sign_ = false;
};

}  // namespace reidops::REIDOPS_ISA
