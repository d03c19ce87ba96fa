// tile.h - the innermost product: a few rows of the result and one or two registers of its columns.
#pragma once

#include "../common/pixels.h"
#include "problem.h"

namespace reidops::REIDOPS_ISA {

// a b + c, rounded once where the instruction set can: written out, so that no compiler decides it from case to case.
REIDOPS_INLINE Vector<float> fused(Vector<float> a, Vector<float> b, Vector<float> c) {
#if REIDOPS_VECTOR_BYTES == 64
  return Vector<float>(_mm512_fmadd_ps(__m512(a), __m512(b), __m512(c)));
#elif REIDOPS_VECTOR_BYTES == 32
  return Vector<float>(_mm256_fmadd_ps(__m256(a), __m256(b), __m256(c)));
#else
  return a * b + c;
#endif
}
REIDOPS_INLINE Vector<double> fused(Vector<double> a, Vector<double> b, Vector<double> c) {
#if REIDOPS_VECTOR_BYTES == 64
  return Vector<double>(_mm512_fmadd_pd(__m512d(a), __m512d(b), __m512d(c)));
#elif REIDOPS_VECTOR_BYTES == 32
  return Vector<double>(_mm256_fmadd_pd(__m256d(a), __m256d(b), __m256d(c)));
#else
  return a * b + c;
#endif
}

// The first `count` lanes to memory.
template <class T>
REIDOPS_INLINE void store_some(T* to, Vector<T> v, int64_t count) {
  constexpr int kLanes = Lanes<T>::kCount;
  if (count >= kLanes) return store(to, v);
#if REIDOPS_VECTOR_BYTES == 64
  const unsigned lanes = (1u << count) - 1;
  if constexpr (sizeof(T) == 4) _mm512_mask_storeu_ps(to, __mmask16(lanes), __m512(v));
  else _mm512_mask_storeu_pd(to, __mmask8(lanes), __m512d(v));
#else
  for (int i = 0; i < kLanes; ++i)
    if (i < count) to[i] = v[i];
#endif
}

// Memory that will be needed soon: channel c asks for the line of byte c `step`.
struct Ahead {
  const void* at;
  int64_t step;
};

// Two operands of a block of channels, and how far the next channel is.  Rows lie side by side, and columns do.
template <class T>
struct Operands {
  const T *left, *right;
  int64_t left_step, right_step, channels;
  Ahead next_left, next_right;
};

// Where the values go: the next row is `step` further, and `columns` of the registers are real.  What earlier blocks of
// channels have come to, `before`, is added; null where this is the first.
template <class T>
struct Target {
  T* out;
  int64_t step, columns;
  const T* before;
};

// As many rows and registers of columns as leave room for a channel's columns and one row's value.
constexpr int kTileRows = REIDOPS_VECTOR_BYTES == 64 ? 14 : 6;
constexpr int kTileVectors = 2;

// Touches left[c left_step + i] with i < kRows, right[c right_step + j] with j < kVectors registers, c < channels.
template <class T, int kRows, int kVectors>
void multiply_tile(const Operands<T>& given, const Target<T>& target) {
  constexpr int kLanes = Lanes<T>::kCount;
  Vector<T> sums[kRows][kVectors] = {};
  const T *left = given.left, *right = given.right;
  auto next_left = static_cast<const char*>(given.next_left.at);
  auto next_right = static_cast<const char*>(given.next_right.at);
  for (int64_t c = 0; c < given.channels; ++c, left += given.left_step, right += given.right_step) {
    __builtin_prefetch(next_left, 0, 2);
    __builtin_prefetch(next_right, 0, 2);
    next_left += given.next_left.step, next_right += given.next_right.step;
    Vector<T> columns[kVectors];
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) columns[j] = load(right + j * kLanes);
#pragma GCC unroll 14
    for (int i = 0; i < kRows; ++i) {
      const Vector<T> row = left[i] - Vector<T>{};  // in all lanes
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) sums[i][j] = fused(row, columns[j], sums[i][j]);
    }
  }
  if (target.before != nullptr)
#pragma GCC unroll 14
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) sums[i][j] += load(target.before + (i * kTileVectors + j) * kLanes);
#pragma GCC unroll 14
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j)
      store_some(target.out + i * target.step + j * kLanes, sums[i][j], target.columns - j * kLanes);
}

// The tile of `rows` rows, from 1 to kTileRows, and `columns` columns; the second register is left out if it can be.
template <class T>
void multiply_rows(int64_t rows, int64_t columns, const Operands<T>& given, const Target<T>& target) {
  with_constant<kTileRows>(rows - 1, [&](auto last) {
    if (columns > Lanes<T>::kCount) multiply_tile<T, last + 1, kTileVectors>(given, target);
    else multiply_tile<T, last + 1, 1>(given, target);
  });
}

}  // namespace reidops::REIDOPS_ISA
