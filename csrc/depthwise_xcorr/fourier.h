// fourier.h - the discrete Fourier transform of as many sequences at a time as a register has numbers,
//
//     z^[k] = sum over n in [0, N) of z[n] exp(-2 pi i n k / N).
//
// For N = r m, a stage turns a sequence into r of m elements, which lie one after another,
//
//     z_k[p] = exp(-2 pi i p k / N) sum over j in [0, r) of z[p + m j] exp(-2 pi i j k / r),   z^[r l + k] = z_k^[l],
//
// until all have one.  Each stage works in place, so that little memory is touched, and leaves the results in an order
// of their own, `place`.  The way back undoes the stages from the last to the first.
#pragma once

#include <cmath>

#include "../common/pixels.h"

namespace reidops::REIDOPS_ISA {

// The least product of 2, 3 and 5 that is no smaller than n >= 1.
inline int64_t fast_size(int64_t n) {
  for (;; ++n) {
    int64_t rest = n;
    for (const int64_t factor : {2, 3, 5})
      while (rest % factor == 0) rest /= factor;
    if (rest == 1) return n;
  }
}

template <class T>
class Fourier {
  using V = Run<T>;
  static constexpr int kLanes = kRun<T>;
  static constexpr int kMostStages = 32;  // no stage has a radix below 2, and no size 33 bits

 public:
  struct Parts {
    T *re, *im;  // `size` runs of each
  };

  // Stages have n = size, size / r, ... elements and m (r - 1) < n factors each: fewer than 2 size in all.
  explicit Fourier(int64_t size) : size_(size) {
    T* const factors = memory_.reserve(4 * size);
    T* const roots = root_memory_.reserve(2 * size);
    for (int64_t j = 0; j < size; ++j) root(j, size, roots + 2 * j);
    int64_t used = 0;
    for (int64_t n = size; n > 1;) {
      const int radix = n % 4 == 0 ? 4 : n % 2 == 0 ? 2 : n % 3 == 0 ? 3 : 5;
      const int64_t m = n / radix, step = size / n;
      stages_[count_++] = {radix, m, factors + used};
      for (int64_t p = 0; p < m; ++p)
        for (int64_t k = 1; k < radix; ++k, used += 2)
          std::memcpy(factors + used, roots + 2 * (p * k * step), 2 * sizeof(T));  // p k < n, and n step = size
      n = m;
    }
    // k counted in digits of the stages' radices, the first stage's lowest.
    places_ = place_memory_.reserve(size);
    int digits[kMostStages] = {};
    for (int64_t k = 0, place = 0; k < size; ++k) {
      places_[k] = place;
      for (int i = 0; i < count_; ++i) {
        place += stages_[i].m;
        if (++digits[i] < stages_[i].radix) break;
        digits[i] = 0, place -= stages_[i].radix * stages_[i].m;
      }
    }
  }
  int64_t size() const { return size_; }
  int64_t place(int64_t k) const { return places_[k]; }

  // z^[k] comes to lie at place(k).
  void forward(Parts z) const {
    for (int i = 0; i < count_; ++i) stage<true>(stages_[i], z);
  }
  // From such an order, N z.  Conjugates are real and imaginary parts exchanged, before and after.
  void back(Parts z) const {
    for (int i = count_ - 1; i >= 0; --i) stage<false>(stages_[i], {z.im, z.re});
  }

 private:
  struct Stage {
    int radix;
    int64_t m;
    const T* factors;  // exp(-2 pi i p k / (r m)), 1 <= k < r
  };

  // exp(-2 pi i j / n), by an angle below a right one: 4 j = q n + rest.
  static void root(int64_t j, int64_t n, T* to) {
    const int64_t q = 4 * j / n, rest = 4 * j - q * n;
    const double angle = 1.57079632679489661923 * (double(rest) / double(n));
    const double c = rest == 0 ? 1 : std::cos(angle), s = rest == 0 ? 0 : std::sin(angle);
    const double re[] = {c, -s, -c, s}, im[] = {-s, -c, s, c};
    to[0] = T(re[q]), to[1] = T(im[q]);
  }

  template <bool kForward>
  void stage(const Stage& one, Parts z) const {
    if (one.radix == 4) sequences<4, kForward>(one, z);
    if (one.radix == 2) sequences<2, kForward>(one, z);
    if (one.radix == 3) sequences<3, kForward>(one, z);
    if (one.radix == 5) sequences<5, kForward>(one, z);
  }
  // Every sequence of r m elements; where p = 0 all factors are 1.
  template <int kRadix, bool kForward>
  void sequences(const Stage& one, Parts z) const {
    const int64_t length = kRadix * one.m * kLanes, end = size_ * kLanes;
    for (int64_t begin = 0; begin < end; begin += length) {
      elements<kRadix, kForward, false>(one, 0, {z.re + begin, z.im + begin});
      for (int64_t p = 1; p < one.m; ++p) elements<kRadix, kForward, true>(one, p, {z.re + begin, z.im + begin});
    }
  }
  template <int kRadix, bool kForward, bool kFactors>
  REIDOPS_INLINE static void elements(const Stage& one, int64_t p, Parts z) {
    const T* const factors = one.factors + p * (kRadix - 1) * 2;
    const int64_t step = one.m * kLanes;
    T *const at = z.re + p * kLanes, *const imaginary = z.im + p * kLanes;
    V re[kRadix], im[kRadix];
    for (int j = 0; j < kRadix; ++j) re[j] = take<kLanes>(at + j * step), im[j] = take<kLanes>(imaginary + j * step);
    if (kFactors && !kForward) multiply(re, im, factors);
    butterfly(re, im);
    if (kFactors && kForward) multiply(re, im, factors);
    for (int k = 0; k < kRadix; ++k) put<kLanes>(at + k * step, re[k]), put<kLanes>(imaginary + k * step, im[k]);
  }
  template <int kRadix>
  REIDOPS_INLINE static void multiply(V (&re)[kRadix], V (&im)[kRadix], const T* factors) {
    for (int k = 1; k < kRadix; ++k) {
      const T c = factors[2 * k - 2], s = factors[2 * k - 1];
      const V a = re[k] * c - im[k] * s, b = re[k] * s + im[k] * c;
      re[k] = a, im[k] = b;
    }
  }

  // Sums over j of z[j] exp(-2 pi i j k / r), in place of the z.
  REIDOPS_INLINE static void butterfly(V (&re)[2], V (&im)[2]) {
    const V a = re[0], b = im[0];
    re[0] = a + re[1], im[0] = b + im[1];
    re[1] = a - re[1], im[1] = b - im[1];
  }
  REIDOPS_INLINE static void butterfly(V (&re)[3], V (&im)[3]) {
    const T half = T(0.5), s = T(0.86602540378443864676);
    const V ta = re[1] + re[2], tb = im[1] + im[2], da = (re[1] - re[2]) * s, db = (im[1] - im[2]) * s;
    const V ma = re[0] - ta * half, mb = im[0] - tb * half;
    re[0] += ta, im[0] += tb;
    re[1] = ma + db, im[1] = mb - da;
    re[2] = ma - db, im[2] = mb + da;
  }
  REIDOPS_INLINE static void butterfly(V (&re)[4], V (&im)[4]) {
    const V sa = re[0] + re[2], sb = im[0] + im[2], da = re[0] - re[2], db = im[0] - im[2];
    const V ta = re[1] + re[3], tb = im[1] + im[3], ea = re[1] - re[3], eb = im[1] - im[3];
    re[0] = sa + ta, im[0] = sb + tb;
    re[1] = da + eb, im[1] = db - ea;
    re[2] = sa - ta, im[2] = sb - tb;
    re[3] = da - eb, im[3] = db + ea;
  }
  REIDOPS_INLINE static void butterfly(V (&re)[5], V (&im)[5]) {
    const T c1 = T(0.30901699437494742410), c2 = T(-0.80901699437494742410);
    const T s1 = T(0.95105651629515357212), s2 = T(0.58778525229247312917);
    const V a1 = re[1] + re[4], a2 = re[2] + re[3], b1 = im[1] + im[4], b2 = im[2] + im[3];
    const V d1 = re[1] - re[4], d2 = re[2] - re[3], e1 = im[1] - im[4], e2 = im[2] - im[3];
    const V m1 = re[0] + a1 * c1 + a2 * c2, n1 = im[0] + b1 * c1 + b2 * c2;
    const V m2 = re[0] + a1 * c2 + a2 * c1, n2 = im[0] + b1 * c2 + b2 * c1;
    const V f1 = d1 * s1 + d2 * s2, g1 = e1 * s1 + e2 * s2, f2 = d1 * s2 - d2 * s1, g2 = e1 * s2 - e2 * s1;
    re[0] += a1 + a2, im[0] += b1 + b2;
    re[1] = m1 + g1, im[1] = n1 - f1;
    re[4] = m1 - g1, im[4] = n1 + f1;
    re[2] = m2 + g2, im[2] = n2 - f2;
    re[3] = m2 - g2, im[3] = n2 + f2;
  }

  const int64_t size_;
  Buffer<T> memory_, root_memory_;
  Buffer<int64_t> place_memory_;
  int64_t* places_;
  Stage stages_[kMostStages];
  int count_ = 0;
};

}  // namespace reidops::REIDOPS_ISA
