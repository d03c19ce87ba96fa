// taps.cuh - the inner loop: what some rows of taps give to a thread's outputs.
//
// A thread has Rows rows of two columns of the output, x and x + 1.  A column of pixels that it has read meets two
// columns of taps, one for each of its own:
//
//     out[y, x]     += sum over i of template[i, c]     search[y + i, x + c]
//     out[y, x + 1] += sum over i of template[i, c - 1] search[y + i, x + c]
//
// and in it a pixel meets up to K taps.  So the Rows + K - 1 pixels of a column are read once for 2 K Rows multiply-adds,
// two columns at a time.  Every output adds its taps column by column, and in a column from the top down.
#pragma once

#include "../common/launch.h"

namespace reidops::depthwise_xcorr {

inline constexpr int kColumns = 2;  // of the output, in a thread

template <class T, int Count>
struct alignas(Count * sizeof(T)) Pack {
  T of[Count];
};

// K taps that lie side by side, four at a time as long as there are four.  `from` is aligned to four.
template <int K, class T>
__device__ __forceinline__ void read_taps(const T* from, T (&taps)[K]) {
  constexpr int kFour = sizeof(T) == 4 ? 4 : 2;
#pragma unroll
  for (int i = 0; i < K / kFour * kFour; i += kFour) {
    const auto some = *reinterpret_cast<const Pack<T, kFour>*>(from + i);
#pragma unroll
    for (int u = 0; u < kFour; ++u) taps[i + u] = some.of[u];
  }
  constexpr int kRest = K / kFour * kFour;
  if constexpr (K - kRest >= 2) {
    const auto two = *reinterpret_cast<const Pack<T, 2>*>(from + kRest);
    taps[kRest] = two.of[0], taps[kRest + 1] = two.of[1];
  }
  if constexpr ((K - kRest) % 2 == 1) taps[K - 1] = from[K - 1];
}

// sums[k] += sum over i of taps[i] pixels[k + i].of[which]
template <int Which, int K, int Rows, class T>
__device__ __forceinline__ void multiply_add(const T (&taps)[K], const Pack<T, 2> (&pixels)[Rows + K - 1],
                                             T (&sums)[Rows]) {
#pragma unroll
  for (int i = 0; i < K; ++i) {
#pragma unroll
    for (int k = 0; k < Rows; ++k) sums[k] += taps[i] * pixels[k + i].of[Which];
  }
}

// Adds what K rows and `columns` columns of taps in shared memory give to sums[column][row] of a thread.
//
// `map` is the pixel that tap (0, 0) of the thread's first output meets, at an even number of elements; rows are
// `pitch`, an even number, apart.  Read are rows 0 ... Rows + K - 2 and columns 0 ... columns, rounded up to an odd
// number.  `taps` is tap (0, 0), columns of taps are `tap_pitch`, a multiple of four, apart.  No product is made with
// what is no tap: the pixel there may be NaN.
template <int K, int Rows, class T>
__device__ __forceinline__ void add_taps(const T* map, int pitch, const T* taps, int tap_pitch, int columns,
                                         T (&sums)[kColumns][Rows]) {
  T even[K], odd[K];  // columns c and c + 1 of taps; c - 1 is the last round's c + 1
#pragma unroll 1
  for (int c = 0;; c += 2, map += 2, taps += 2 * tap_pitch) {
    Pack<T, 2> pixels[Rows + K - 1];
#pragma unroll
    for (int k = 0; k < Rows + K - 1; ++k) pixels[k] = *reinterpret_cast<const Pack<T, 2>*>(map + k * pitch);
    if (c > 0) multiply_add<0>(odd, pixels, sums[1]);
    if (c == columns) break;
    read_taps(taps, even);
    multiply_add<0>(even, pixels, sums[0]);
    multiply_add<1>(even, pixels, sums[1]);
    if (c + 1 == columns) break;
    read_taps(taps + tap_pitch, odd);
    multiply_add<1>(odd, pixels, sums[0]);
  }
}

}  // namespace reidops::depthwise_xcorr
