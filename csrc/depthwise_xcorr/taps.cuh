// taps.cuh - the inner loop: what some rows of taps give to a thread's outputs.
//
// A thread has Rows rows of two columns of the output, x and x + 1.  A column of pixels that it has read meets two
// columns of taps, one for each of its own:
//
//     out[y, x]     += sum over i of template[i, c]     search[y + i, x + c]
//     out[y, x + 1] += sum over i of template[i, c - 1] search[y + i, x + c]
//
// and in it a pixel meets up to K taps.  So the Rows + K - 1 pixels of a column are read once for 2 K Rows
// multiply-adds.  Two columns of pixels are read together, and two rows of them: 128 bits.  Every output adds its taps
// column by column, and in a column from the top down.
#pragma once

#include "../common/launch.h"

namespace reidops::depthwise_xcorr {

inline constexpr int kColumns = 2;  // of the output, in a thread; and columns of a map that lie side by side

template <class T, int Count>
struct alignas(Count * sizeof(T)) Pack {
  T of[Count];
};

// Count numbers that lie side by side, 16 bytes at a time as long as there are as many.  `from` is aligned to 16 bytes.
template <int Count, class T>
__device__ __forceinline__ void read(const T* from, T (&to)[Count]) {
  constexpr int kAtOnce = 16 / sizeof(T), kWhole = Count / kAtOnce * kAtOnce;
#pragma unroll
  for (int i = 0; i < kWhole; i += kAtOnce) {
    const auto some = *reinterpret_cast<const Pack<T, kAtOnce>*>(from + i);
#pragma unroll
    for (int u = 0; u < kAtOnce; ++u) to[i + u] = some.of[u];
  }
  if constexpr (Count - kWhole >= 2) {
    const auto two = *reinterpret_cast<const Pack<T, 2>*>(from + kWhole);
    to[kWhole] = two.of[0], to[kWhole + 1] = two.of[1];
  }
  if constexpr ((Count - kWhole) % 2 == 1) {
    to[Count - 1] = from[Count - 1];
  }
}

// sums[k] += sum over i of taps[i] times pixel k + i of column Which.
template <int Which, int K, int Rows, class T>
__device__ __forceinline__ void multiply_add(const T (&taps)[K], const T (&pixels)[kColumns * (Rows + K - 1)],
                                             T (&sums)[Rows]) {
#pragma unroll
  for (int i = 0; i < K; ++i) {
#pragma unroll
    for (int k = 0; k < Rows; ++k) sums[k] += taps[i] * pixels[kColumns * (k + i) + Which];
  }
}

// Adds what K rows and `columns` columns of taps in shared memory give to sums[column][row] of a thread.
//
// `map` is the pixel that tap (0, 0) of the thread's first output meets; pixel (y, x) from there is at
// map[x / 2 * pair_pitch + 2 * y + x % 2].  Read are rows 0 ... Rows + K - 2 and columns 0 ... columns, rounded up to
// an odd number.  `taps` is tap (0, 0), tap (i, j) is at taps[j * tap_pitch + i].  Both are aligned to 16 bytes, and
// both pitches are multiples of 16 bytes.  No product is made with what is no tap: the pixel there may be NaN.
template <int K, int Rows, class T>
__device__ __forceinline__ void add_taps(const T* map, int pair_pitch, const T* taps, int tap_pitch, int columns,
                                         T (&sums)[kColumns][Rows]) {
  T even[K], odd[K];  // columns c and c + 1 of taps; c - 1 is the last round's c + 1
#pragma unroll 1
  for (int c = 0;; c += 2, map += pair_pitch, taps += 2 * tap_pitch) {
    T pixels[kColumns * (Rows + K - 1)];
    read(map, pixels);
    if (c > 0) multiply_add<0>(odd, pixels, sums[1]);
    if (c == columns) break;
    read(taps, even);
    multiply_add<0>(even, pixels, sums[0]);
    multiply_add<1>(even, pixels, sums[1]);
    if (c + 1 == columns) break;
    read(taps + tap_pitch, odd);
    multiply_add<1>(odd, pixels, sums[0]);
  }
}

// Taps c and c + 1 of every row of K x K of them, taps[i * K + j], as far as there are so many.
template <int K, class T>
__device__ __forceinline__ void read_two_columns(const T* taps, int c, T (&even)[K], T (&odd)[K]) {
#pragma unroll
  for (int i = 0; i < K; ++i) {
    if constexpr (K % 2 == 0) {
      const auto two = *reinterpret_cast<const Pack<T, 2>*>(taps + i * K + c);
      even[i] = two.of[0], odd[i] = two.of[1];
    } else {
      even[i] = taps[i * K + c];
      if (c + 1 < K) odd[i] = taps[i * K + c + 1];
    }
  }
}

// The same for all of a template of K x K taps, which lie in shared memory as they do in global memory: tap (i, j) is
// at taps[i * K + j], an even number of elements from where two can be read at once.  Few columns are unrolled.
template <int K, int Rows, class T>
__device__ __forceinline__ void add_square_of_taps(const T* map, int pair_pitch, const T* taps,
                                                   T (&sums)[kColumns][Rows]) {
  [[maybe_unused]] constexpr int kRounds = K <= 5 ? K : 1;
  T even[K], odd[K];
#pragma unroll kRounds
  for (int c = 0; c <= K; c += 2, map += pair_pitch) {
    T pixels[kColumns * (Rows + K - 1)];
    read(map, pixels);
    if (c > 0) multiply_add<0>(odd, pixels, sums[1]);
    if (c == K) break;
    read_two_columns(taps, c, even, odd);
    multiply_add<0>(even, pixels, sums[0]);
    multiply_add<1>(even, pixels, sums[1]);
    if (c + 1 == K) break;
    multiply_add<1>(odd, pixels, sums[0]);
  }
}

}  // namespace reidops::depthwise_xcorr
