// lanes.h - vectors of float or double as wide as the registers of the instruction set that is compiled for.
//
// Written with the compiler's own vector types, so a kernel is written once; only what they have no word for is an
// intrinsic.  The including file sets REIDOPS_ISA, the namespace of its instruction set, and REIDOPS_VECTOR_BYTES, the
// width of its registers (g++ does not define __AVX512F__ and the like after a target pragma).
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

#if !defined(REIDOPS_ISA) || !defined(REIDOPS_VECTOR_BYTES)
#error "set REIDOPS_ISA and REIDOPS_VECTOR_BYTES (64: AVX-512, 32: AVX2, 16: what every machine has)"
#endif

#define REIDOPS_INLINE inline __attribute__((always_inline))

namespace reidops::REIDOPS_ISA {

constexpr int kVectorBytes = REIDOPS_VECTOR_BYTES;

template <class T>
struct Lanes {
  static constexpr int kCount = kVectorBytes / sizeof(T);
  using Bits = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
  typedef T Vector __attribute__((vector_size(kVectorBytes)));
  typedef Bits BitVector __attribute__((vector_size(kVectorBytes)));
  typedef T Unaligned __attribute__((vector_size(kVectorBytes), aligned(sizeof(T)), may_alias));  // as in memory
};

template <class T>
using Vector = typename Lanes<T>::Vector;

template <class T>
REIDOPS_INLINE Vector<T> load(const T* p) {
  return *reinterpret_cast<const typename Lanes<T>::Unaligned*>(p);
}
template <class T>
REIDOPS_INLINE void store(T* p, Vector<T> v) {
  *reinterpret_cast<typename Lanes<T>::Unaligned*>(p) = v;
}
template <class V>
REIDOPS_INLINE V larger(V a, V b) {
  return a > b ? a : b;
}
// |v|: the sign bit cleared.
template <class T>
REIDOPS_INLINE Vector<T> magnitude(Vector<T> v) {
  using Bits = typename Lanes<T>::Bits;
  using BitVector = typename Lanes<T>::BitVector;
  constexpr Bits kAllButSign = Bits(~(Bits(1) << (8 * sizeof(T) - 1)));
  return __builtin_bit_cast(Vector<T>, __builtin_bit_cast(BitVector, v) & kAllButSign);
}

// One bit for every lane that is below zero, the first lane lowest.
template <class T>
REIDOPS_INLINE unsigned negative_lanes(Vector<T> v) {
#if REIDOPS_VECTOR_BYTES == 64
  if constexpr (sizeof(T) == 4)
    return _mm512_cmp_ps_mask(__builtin_bit_cast(__m512, v), _mm512_setzero_ps(), _CMP_LT_OQ);
  else
    return _mm512_cmp_pd_mask(__builtin_bit_cast(__m512d, v), _mm512_setzero_pd(), _CMP_LT_OQ);
#elif REIDOPS_VECTOR_BYTES == 32
  if constexpr (sizeof(T) == 4)
    return _mm256_movemask_ps(_mm256_cmp_ps(__builtin_bit_cast(__m256, v), _mm256_setzero_ps(), _CMP_LT_OQ));
  else
    return _mm256_movemask_pd(_mm256_cmp_pd(__builtin_bit_cast(__m256d, v), _mm256_setzero_pd(), _CMP_LT_OQ));
#elif defined(__SSE2__)
  if constexpr (sizeof(T) == 4)
    return _mm_movemask_ps(_mm_cmplt_ps(__builtin_bit_cast(__m128, v), _mm_setzero_ps()));
  else
    return _mm_movemask_pd(_mm_cmplt_pd(__builtin_bit_cast(__m128d, v), _mm_setzero_pd()));
#else
  unsigned bits = 0;
  for (int i = 0; i < Lanes<T>::kCount; ++i) bits |= unsigned(v[i] < 0) << i;
  return bits;
#endif
}

// Folds the halves of a vector onto each other until one lane is left.
template <class T, class V, class Fold, int... kLane>
REIDOPS_INLINE T reduce(V v, Fold fold, std::integer_sequence<int, kLane...>) {
  constexpr int kHalf = sizeof...(kLane);
  const auto folded = fold(__builtin_shufflevector(v, v, kLane...), __builtin_shufflevector(v, v, (kHalf + kLane)...));
  if constexpr (kHalf == 2) return fold(folded[0], folded[1]);
  else return reduce<T>(folded, fold, std::make_integer_sequence<int, kHalf / 2>());
}
template <class T, class Fold>
REIDOPS_INLINE T reduce(Vector<T> v, Fold fold) {
  if constexpr (Lanes<T>::kCount == 2) return fold(v[0], v[1]);
  else return reduce<T>(v, fold, std::make_integer_sequence<int, Lanes<T>::kCount / 2>());
}
template <class T>
REIDOPS_INLINE T sum(Vector<T> v) {
  return reduce<T>(v, [](auto a, auto b) { return a + b; });
}
template <class T>
REIDOPS_INLINE T largest(Vector<T> v) {
  return reduce<T>(v, [](auto a, auto b) { return a > b ? a : b; });
}

// Calls `body` with value, one of [0, kCount), as a constant: loops of so many turns then stay in registers.
template <class Body, int... kValue>
REIDOPS_INLINE void with_constant(int64_t value, Body&& body, std::integer_sequence<int, kValue...>) {
  (void)((value == kValue && (body(std::integral_constant<int, kValue>()), true)) || ...);
}
template <int kCount, class Body>
REIDOPS_INLINE void with_constant(int64_t value, Body&& body) {
  with_constant(value, body, std::make_integer_sequence<int, kCount>());
}
// Cuts [0, count) into parts of at most kMost, all about alike, and calls `body(begin, size)`, each size a constant.
template <int kMost, class Body>
REIDOPS_INLINE void in_parts(int64_t count, Body&& body) {
  const int64_t parts = (count + kMost - 1) / kMost;
  for (int64_t part = 0; part < parts; ++part) {
    const int64_t begin = part * count / parts, end = (part + 1) * count / parts;
    with_constant<kMost>(end - begin - 1, [&](auto last) { body(begin, std::integral_constant<int, last + 1>()); });
  }
}

// An owned, 64-byte aligned array, zero at first unless it is reserved for what is written before it is read.
// (std::vector would be one function shared by all instruction sets.)
template <class T>
class Buffer {
 public:
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { std::free(data_); }

  // At least `count` elements; what was there is lost when it has to grow.  Under AddressSanitizer no more than `count`
  // may be touched until the next call, although the memory may be larger.
  T* reserve(int64_t count, bool zero = true) {
    constexpr int64_t kMost = (int64_t(1) << 62) / int64_t(sizeof(T));
    if (count < 0 || count > kMost) throw std::bad_alloc();  // an operator's checks come first; this is the last resort
    if (count > count_) grow(count, zero);
    guard(count);
    return data_;
  }
  T* get() const { return data_; }

 private:
  static size_t bytes_of(int64_t count) { return (size_t(count) * sizeof(T) + 63) / 64 * 64; }
  void grow(int64_t count, bool zero) {
    std::free(data_);
    count_ = 0;
    data_ = static_cast<T*>(std::aligned_alloc(64, bytes_of(count)));
    if (data_ == nullptr) throw std::bad_alloc();
    if (zero) std::memset(data_, 0, bytes_of(count));
    count_ = count;
  }
#if defined(__SANITIZE_ADDRESS__)
  void guard(int64_t count) {
    if (data_ == nullptr) return;
    ASAN_UNPOISON_MEMORY_REGION(data_, bytes_of(count_));
    ASAN_POISON_MEMORY_REGION(data_ + count, bytes_of(count_) - size_t(count) * sizeof(T));
  }
#else
  void guard(int64_t) {}
#endif

  T* data_ = nullptr;
  int64_t count_ = 0;
};

}  // namespace reidops::REIDOPS_ISA
