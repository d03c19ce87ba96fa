// inverse.h - the explicit inverse of G_AA, grown and shrunk by rank-one updates as atoms join and leave the set A.
#pragma once

#include "../common/lanes.h"

namespace reidops::REIDOPS_ISA {

// Row p begins at rows + p * capacity and is padded with zeros to whole vectors.
template <class T>
class Inverse {
  static constexpr int kLanes = Lanes<T>::kCount;

 public:
  // `capacity`: a multiple of the vector length.
  void reserve(int capacity) {
    capacity_ = capacity;
    rows_ = memory_.reserve(int64_t(capacity) * capacity);
  }

  static int vectors(int size) { return (size + kLanes - 1) / kLanes; }

  // out = G_AA^-1 in, padded with zeros to whole vectors; in(p) is called for every p of the `size` members.
  template <class In>
  REIDOPS_INLINE void apply(int size, In in, T* out) const {
    for (int v = 0; v < vectors(size); ++v) {
      const T* row = rows_ + v * kLanes;
      Vector<T> even{}, odd{};
      int p = 0;
      for (; p + 1 < size; p += 2, row += 2 * capacity_) {
        even += load(row) * in(p);
        odd += load(row + capacity_) * in(p + 1);
      }
      if (p < size) even += load(row) * in(p);
      store(out + v * kLanes, even + odd);
    }
  }

  // A member joins as number `last`: with u = G_AA^-1 g, ended by u_last = -1, and the Schur complement s,
  //     G_AA^-1 += u u' / s.
  REIDOPS_INLINE void grow(int last, const T* u, T s) {
    if (last % kLanes == 0)
      for (int p = 0; p < last; ++p) store(rows_ + p * capacity_ + last, Vector<T>{});
    const T scale = 1 / s;
    for (int v = 0; v < vectors(last + 1); ++v) {
      const Vector<T> scaled = load(u + v * kLanes) * scale;
      T* row = rows_ + v * kLanes;
      for (int p = 0; p < last; ++p, row += capacity_) store(row, load(row) + scaled * u[p]);
      store(row, -scaled);
    }
  }

  // Member p leaves, and the last one takes its number: with v the p-th row,  G_AA^-1 -= v v' / v_p.
  void leave(int p, int last) {
    const int used = vectors(last + 1);
    const T* v = rows_ + p * capacity_;
    const T pivot = v[p];
    for (int q = 0; q <= last; ++q) {
      if (q == p) continue;
      const T scale = v[q] / pivot;
      T* row = rows_ + q * capacity_;
      for (int z = 0; z < used; ++z) store(row + z * kLanes, load(row + z * kLanes) - load(v + z * kLanes) * scale);
    }
    if (p != last) {
      std::memcpy(rows_ + p * capacity_, rows_ + last * capacity_, size_t(used) * kVectorBytes);
      for (int q = 0; q < last; ++q) rows_[q * capacity_ + p] = rows_[q * capacity_ + last];
    }
    for (int q = 0; q < last; ++q) rows_[q * capacity_ + last] = 0;
  }

 private:
  Buffer<T> memory_;
  T* rows_ = nullptr;
  int64_t capacity_ = 0;
};

}  // namespace reidops::REIDOPS_ISA
