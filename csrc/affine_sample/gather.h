// gather.h - pixels that do not lie side by side, from memory into a register: with the instructions that gather, where
// there are some.  AddressSanitizer does not see what these touch, so under it all is done one by one, at the same places.
#pragma once

#include "../common/pixels.h"

#if defined(__SANITIZE_ADDRESS__) || REIDOPS_VECTOR_BYTES == 16
#define REIDOPS_GATHERS 0
#else
#define REIDOPS_GATHERS 1
#endif

namespace reidops::REIDOPS_ISA {

// from[offset[i]] for a run of offsets; zero where an offset is negative.
template <class T, class S>
REIDOPS_INLINE Run<T> gather(const S* from, const int32_t* offset) {
#if REIDOPS_GATHERS
#if REIDOPS_VECTOR_BYTES == 64
  if constexpr (std::is_same_v<S, float>) {
    const __m512i at = _mm512_loadu_si512(offset);
    const __mmask16 there = _mm512_cmpge_epi32_mask(at, _mm512_setzero_si512());
    return __builtin_bit_cast(Run<T>, _mm512_mask_i32gather_ps(_mm512_setzero_ps(), there, at, from, 4));
  }
  if constexpr (std::is_same_v<S, double>) {
    const __m256i at = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(offset));
    const __mmask8 there = _mm256_cmpge_epi32_mask(at, _mm256_setzero_si256());
    return __builtin_bit_cast(Run<T>, _mm512_mask_i32gather_pd(_mm512_setzero_pd(), there, at, from, 8));
  }
#else
  if constexpr (std::is_same_v<S, float>) {
    const __m256i at = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(offset));
    const __m256i there = _mm256_xor_si256(at, _mm256_set1_epi32(-1));  // the sign says it
    return __builtin_bit_cast(
        Run<T>, _mm256_mask_i32gather_ps(_mm256_setzero_ps(), from, at, _mm256_castsi256_ps(there), 4));
  }
  if constexpr (std::is_same_v<S, double>) {
    const __m128i at = _mm_loadu_si128(reinterpret_cast<const __m128i*>(offset));
    const __m256i there = _mm256_cvtepi32_epi64(_mm_xor_si128(at, _mm_set1_epi32(-1)));
    return __builtin_bit_cast(
        Run<T>, _mm256_mask_i32gather_pd(_mm256_setzero_pd(), from, at, _mm256_castsi256_pd(there), 8));
  }
#endif
#endif
  T values[kRun<T>];
  for (int i = 0; i < kRun<T>; ++i) values[i] = offset[i] < 0 ? T(0) : T(widen(from[offset[i]]));
  return take<kRun<T>>(values);
}

// from[offset[i]] and from[offset[i] + 1] for a run of offsets that are not negative.
template <class T, class S>
REIDOPS_INLINE void gather_pairs(const S* from, const int32_t* offset, Run<T>& low, Run<T>& high) {
#if REIDOPS_GATHERS
  if constexpr (std::is_same_v<S, float>) {  // two floats are fetched as one double
#if REIDOPS_VECTOR_BYTES == 64
    const __m256i* const at = reinterpret_cast<const __m256i*>(offset);
    const auto eight = [&](const __m256i* at) {  // masked, only because g++ warns of what the other leaves undefined
      return _mm512_castpd_ps(_mm512_mask_i32gather_pd(_mm512_setzero_pd(), 0xff, _mm256_loadu_si256(at), from, 4));
    };
    const __m512 first = eight(at), second = eight(at + 1);
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    low = __builtin_bit_cast(Run<T>, _mm512_permutex2var_ps(first, even, second));
    high = __builtin_bit_cast(Run<T>, _mm512_permutex2var_ps(first, odd, second));
#else
    const __m128i* const at = reinterpret_cast<const __m128i*>(offset);
    const double* const pairs = reinterpret_cast<const double*>(from);  // 4 bytes from one to the next
    const __m256 first = _mm256_castpd_ps(_mm256_i32gather_pd(pairs, _mm_loadu_si128(at), 4));
    const __m256 second = _mm256_castpd_ps(_mm256_i32gather_pd(pairs, _mm_loadu_si128(at + 1), 4));
    const auto in_order = [](__m256 v) {  // shuffles work within halves: their pairs stand crosswise
      return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(v), 0xd8));
    };
    low = __builtin_bit_cast(Run<T>, in_order(_mm256_shuffle_ps(first, second, 0x88)));
    high = __builtin_bit_cast(Run<T>, in_order(_mm256_shuffle_ps(first, second, 0xdd)));
#endif
    return;
  }
  if constexpr (std::is_same_v<S, double>) {
    low = gather<T>(from, offset), high = gather<T>(from + 1, offset);
    return;
  }
#endif
  T lows[kRun<T>], highs[kRun<T>];
  for (int i = 0; i < kRun<T>; ++i)
    lows[i] = T(widen(from[offset[i]])), highs[i] = T(widen(from[offset[i] + 1]));
  low = take<kRun<T>>(lows), high = take<kRun<T>>(highs);
}

// Elements `offset` and `offset` + 1 of two runs side by side, each offset in [0, 2 runs - 2]; a shuffle of two whole
// registers is an instruction of AVX-512 alone.  (And under AddressSanitizer, whose tests are for every build.)
#if REIDOPS_VECTOR_BYTES == 64 || defined(__SANITIZE_ADDRESS__)
constexpr bool kPicksFromWindows = true;
#else
constexpr bool kPicksFromWindows = false;
#endif
template <class T, class S>
REIDOPS_INLINE void pick_pairs(const S* from, typename Several<T, kRun<T>>::Index offset, Run<T>& low, Run<T>& high) {
  const Run<T> first = read<T>(from, 1, kRun<T>), second = read<T>(from + kRun<T>, 1, kRun<T>);
  low = __builtin_shuffle(first, second, offset);
  high = __builtin_shuffle(first, second, offset + 1);
}

// A register holds a group of pixels of four channels.
template <class T>
constexpr int kGroup = kRun<T> / 4;
// The pixels at from[scale offset[i]]: four numbers are read of each.
template <class T>
REIDOPS_INLINE Run<T> take_group(const T* from, const int32_t* offset, int64_t scale) {
  const T *const p0 = from + scale * offset[0];
#if REIDOPS_VECTOR_BYTES == 64  // intrinsics, as g++ goes through memory where vectors are joined
  if constexpr (sizeof(T) == 4) {
    const T *const p1 = from + scale * offset[1], *const p2 = from + scale * offset[2];
    const __m512 v = _mm512_insertf32x4(_mm512_castps128_ps512(_mm_loadu_ps(p0)), _mm_loadu_ps(p1), 1);
    const __m512 w = _mm512_insertf32x4(v, _mm_loadu_ps(p2), 2);
    return __builtin_bit_cast(Run<T>, _mm512_insertf32x4(w, _mm_loadu_ps(from + scale * offset[3]), 3));
  } else {
    const __m512d v = _mm512_castpd256_pd512(_mm256_loadu_pd(p0));
    return __builtin_bit_cast(Run<T>, _mm512_insertf64x4(v, _mm256_loadu_pd(from + scale * offset[1]), 1));
  }
#elif REIDOPS_VECTOR_BYTES == 32
  if constexpr (sizeof(T) == 4) {
    const __m256 v = _mm256_castps128_ps256(_mm_loadu_ps(p0));
    return __builtin_bit_cast(Run<T>, _mm256_insertf128_ps(v, _mm_loadu_ps(from + scale * offset[1]), 1));
  }
#endif
  if constexpr (kGroup<T> == 1) return take<4>(p0);
}
// A number for each pixel of the group, for each of its channels.
template <class T>
REIDOPS_INLINE Run<T> for_each_channel(const T* numbers) {
#if REIDOPS_VECTOR_BYTES == 64
  if constexpr (sizeof(T) == 4) {
    const __m512i each = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
    const __m512 v = _mm512_castps128_ps512(_mm_loadu_ps(numbers));
    return __builtin_bit_cast(Run<T>, _mm512_permutexvar_ps(each, v));
  } else {
    const __m512d v = _mm512_castpd128_pd512(_mm_loadu_pd(numbers));
    return __builtin_bit_cast(Run<T>, _mm512_permutexvar_pd(_mm512_setr_epi64(0, 0, 0, 0, 1, 1, 1, 1), v));
  }
#elif REIDOPS_VECTOR_BYTES == 32
  if constexpr (sizeof(T) == 4)
    return __builtin_bit_cast(
        Run<T>, _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_set1_ps(numbers[0])), _mm_set1_ps(numbers[1]), 1));
#endif
  if constexpr (kGroup<T> == 1) return Run<T>{} + numbers[0];
}
// The first three channels of each pixel of the group, side by side at the front.
template <class T>
REIDOPS_INLINE Run<T> three_channels(Run<T> v) {
  if constexpr (kGroup<T> == 4)
    return __builtin_shufflevector(v, v, 0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 15, 15, 15, 15);
  else if constexpr (kGroup<T> == 2) return __builtin_shufflevector(v, v, 0, 1, 2, 4, 5, 6, 7, 7);
  else return v;
}

// The first `count` of up to kLanes numbers, the rest zero; and back.
#if REIDOPS_GATHERS && REIDOPS_VECTOR_BYTES == 32
REIDOPS_INLINE __m256i first_of_8(int64_t count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(int(count)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
REIDOPS_INLINE __m128i first_of_4(int64_t count) {
  return _mm_cmpgt_epi32(_mm_set1_epi32(int(count)), _mm_setr_epi32(0, 1, 2, 3));
}
#endif
template <int kLanes, class T>
REIDOPS_INLINE typename Several<T, kLanes>::Vector take_some(const T* from, int64_t count) {
  using V = typename Several<T, kLanes>::Vector;
#if REIDOPS_GATHERS && REIDOPS_VECTOR_BYTES == 64
  const unsigned some = (1u << count) - 1;
  if constexpr (sizeof(T) == 4 && kLanes == 16) return __builtin_bit_cast(V, _mm512_maskz_loadu_ps(some, from));
  if constexpr (sizeof(T) == 4 && kLanes == 4) return __builtin_bit_cast(V, _mm_maskz_loadu_ps(some, from));
  if constexpr (sizeof(T) == 8 && kLanes == 8) return __builtin_bit_cast(V, _mm512_maskz_loadu_pd(some, from));
  if constexpr (sizeof(T) == 8 && kLanes == 4) return __builtin_bit_cast(V, _mm256_maskz_loadu_pd(some, from));
#elif REIDOPS_GATHERS
  if constexpr (sizeof(T) == 4 && kLanes == 8)
    return __builtin_bit_cast(V, _mm256_maskload_ps(from, first_of_8(count)));
  if constexpr (sizeof(T) == 4 && kLanes == 4) return __builtin_bit_cast(V, _mm_maskload_ps(from, first_of_4(count)));
  if constexpr (sizeof(T) == 8 && kLanes == 4)
    return __builtin_bit_cast(V, _mm256_maskload_pd(from, _mm256_cvtepi32_epi64(first_of_4(count))));
#endif
  V v{};
  for (int i = 0; i < kLanes; ++i)
    if (i < count) v[i] = from[i];
  return v;
}
template <int kLanes, class T>
REIDOPS_INLINE void put_some(T* to, typename Several<T, kLanes>::Vector v, int64_t count) {
#if REIDOPS_GATHERS && REIDOPS_VECTOR_BYTES == 64
  const unsigned some = (1u << count) - 1;
  if constexpr (sizeof(T) == 4 && kLanes == 16)
    return _mm512_mask_storeu_ps(to, some, __builtin_bit_cast(__m512, v));
  if constexpr (sizeof(T) == 4 && kLanes == 4) return _mm_mask_storeu_ps(to, some, __builtin_bit_cast(__m128, v));
  if constexpr (sizeof(T) == 8 && kLanes == 8)
    return _mm512_mask_storeu_pd(to, some, __builtin_bit_cast(__m512d, v));
  if constexpr (sizeof(T) == 8 && kLanes == 4)
    return _mm256_mask_storeu_pd(to, some, __builtin_bit_cast(__m256d, v));
#elif REIDOPS_GATHERS
  if constexpr (sizeof(T) == 4 && kLanes == 8)
    return _mm256_maskstore_ps(to, first_of_8(count), __builtin_bit_cast(__m256, v));
  if constexpr (sizeof(T) == 4 && kLanes == 4)
    return _mm_maskstore_ps(to, first_of_4(count), __builtin_bit_cast(__m128, v));
  if constexpr (sizeof(T) == 8 && kLanes == 4)
    return _mm256_maskstore_pd(to, _mm256_cvtepi32_epi64(first_of_4(count)), __builtin_bit_cast(__m256d, v));
#endif
  for (int i = 0; i < kLanes; ++i)
    if (i < count) to[i] = v[i];
}

}  // namespace reidops::REIDOPS_ISA
