// residual.h - r = c - Gw of every atom of one column, and the atom that violates the KKT conditions most.
#pragma once

#include "../common/lanes.h"
#include "sparse_reconstruct.h"

namespace reidops::REIDOPS_ISA {

using namespace sparse_reconstruct;  // the shared arithmetic, for all of this instruction set's kernels

// One column in Gram form.  `atoms` and `stride` are multiples of the vector length; what pads them is zero.
template <class T>
struct Column {
  const T* gram;
  int64_t stride;
  const T* correlation;
  int64_t atoms;
  T energy;
  T t;
  double largest = 0;   // energy of the largest atom
  double rounding = 0;  // relative, as in rounding_of_gram_form

  const T* row(int64_t j) const { return gram + j * stride; }
};

template <class T>
Rounding<double> rounding(const Column<T>& column, const Sums<double>& sums) {
  const double reach = std::sqrt(column.largest) * sums.l1;
  return rounding_of_gram_form<double>(column.energy, column.largest, reach, column.rounding);
}

// The certificate of a Gram form, its rounding reckoned with.  In double: sums in float32 would add roundings of their
// own.
template <class T>
Certificate<double> certify_gram_form(const Column<T>& column, const Sums<double>& sums) {
  return certify(expanded_error(double(column.energy), sums), sums, double(column.t), rounding(column, sums));
}

template <class T>
class Residual {
  static constexpr int kLanes = Lanes<T>::kCount;
  static constexpr unsigned kAllLanes = (1u << kLanes) - 1;
  using Bits = typename Lanes<T>::Bits;
  using BitVector = typename Lanes<T>::BitVector;
  static constexpr Bits kAllButSign = Bits(~(Bits(1) << (8 * sizeof(T) - 1)));

 public:
  void reserve(int64_t atoms) {
    r_ = memory_.reserve(atoms);
    place_mask_ = 0;
    while (place_mask_ < Bits(atoms / kLanes - 1)) place_mask_ = 2 * place_mask_ + 1;
  }

  T operator[](int64_t j) const { return r_[j]; }

  // A bound on |r|_inf from above, as tight as the place below leaves it.
  T largest() const { return largest_; }

  // |r|_inf itself.
  T exactly_largest(int64_t atoms) const {
    Vector<T> best{};
    for (int64_t j = 0; j < atoms; j += kLanes) best = larger(best, magnitude<T>(load(r_ + j)));
    return atoms > 0 ? REIDOPS_ISA::largest<T>(best) : T(0);
  }

  // r = c - sum_p w_p G_p from scratch, over the `size` atoms `index` of the active set; returns the atom with the
  // largest |r_j|.
  //
  // Each lane keeps its largest |r_j| with the number of the vector it came from in the lowest bits of the mantissa:
  // one maximum then finds value and place together.  What that takes from the value, largest() gives back.
  int64_t refresh(const Column<T>& column, const int32_t* index, const T* weight, int size) {
    Vector<T> best{};
    int64_t j = 0;
    const auto block = [&]<int kVectors>() {
      for (; j + kVectors * kLanes <= column.atoms; j += kVectors * kLanes)
        best = larger(best, refresh_block<kVectors>(column, j, index, weight, size));
    };
    block.template operator()<8>();
    block.template operator()<2>();
    block.template operator()<1>();
    T key;
    const int lane = find(best, key);
    const int64_t place = place_of(key) * kLanes + lane;
    largest_ = upper_end(key);
    best = best < Vector<T>{} + key ? best : Vector<T>{};
    const int other = find(best, key);
    second_ = place_of(key) * kLanes + other;
    second_largest_ = upper_end(key);
    return place;
  }

  // The atom that has the largest |r_j| of those in other lanes, and a bound on it from above.
  int64_t second() const { return second_; }
  T second_largest() const { return second_largest_; }

 private:
  // The lane of the largest element, which is `key`.
  static int find(Vector<T> best, T& key) {
    key = REIDOPS_ISA::largest<T>(best);
    const unsigned lanes = ~negative_lanes<T>(best - key) & kAllLanes;
    return lanes ? __builtin_ctz(lanes) : 0;  // none where a NaN has come up
  }
  int64_t place_of(T key) const { return int64_t(__builtin_bit_cast(Bits, key) & place_mask_); }
  T upper_end(T key) const { return __builtin_bit_cast(T, __builtin_bit_cast(Bits, key) | place_mask_); }

  template <int kVectors>
  REIDOPS_INLINE Vector<T> refresh_block(const Column<T>& column, int64_t j, const int32_t* index, const T* weight,
                                         int size) {
    Vector<T> r[kVectors];
    for (int v = 0; v < kVectors; ++v) r[v] = load(column.correlation + j + v * kLanes);
    for (int p = 0; p < size; ++p) {
      const T* row = column.row(index[p]) + j;
      for (int v = 0; v < kVectors; ++v) r[v] -= load(row + v * kLanes) * weight[p];
    }
    for (int v = 0; v < kVectors; ++v) store(r_ + j + v * kLanes, r[v]);
    const Bits first = Bits(j / kLanes), keep = kAllButSign & ~place_mask_;
    for (int v = 0; v < kVectors; ++v)
      r[v] = __builtin_bit_cast(Vector<T>, (__builtin_bit_cast(BitVector, r[v]) & keep) | (first + v));
    for (int half = kVectors / 2; half > 0; half /= 2)
      for (int v = 0; v < half; ++v) r[v] = larger(r[v], r[v + half]);
    return r[0];
  }

  Buffer<T> memory_;
  T* r_ = nullptr;
  T largest_ = 0, second_largest_ = 0;
  int64_t second_ = 0;
  Bits place_mask_ = 0;
};

}  // namespace reidops::REIDOPS_ISA
