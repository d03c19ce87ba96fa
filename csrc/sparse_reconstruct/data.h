// data.h - one column and its dictionary as they were given, for the few columns whose Gram form is not precise enough.
//
// The products c = Y'x and G = Y'Y carry roundings of ||x|| ||y||, and a small residual is their difference.  From the
// data
//
//     rho = x - Yw  (summed with twice the digits of double),   r = Y'rho
//
// carry roundings of ||rho|| ||y||, however small rho is beside x.
#pragma once

#include "../common/lanes.h"

namespace reidops::REIDOPS_ISA {

// A double without the lower 27 bits of its mantissa.  A product of two such has 52 bits: it is exact.
REIDOPS_INLINE double upper_half(double v) {
  return __builtin_bit_cast(double, __builtin_bit_cast(int64_t, v) & ~((int64_t(1) << 27) - 1));
}

template <class T>
struct Data {
  const T* column = nullptr;  // x; null: no data at hand
  const T* atoms = nullptr;   // atom j begins at atoms + j * atom_stride
  int64_t atom_stride = 0;
  int64_t d = 0;
  int64_t M = 0;

  void load_column(double* x) const {
    for (int64_t i = 0; i < d; ++i) x[i] = double(column[i]);
  }
  void load_atom(int64_t j, double* y) const {
    const T* from = atoms + j * atom_stride;
    for (int64_t i = 0; i < d; ++i) y[i] = double(from[i]);
  }
};

// Sums of d products, in the same order on each call.  Eight partial sums: at most d / 8 + 10 roundings of each
// product.
inline double dot(const double* a, const double* b, int64_t d) {
  double sums[8] = {};
  int64_t i = 0;
  for (; i + 8 <= d; i += 8)
    for (int k = 0; k < 8; ++k) sums[k] += a[i + k] * b[i + k];
  for (; i < d; ++i) sums[0] += a[i] * b[i];
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

// x - Yw as a double, or as the sum of two, high and low.
template <class T>
class DataResidual {
 public:
  void start(const Data<T>& data, bool twice) {
    data_ = data;
    twice_ = twice;
    high_ = memory_.reserve(3 * data.d);
    low_ = high_ + data.d;
    atom_ = low_ + data.d;
    data_.load_column(high_);
    for (int64_t i = 0; i < data.d; ++i) low_[i] = 0;
  }

  // high + low -= w y_j.  What a compiler contracts to fused operations here is exact, and so changes nothing.
  void subtract(int64_t j, double w) {
    data_.load_atom(j, atom_);
    if (!twice_) {
      for (int64_t i = 0; i < data_.d; ++i) high_[i] -= w * atom_[i];
      return;
    }
    const double w_upper = upper_half(w), w_lower = w - w_upper;
    for (int64_t i = 0; i < data_.d; ++i) {
      const double y = atom_[i], y_upper = upper_half(y), before = high_[i];
      const double product = -w_upper * y_upper;  // exact
      const double sum = before + product, rounded = sum - before;
      const double lost = (before - (sum - rounded)) + (product - rounded);
      high_[i] = sum;
      low_[i] += lost - (w_upper * (y - y_upper) + w_lower * y);
    }
  }

  // rho, rounded once.
  const double* finish() {
    for (int64_t i = 0; i < data_.d; ++i) high_[i] += low_[i];
    return high_;
  }

  // r = Y'rho of every atom.
  void correlate(double* r) {
    for (int64_t j = 0; j < data_.M; ++j) {
      data_.load_atom(j, atom_);
      r[j] = dot(atom_, high_, data_.d);
    }
  }

 private:
  Data<T> data_;
  Buffer<double> memory_;
  double *high_ = nullptr, *low_ = nullptr, *atom_ = nullptr;
  bool twice_ = false;
};

}  // namespace reidops::REIDOPS_ISA
