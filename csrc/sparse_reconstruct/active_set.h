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
#include "sparse_reconstruct.h"

namespace reidops::REIDOPS_ISA {

using namespace sparse_reconstruct;

// One column in Gram form.  `atoms` and `stride` are multiples of the vector length; what pads them is zero.
template <class T>
struct Column {
  const T* gram;
  int64_t stride;
  const T* correlation;
  int64_t atoms;
  T energy;
  T t;
};

template <class T>
class ActiveSet {
  static constexpr int kLanes = Lanes<T>::kCount;
  static constexpr unsigned kAllLanes = (1u << kLanes) - 1;

 public:
  void reserve(int64_t atoms, int capacity) {
    capacity_ = (capacity + kLanes - 1) / kLanes * kLanes;
    residual_ = residuals_.reserve(atoms);
    inverse_ = inverses_.reserve(int64_t(capacity_) * capacity_);
    weight_ = small_.reserve(5 * int64_t(capacity_));
    sign_ = weight_ + capacity_;
    update_ = sign_ + capacity_;
    target_ = update_ + capacity_;
    right_ = target_ + capacity_;
    index_ = indices_.reserve(capacity_);
  }

  // Minimises; returns whether the certificate reached the tolerance.
  bool solve(const Column<T>& column, T tolerance, int max_iterations, bool feature_sign) {
    size_ = 0;
    std::memset(right_, 0, size_t(capacity_) * sizeof(T));  // what pads it is multiplied by zero: no NaN may linger
    const T bound = column.t * (1 + tolerance);
    int64_t worst = refresh(column);
    for (int i = 0; i < max_iterations && r_max_ > bound; ++i) {
      // An active atom can violate only when the inverse has drifted.
      if (active(worst) || !join(column, worst, feature_sign)) break;
      worst = refresh(column);
    }
    if (certified(column, tolerance)) return true;
    polish(column);
    refresh(column);
    return certified(column, tolerance);
  }

  const Sums<T>& sums() const { return sums_; }
  int size() const { return size_; }
  int index(int p) const { return index_[p]; }
  T weight(int p) const { return weight_[p]; }

 private:
  // r = c - G w from scratch, |r|_inf, and the first atom that attains it.
  int64_t refresh(const Column<T>& column) {
    Vector<T> best = Vector<T>{} - 1;
    int64_t j = 0;
    for (; j + 8 * kLanes <= column.atoms; j += 8 * kLanes) best = larger(best, refresh_block<8>(column, j));
    for (; j + 2 * kLanes <= column.atoms; j += 2 * kLanes) best = larger(best, refresh_block<2>(column, j));
    for (; j < column.atoms; j += kLanes) best = larger(best, refresh_block<1>(column, j));
    r_max_ = largest<T>(best);
    for (j = 0; j < column.atoms; j += kLanes) {
      const unsigned below = negative_lanes<T>(magnitude<T>(load(residual_ + j)) - r_max_);
      if (below != kAllLanes) return j + __builtin_ctz(~below);
    }
    return 0;  // a NaN has come up; no comparison with it holds, and the caller's loop ends
  }

  template <int kVectors>
  REIDOPS_INLINE Vector<T> refresh_block(const Column<T>& column, int64_t j) {
    Vector<T> r[kVectors];
    for (int v = 0; v < kVectors; ++v) r[v] = load(column.correlation + j + v * kLanes);
    for (int p = 0; p < size_; ++p) {
      const T* row = column.gram + index_[p] * column.stride + j;
      for (int v = 0; v < kVectors; ++v) r[v] -= load(row + v * kLanes) * weight_[p];
    }
    for (int v = 0; v < kVectors; ++v) store(residual_ + j + v * kLanes, r[v]);
    for (int v = 0; v < kVectors; ++v) r[v] = magnitude<T>(r[v]);
    for (int half = kVectors / 2; half > 0; half /= 2)
      for (int v = 0; v < half; ++v) r[v] = larger(r[v], r[v + half]);
    return r[0];
  }

  bool active(int64_t j) const {
    for (int p = 0; p < size_; ++p)
      if (index_[p] == j) return true;
    return false;
  }

  int vectors() const { return (size_ + kLanes - 1) / kLanes; }

  // out = G_AA^-1 in; `out` is padded with zeros to whole vectors.
  REIDOPS_INLINE void apply_inverse(const T* in, T* out) const {
    for (int v = 0; v < vectors(); ++v) {
      const T* rows = inverse_ + v * kLanes;
      Vector<T> even{}, odd{};
      int p = 0;
      for (; p + 1 < size_; p += 2) {
        even += load(rows + p * capacity_) * in[p];
        odd += load(rows + (p + 1) * capacity_) * in[p + 1];
      }
      if (p < size_) even += load(rows + p * capacity_) * in[p];
      store(out + v * kLanes, even + odd);
    }
  }

  // u = G_AA^-1 G_Aj into update_; returns the Schur complement of atom j.
  REIDOPS_INLINE T schur(const Column<T>& column, int64_t j) {
    const T* row = column.gram + j * column.stride;
    for (int p = 0; p < size_; ++p) right_[p] = row[index_[p]];
    apply_inverse(right_, update_);
    Vector<T> explained{};
    for (int v = 0; v < vectors(); ++v) explained += load(right_ + v * kLanes) * load(update_ + v * kLanes);
    return row[j] - sum<T>(explained);
  }

  bool join(const Column<T>& column, int64_t j, bool feature_sign) {
    const T energy = column.gram[j * column.stride + j];
    const T sign = residual_[j] > 0 ? T(1) : T(-1);
    const T excess = residual_[j] - column.t * sign;
    T start = 0;
    T s = schur(column, j);
    bool moved = false;
    while (!(s > pivot_floor<T>() * energy)) {
      // y_j lies in the span of A: along (-u, 1) the reconstruction stays as it is while |w|_1 falls, until an active
      // weight reaches zero and leaves.
      const int leaver = slide(sign, start);
      if (leaver < 0) return false;
      leave(leaver);
      s = schur(column, j);
      moved = true;
    }
    if (size_ == capacity_) return false;
    grow(j, sign, s);
    if (moved) {
      weight_[size_ - 1] = start;
      unpenalised(column, target_);
    } else {
      const T step = excess / s;
      for (int v = 0; v < vectors(); ++v)
        store(target_ + v * kLanes, load(weight_ + v * kLanes) - load(update_ + v * kLanes) * step);
    }
    walk(column, feature_sign);
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

  // Appends atom j, with weight zero, to the set and to the inverse; expects u in update_.
  REIDOPS_INLINE void grow(int64_t j, T sign, T s) {
    const int last = size_++;
    if (last % kLanes == 0)
      for (int p = 0; p < last; ++p) store(inverse_ + p * capacity_ + last, Vector<T>{});
    const int end = vectors() * kLanes;
    for (int p = last; p < end; ++p) update_[p] = weight_[p] = sign_[p] = 0;
    update_[last] = -1;
    sign_[last] = sign;
    index_[last] = int32_t(j);
    for (int v = 0; v < vectors(); ++v) {
      const Vector<T> u = load(update_ + v * kLanes);
      store(inverse_ + last * capacity_ + v * kLanes, Vector<T>{});
      const Vector<T> scaled = u / s;
      for (int p = 0; p <= last; ++p) {
        T* row = inverse_ + p * capacity_ + v * kLanes;
        store(row, load(row) + scaled * update_[p]);
      }
    }
  }

  // Takes the p-th member out of the set and of the inverse; the last one moves into its place.
  void leave(int p) {
    const int last = --size_;
    const int used = (last + kLanes) / kLanes;  // vectors before it left
    const T* v = inverse_ + p * capacity_;
    const T pivot = v[p];
    for (int q = 0; q <= last; ++q) {
      if (q == p) continue;
      const T scale = v[q] / pivot;
      T* row = inverse_ + q * capacity_;
      for (int z = 0; z < used; ++z)
        store(row + z * kLanes, load(row + z * kLanes) - load(v + z * kLanes) * scale);
    }
    if (p != last) {
      for (int z = 0; z < used; ++z)
        store(inverse_ + p * capacity_ + z * kLanes, load(inverse_ + last * capacity_ + z * kLanes));
      for (int q = 0; q < last; ++q) inverse_[q * capacity_ + p] = inverse_[q * capacity_ + last];
      inverse_[p * capacity_ + p] = inverse_[last * capacity_ + last];
      index_[p] = index_[last], weight_[p] = weight_[last], sign_[p] = sign_[last];
    }
    for (int q = 0; q < last; ++q) inverse_[q * capacity_ + last] = 0;
    weight_[last] = sign_[last] = 0;
  }

  // out = G_AA^-1 (c_A - t s): the optimum of this active set were no sign to change.
  void unpenalised(const Column<T>& column, T* out) {
    for (int p = 0; p < size_; ++p) right_[p] = column.correlation[index_[p]] - column.t * sign_[p];
    apply_inverse(right_, out);
  }

  // Goes to the target, through as many changes of sign as there are on the way.
  REIDOPS_INLINE void walk(const Column<T>& column, bool feature_sign) {
    for (;;) {
      unsigned crossed = 0;
      for (int v = 0; v < vectors(); ++v)
        crossed |= negative_lanes<T>(load(target_ + v * kLanes) * load(sign_ + v * kLanes));
      if (!crossed) break;
      feature_sign ? search(column) : stop_at_first_crossing();
      if (size_ == 0) return;
      unpenalised(column, target_);
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

  // The line search of feature-sign search: the objective at the target and wherever a weight is zero on the way there;
  // the best of these points is taken, the weights that have passed zero keep their new sign.
  void search(const Column<T>& column) {
    const T slope = along_gradient(column), curve = along_curvature(column);
    T best_value = 0, best_reach = 0;
    int leaver = -2;
    for (int k = -1; k < size_; ++k) {
      const T reach = k < 0 ? T(1) : crossing(weight_[k], target_[k], sign_[k]);
      if (reach > 1) continue;
      T l1 = 0;
      for (int p = 0; p < size_; ++p) {
        const T w = weight_[p] + reach * (target_[p] - weight_[p]);
        l1 += (p == k ? T(0) : w < 0 ? -w : w) - (weight_[p] < 0 ? -weight_[p] : weight_[p]);
      }
      const T value = reach * (reach * curve - 2 * slope) + 2 * column.t * l1;
      if (leaver == -2 || value < best_value) best_value = value, best_reach = reach, leaver = k;
    }
    for (int p = 0; p < size_; ++p) {
      weight_[p] += best_reach * (target_[p] - weight_[p]);
      if (weight_[p] * sign_[p] < 0) sign_[p] = -sign_[p];
    }
    if (leaver >= 0) leave(leaver);
  }

  // With d = target - w and G_AA target = c_A - t s:  d.r_A and d.G_AA d, the first two terms of ||x - Y(w + a d)||^2.
  T along_gradient(const Column<T>& column) const {
    T total = 0;
    for (int p = 0; p < size_; ++p) {
      T r = column.correlation[index_[p]];
      for (int q = 0; q < size_; ++q) r -= column.gram[index_[p] * column.stride + index_[q]] * weight_[q];
      total += (target_[p] - weight_[p]) * r;
    }
    return total;
  }
  T along_curvature(const Column<T>& column) const {
    T total = 0;
    for (int p = 0; p < size_; ++p)
      for (int q = 0; q < size_; ++q)
        total += (target_[p] - weight_[p]) * column.gram[index_[p] * column.stride + index_[q]] *
                 (target_[q] - weight_[q]);
    return total;
  }

  // One step of iterative refinement: w_A += G_AA^-1 (r_A - t s), which takes out what the inverse has drifted.
  void polish(const Column<T>& column) {
    for (int p = 0; p < size_; ++p) right_[p] = residual_[index_[p]] - column.t * sign_[p];
    apply_inverse(right_, target_);
    for (int p = 0; p < size_; ++p) {
      const T w = weight_[p] + target_[p];
      if (w * sign_[p] > 0) weight_[p] = w;
    }
  }

  bool certified(const Column<T>& column, T tolerance) {
    sums_ = {};
    sums_.r_max = r_max_;
    for (int p = 0; p < size_; ++p) {
      const T w = weight_[p];
      sums_.wc += w * column.correlation[index_[p]];
      sums_.wr += w * residual_[index_[p]];
      sums_.l1 += w < 0 ? -w : w;
    }
    return certify(expanded_error(column.energy, sums_), sums_, column.t).gap <= tolerance;
  }

  Buffer<T> residuals_, inverses_, small_;
  Buffer<int32_t> indices_;
  T *residual_ = nullptr, *inverse_ = nullptr, *weight_ = nullptr, *sign_ = nullptr;
  T *update_ = nullptr, *target_ = nullptr, *right_ = nullptr;
  int32_t* index_ = nullptr;
  int capacity_ = 0, size_ = 0;
  T r_max_ = 0;
  Sums<T> sums_;
};

}  // namespace reidops::REIDOPS_ISA
