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
  using Bits = typename Lanes<T>::Bits;
  using BitVector = typename Lanes<T>::BitVector;
  static constexpr int kRebuilds = 8;
  static constexpr Bits kAllButSign = Bits(~(Bits(1) << (8 * sizeof(T) - 1)));

 public:
  void reserve(int64_t atoms, int capacity) {
    capacity_ = (capacity + kLanes - 1) / kLanes * kLanes;
    residual_ = residuals_.reserve(atoms);
    place_mask_ = 0;
    while (place_mask_ < Bits(atoms / kLanes - 1)) place_mask_ = 2 * place_mask_ + 1;
    inverse_ = inverses_.reserve(int64_t(capacity_) * capacity_);
    weight_ = small_.reserve(6 * int64_t(capacity_));
    sign_ = weight_ + capacity_;
    update_ = sign_ + capacity_;
    target_ = update_ + capacity_;
    kept_ = target_ + capacity_;  // twice as long
    index_ = indices_.reserve(capacity_);
  }

  // Sets out on a column_.  `advance()` is then called until it returns false: one step each time, so that the caller
  // can let two columns take turns and the processor fill one's waits with the other's work.
  void start(const Column<T>& column, T tolerance, int max_iterations, bool feature_sign) {
    column_ = column;
    tolerance_ = tolerance;
    bound_ = column_.t * (1 + tolerance);
    iterations_left_ = max_iterations;
    rebuilds_left_ = kRebuilds;
    feature_sign_ = feature_sign;
    size_ = 0;
    worst_ = refresh();
  }

  bool advance() {
    if (!(r_max_ > bound_) || iterations_left_-- <= 0) return false;
    // An active atom can violate only when the inverse has drifted.
    if (active(worst_) ? !rebuild() : !join(worst_)) return false;
    worst_ = refresh();
    return true;
  }

  // Whether the certificate has reached the tolerance; what the inverse has drifted is taken out if need be.
  bool certified() {
    if (certify() <= tolerance_) return true;
    polish();
    refresh();
    return certify() <= tolerance_;
  }

  const Column<T>& column() const { return column_; }
  const Sums<T>& sums() const { return sums_; }
  int size() const { return size_; }
  int index(int p) const { return index_[p]; }
  T weight(int p) const { return weight_[p]; }

 private:
  // r = c - G w from scratch; returns the atom with the largest |r_j| and sets r_max_, a bound on it from above.
  //
  // Each lane keeps its largest |r_j| with the number of the vector it came from in the lowest bits of the mantissa:
  // one maximum then finds value and place together.  What that takes from the value, r_max_ gives back.
  int64_t refresh() {
    Vector<T> best{};
    int64_t j = 0;
    for (; j + 8 * kLanes <= column_.atoms; j += 8 * kLanes) best = larger(best, refresh_block<8>(j));
    for (; j + 2 * kLanes <= column_.atoms; j += 2 * kLanes) best = larger(best, refresh_block<2>(j));
    for (; j < column_.atoms; j += kLanes) best = larger(best, refresh_block<1>(j));
    const T key = largest<T>(best);
    const unsigned lanes = ~negative_lanes<T>(best - key) & kAllLanes;
    const int lane = lanes ? __builtin_ctz(lanes) : 0;  // none where a NaN has come up
    r_max_ = __builtin_bit_cast(T, __builtin_bit_cast(Bits, key) | place_mask_);
    return int64_t(__builtin_bit_cast(Bits, key) & place_mask_) * kLanes + lane;
  }

  template <int kVectors>
  REIDOPS_INLINE Vector<T> refresh_block(int64_t j) {
    Vector<T> r[kVectors];
    for (int v = 0; v < kVectors; ++v) r[v] = load(column_.correlation + j + v * kLanes);
    for (int p = 0; p < size_; ++p) {
      const T* row = column_.gram + index_[p] * column_.stride + j;
      for (int v = 0; v < kVectors; ++v) r[v] -= load(row + v * kLanes) * weight_[p];
    }
    for (int v = 0; v < kVectors; ++v) store(residual_ + j + v * kLanes, r[v]);
    const Bits first = Bits(j / kLanes), keep = kAllButSign & ~place_mask_;
    for (int v = 0; v < kVectors; ++v)
      r[v] = __builtin_bit_cast(Vector<T>, (__builtin_bit_cast(BitVector, r[v]) & keep) | (first + v));
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

  // out = G_AA^-1 in, padded with zeros to whole vectors; in(p) is called once for every p.
  template <class In>
  REIDOPS_INLINE void apply_inverse(In in, T* out) const {
    for (int v = 0; v < vectors(); ++v) {
      const T* rows = inverse_ + v * kLanes;
      Vector<T> even{}, odd{};
      int p = 0;
      for (; p + 1 < size_; p += 2, rows += 2 * capacity_) {
        even += load(rows) * in(p);
        odd += load(rows + capacity_) * in(p + 1);
      }
      if (p < size_) even += load(rows) * in(p);
      store(out + v * kLanes, even + odd);
    }
  }

  // u = G_AA^-1 G_Aj into update_; returns the Schur complement of atom j.
  REIDOPS_INLINE T schur(int64_t j) {
    const T* row = column_.gram + j * column_.stride;
    apply_inverse([&](int p) { return row[index_[p]]; }, update_);
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

  bool join(int64_t j) {
    const T energy = column_.gram[j * column_.stride + j];
    const T sign = residual_[j] > 0 ? T(1) : T(-1);
    const T excess = residual_[j] - column_.t * sign;
    T start = 0;
    T s = schur(j);
    bool moved = false;
    while (!(s > pivot_floor<T>() * energy)) {
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
      unpenalised(target_);
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

  // Appends atom j, with weight zero, to the set and to the inverse; expects u in update_.
  REIDOPS_INLINE void grow(int64_t j, T sign, T s) {
    const int last = size_++;
    if (last % kLanes == 0) {
      for (T* padding : {update_, weight_, sign_}) store(padding + last, Vector<T>{});
      for (int p = 0; p < last; ++p) store(inverse_ + p * capacity_ + last, Vector<T>{});
    }
    update_[last] = -1;
    sign_[last] = sign;
    index_[last] = int32_t(j);
    const T scale = 1 / s;
    for (int v = 0; v < vectors(); ++v) {
      const Vector<T> u = load(update_ + v * kLanes) * scale;
      T* row = inverse_ + v * kLanes;
      for (int p = 0; p < last; ++p, row += capacity_) store(row, load(row) + u * update_[p]);
      store(row, -u);
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
  void unpenalised(T* out) {
    apply_inverse([&](int p) { return column_.correlation[index_[p]] - column_.t * sign_[p]; }, out);
  }

  // Goes to the target, through as many changes of sign as there are on the way.
  REIDOPS_INLINE void walk() {
    for (;;) {
      unsigned crossed = 0;
      for (int v = 0; v < vectors(); ++v)
        crossed |= negative_lanes<T>(load(target_ + v * kLanes) * load(sign_ + v * kLanes));
      if (!crossed) break;
      feature_sign_ ? search() : stop_at_first_crossing();
      if (size_ == 0) return;
      unpenalised(target_);
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
  void search() {
    const T slope = along_gradient(), curve = along_curvature();
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
      const T value = reach * (reach * curve - 2 * slope) + 2 * column_.t * l1;
      if (leaver == -2 || value < best_value) best_value = value, best_reach = reach, leaver = k;
    }
    for (int p = 0; p < size_; ++p) {
      weight_[p] += best_reach * (target_[p] - weight_[p]);
      if (weight_[p] * sign_[p] < 0) sign_[p] = -sign_[p];
    }
    if (leaver >= 0) leave(leaver);
  }

  // With d = target - w and G_AA target = c_A - t s:  d.r_A and d.G_AA d, the first two terms of ||x - Y(w + a d)||^2.
  T along_gradient() const {
    T total = 0;
    for (int p = 0; p < size_; ++p) {
      T r = column_.correlation[index_[p]];
      for (int q = 0; q < size_; ++q) r -= column_.gram[index_[p] * column_.stride + index_[q]] * weight_[q];
      total += (target_[p] - weight_[p]) * r;
    }
    return total;
  }
  T along_curvature() const {
    T total = 0;
    for (int p = 0; p < size_; ++p)
      for (int q = 0; q < size_; ++q)
        total += (target_[p] - weight_[p]) * column_.gram[index_[p] * column_.stride + index_[q]] *
                 (target_[q] - weight_[q]);
    return total;
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
      if (!(s > pivot_floor<T>() * column_.gram[j * column_.stride + j])) continue;
      grow(j, signs[k], s);
      weight_[size_ - 1] = weights[k];
    }
    unpenalised(target_);
    walk();
    return true;
  }

  // One step of iterative refinement: w_A += G_AA^-1 (r_A - t s), which takes out what the inverse has drifted.
  void polish() {
    apply_inverse([&](int p) { return residual_[index_[p]] - column_.t * sign_[p]; }, target_);
    for (int p = 0; p < size_; ++p) {
      const T w = weight_[p] + target_[p];
      if (w * sign_[p] > 0) weight_[p] = w;
    }
  }

  T certify() {
    sums_ = {};
    sums_.r_max = r_max_;
    for (int p = 0; p < size_; ++p) {
      const T w = weight_[p];
      sums_.wc += w * column_.correlation[index_[p]];
      sums_.wr += w * residual_[index_[p]];
      sums_.l1 += w < 0 ? -w : w;
    }
    return sparse_reconstruct::certify(expanded_error(column_.energy, sums_), sums_, column_.t).gap;
  }

  Buffer<T> residuals_, inverses_, small_;
  Buffer<int32_t> indices_;
  T *residual_ = nullptr, *inverse_ = nullptr, *weight_ = nullptr, *sign_ = nullptr;
  T *update_ = nullptr, *target_ = nullptr, *kept_ = nullptr;
  int32_t* index_ = nullptr;
  Column<T> column_{};
  Sums<T> sums_;
  T tolerance_ = 0, bound_ = 0, r_max_ = 0;
  Bits place_mask_ = 0;
  int64_t worst_ = 0;
  int capacity_ = 0, size_ = 0, iterations_left_ = 0, rebuilds_left_ = 0;
  bool feature_sign_ = false;
};

}  // namespace reidops::REIDOPS_ISA
