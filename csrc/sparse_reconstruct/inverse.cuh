// inverse.cuh - the explicit inverse of G_AA, row p in registers of lane p, as atoms join and leave the set A.
//
// Members have the first `size` slots, lane p slot p.  Beyond them rows and columns are zero.  Vectors over the members
// come from shared memory, 16 bytes at a time, which all lanes read at once; they are zero beyond `size`, or finite.
#pragma once

#include "column.cuh"

namespace reidops::sparse_reconstruct {

inline constexpr int kCapacity = kWarp;

template <class T>
class LaneInverse {
 public:
  __device__ __forceinline__ LaneInverse() {
#pragma unroll
    for (int q = 0; q < kCapacity; ++q) row_[q] = 0;
  }

  // This lane's element of G_AA^-1 v.
  __device__ __forceinline__ T product(int size, const T* v) const {
    T sum = 0;
    for_each_four(size, [&](int q) {
      const Four<T> x = load_four(v + q);
#pragma unroll
      for (int k = 0; k < 4; ++k) sum += row_[q + k] * x.at[k];
    });
    return sum;
  }

  // G_AA^-1 += scale u', with `scale` an element of u / S; the last of `size` members is the new one.
  __device__ __forceinline__ void grow(int size, T scale, const T* u) {
    for_each_four(size, [&](int q) {
      const Four<T> x = load_four(u + q);
#pragma unroll
      for (int k = 0; k < 4; ++k) row_[q + k] += scale * x.at[k];
    });
  }

  // G_AA^-1 -= v v' / v_p, v row p, and the last of `size` members takes slot p.  x and y: room for a row each.
  __device__ __forceinline__ void leave(int p, int size, T* x, T* y) {
    const int lane = lane_index(), last = size - 1, source = lane == p ? last : lane;
    if (lane == p) store(x);
    if (lane == last) store(y);
    __syncwarp();
    const T pivot = x[p], of_last = y[p] / pivot, scale = x[source] / pivot;
    const T moved = y[source] - of_last * x[source];  // this row's element of the last column, which is the last row
    for_each_four(size, [&](int q) {
      const Four<T> v = load_four(x + q), w = load_four(y + q);
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        const T rest = (lane == p ? w.at[k] : row_[q + k]) - scale * v.at[k];
        row_[q + k] = lane == last || q + k == last ? T(0) : q + k == p ? moved : rest;
      }
    });
    __syncwarp();
  }

 private:
  // Calls body(q) for every four slots q .. q + 3 of which one is below `size`.
  template <class Body>
  __device__ __forceinline__ static void for_each_four(int size, Body body) {
#pragma unroll
    for (int q = 0; q < kCapacity; q += 4) {
      if (q >= size) break;
      body(q);
    }
  }

  __device__ __forceinline__ void store(T* to) const {
#pragma unroll
    for (int q = 0; q < kCapacity; q += 4)
      *reinterpret_cast<Four<T>*>(to + q) = {row_[q], row_[q + 1], row_[q + 2], row_[q + 3]};
  }

  T row_[kCapacity];
};

}  // namespace reidops::sparse_reconstruct
