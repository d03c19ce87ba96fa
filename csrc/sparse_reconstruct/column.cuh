// column.cuh - how a warp holds the column that it solves.
//
// A vector over the atoms (r, w, ...) is spread over the lanes: lane l owns the atoms 128 i + 4 l + k, k < 4, so that a
// row of the Gram is read 16 bytes a lane, one round of 128 atoms after another.
#pragma once

#include <cstdint>

#include "../common/launch.h"
#include "../common/warp.cuh"
#include "problem.h"

namespace reidops::sparse_reconstruct {

inline constexpr int kRoundAtoms = 4 * kWarp;
inline constexpr int kInMemory = 0;  // rounds: too many atoms for registers
inline constexpr int kNoAtom = 0x7fffffff;

template <class T>
struct alignas(16) Four {
  T at[4];
};

template <class T>
__device__ __forceinline__ Four<T> load_four(const T* aligned) {
  return *reinterpret_cast<const Four<T>*>(aligned);
}

template <class T, class Stored>
__device__ __forceinline__ Four<T> four_of(const Four<Stored>& v) {
  return {{T(v.at[0]), T(v.at[1]), T(v.at[2]), T(v.at[3])}};
}

// v[first .. first + 3], zero from v[count] on.  The first `fours` elements can be read 16 bytes at a time.
template <class T>
__device__ __forceinline__ Four<T> load_padded(const T* v, int first, int count, int fours) {
  if (first < fours) return load_four(v + first);
  Four<T> four;
#pragma unroll
  for (int k = 0; k < 4; ++k) four.at[k] = first + k < count ? v[first + k] : T(0);
  return four;
}

__device__ __forceinline__ int atom_of(int round, int lane, int k) { return kRoundAtoms * round + 4 * lane + k; }
__device__ __forceinline__ int atom_in_slot(int slot) { return atom_of(slot / 4, lane_index(), slot % 4); }
__device__ __forceinline__ int owner_of(int atom) { return atom / 4 % kWarp; }
__device__ __forceinline__ int slot_of(int atom) { return atom / kRoundAtoms * 4 + atom % 4; }

// One lane's part of a vector over the atoms, in registers.
template <class T, int kRounds>
class LaneVector {
 public:
  __device__ __forceinline__ LaneVector(T*, int, int) {}
  __device__ __forceinline__ static constexpr int rounds() { return kRounds; }
  __device__ __forceinline__ T& at(int i, int k) { return values_[4 * i + k]; }

 private:
  T values_[4 * kRounds];
};

// The same in memory, the n-th of several side by side there, for any number of rounds; a lane touches only its own.
template <class T>
class LaneVector<T, kInMemory> {
 public:
  __device__ __forceinline__ LaneVector(T* memory, int n, int rounds)
      : memory_(memory + static_cast<int64_t>(n) * kRoundAtoms * rounds + 4 * lane_index()), rounds_(rounds) {}
  __device__ __forceinline__ int rounds() const { return rounds_; }
  __device__ __forceinline__ T& at(int i, int k) { return memory_[kRoundAtoms * i + k]; }

 private:
  T* memory_;
  int rounds_;
};

// What every lane knows of its column, which is solved in T; the Gram may be stored in less.
template <class T, int kRounds, class Stored = T>
struct Column {
  // One Gram of 128 atoms is 64 KB of floats: it is staged in shared memory, its rows padded to one whole round.
  static constexpr bool kStaged = kRounds == 1 && sizeof(T) == 4;

  static constexpr bool kRounded = sizeof(Stored) < sizeof(T);  // the Gram is less precise than what is done with it

  const Stored* gram;    // its rows start on 16 bytes and are zero from `atoms` to `stride`
  int gram_stride;       // a multiple of 4
  const T* correlation;  // c, in the warp's shared memory and padded with zeros, unless there are too many atoms
  int fours;             // if there are: M where c can be read 16 bytes at a time, else 0
  int atoms;             // M
  const T* energy;       // ||x||^2, in shared memory
  T t;                   // beta / 2
  T ridge = 0;           // share of itself that is added to a rounded Gram's diagonal, to be sure that it is positive

  __device__ __forceinline__ int stride() const { return kStaged ? kRoundAtoms : gram_stride; }
  __device__ __forceinline__ const Stored* row(int atom) const { return gram + static_cast<int64_t>(atom) * stride(); }
  __device__ __forceinline__ T energy_of(int atom) const {
    const T energy = row(atom)[atom];
    return kRounded ? energy + ridge * energy : energy;
  }
};

__host__ __device__ __forceinline__ int rounds_of(int64_t atoms) {
  return static_cast<int>((atoms + kRoundAtoms - 1) / kRoundAtoms);
}

template <class T, int kRounds>
__device__ __forceinline__ void fill(LaneVector<T, kRounds>& vector, T value) {
#pragma unroll
  for (int i = 0; i < vector.rounds(); ++i)
#pragma unroll
    for (int k = 0; k < 4; ++k) vector.at(i, k) = value;
}

// NaN where an element is NaN or infinite.
template <class T, int kRounds>
__device__ __forceinline__ T zero_if_finite(LaneVector<T, kRounds>& vector) {
  T sum = 0;
#pragma unroll
  for (int i = 0; i < vector.rounds(); ++i)
#pragma unroll
    for (int k = 0; k < 4; ++k) sum += vector.at(i, k) * 0;
  return sum;
}

// Four correlations of this lane, zero past the last atom.
template <class T, int kRounds, class Stored>
__device__ __forceinline__ Four<T> correlation_at(const Column<T, kRounds, Stored>& column, int round) {
  const int first = atom_of(round, lane_index(), 0);
  if constexpr (kRounds != kInMemory) {
    return load_four(column.correlation + first);
  } else {
    return load_padded(column.correlation, first, column.atoms, column.fours);
  }
}

// r = c
template <class T, int kRounds, class Stored>
__device__ __forceinline__ void load_correlation(const Column<T, kRounds, Stored>& column, LaneVector<T, kRounds>& r) {
#pragma unroll
  for (int i = 0; i < r.rounds(); ++i) {
    const Four<T> c = correlation_at(column, i);
#pragma unroll
    for (int k = 0; k < 4; ++k) r.at(i, k) = c.at[k];
  }
}

// Four elements of this lane in a row of the Gram.
template <class T, int kRounds, class Stored>
__device__ __forceinline__ Four<T> gram_at(const Column<T, kRounds, Stored>& column, int atom, int round) {
  const int first = atom_of(round, lane_index(), 0);
  if (!column.kStaged && first >= column.stride()) return {};
  Four<T> four = four_of<T>(load_four(column.row(atom) + first));
  if constexpr (Column<T, kRounds, Stored>::kRounded) {
#pragma unroll
    for (int k = 0; k < 4; ++k)
      if (first + k == atom) four.at[k] = column.energy_of(atom);
  }
  return four;
}

// r -= w_j G_j
template <class T, int kRounds, class Stored>
__device__ __forceinline__ void subtract_row(const Column<T, kRounds, Stored>& column, int atom, T w,
                                             LaneVector<T, kRounds>& r) {
#pragma unroll
  for (int i = 0; i < r.rounds(); ++i) {
    const Four<T> g = gram_at(column, atom, i);
#pragma unroll
    for (int k = 0; k < 4; ++k) r.at(i, k) -= w * g.at[k];
  }
}

// The element of each lane's own `atom`, from whichever lane owns it.
template <class T, int kRounds>
__device__ __forceinline__ T gather(LaneVector<T, kRounds>& vector, int atom) {
  T found = 0;
#pragma unroll
  for (int i = 0; i < kRounds; ++i)
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const T value = __shfl_sync(kAllLanes, vector.at(i, k), owner_of(atom));
      if (slot_of(atom) == 4 * i + k) found = value;
    }
  return found;
}
template <class T>
__device__ __forceinline__ T gather(LaneVector<T, kInMemory>& vector, int atom) {
  __syncwarp();
  const T found = (&vector.at(0, 0))[atom - 4 * lane_index()];
  __syncwarp();
  return found;
}

// Calls body(atom, value) for the elements that are not zero, one after another and the whole warp together.
template <class T, int kRounds, class Body>
__device__ __forceinline__ void for_each_nonzero(LaneVector<T, kRounds>& vector, Body body) {
  unsigned mine = 0;  // a bit for every element that is not zero
#pragma unroll
  for (int i = 0; i < kRounds; ++i)
#pragma unroll
    for (int k = 0; k < 4; ++k) mine |= static_cast<unsigned>(vector.at(i, k) != T(0)) << (4 * i + k);
  for (unsigned lanes; (lanes = __ballot_sync(kAllLanes, mine != 0)) != 0;) {
    const int owner = __ffs(static_cast<int>(lanes)) - 1;
    const int slot = __ffs(__shfl_sync(kAllLanes, static_cast<int>(mine), owner)) - 1;
    T value = 0;
#pragma unroll
    for (int i = 0; i < kRounds; ++i)
#pragma unroll
      for (int k = 0; k < 4; ++k)
        if (slot == 4 * i + k) value = vector.at(i, k);
    if (lane_index() == owner) mine &= mine - 1;
    body(atom_of(slot / 4, owner, slot % 4), __shfl_sync(kAllLanes, value, owner));
  }
}
template <class T, class Body>
__device__ __forceinline__ void for_each_nonzero(LaneVector<T, kInMemory>& vector, Body body) {
  for (int i = 0; i < vector.rounds(); ++i)
    for (int k = 0; k < 4; ++k) {
      const T mine = vector.at(i, k);
      for (unsigned lanes = __ballot_sync(kAllLanes, mine != T(0)); lanes != 0; lanes &= lanes - 1) {
        const int owner = __ffs(static_cast<int>(lanes)) - 1;
        body(atom_of(i, owner, k), __shfl_sync(kAllLanes, mine, owner));
      }
    }
}

template <class T>
struct Peak {
  T value;   // r_j of the first j that has the largest |r_j|
  int atom;  // that j
  __device__ __forceinline__ T size() const { return value < T(0) ? -value : value; }
};

// Of this lane's own atoms.
template <class T, int kRounds>
__device__ __forceinline__ Peak<T> lane_peak(LaneVector<T, kRounds>& r) {
  Peak<T> peak{0, 0};
  int slot = 0;
#pragma unroll
  for (int i = 0; i < r.rounds(); ++i)
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const T value = r.at(i, k), size = value < T(0) ? -value : value;
      if (size > peak.size()) peak.value = value, slot = 4 * i + k;
    }
  peak.atom = atom_in_slot(slot);
  return peak;
}

// max_j |r_j|
template <class T, int kRounds>
__device__ __forceinline__ T largest(LaneVector<T, kRounds>& r) {
  return warp_max_nonnegative(lane_peak(r).size());
}

template <class T, int kRounds, class Out>
__device__ __forceinline__ void write_coefficients(Out* out, int atoms, LaneVector<T, kRounds>& w) {
#pragma unroll
  for (int i = 0; i < w.rounds(); ++i)
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const int atom = atom_of(i, lane_index(), k);
      if (atom < atoms) out[atom] = static_cast<Out>(w.at(i, k));
    }
}

// Adds up what the lanes have summed; r_max is the whole warp's already.
template <class T>
__device__ __forceinline__ Sums<T> warp_sums(Sums<T> sums) {
  sums.wc = warp_sum(sums.wc);
  sums.wr = warp_sum(sums.wr);
  sums.l1 = warp_sum(sums.l1);
  return sums;
}

}  // namespace reidops::sparse_reconstruct
