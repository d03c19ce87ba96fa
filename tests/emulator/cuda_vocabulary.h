// cuda_vocabulary.h - the words of CUDA that need no other thread: qualifiers, types, built-in variables, arithmetic.
//
// Never define __noinline__ here: libstdc++ spells its own attribute that way.
#pragma once

#include <math.h>  // not <cmath>: CUDA has isfinite, fmaf and the like in the global namespace

#include <cstdint>
#include <cstring>
#include <type_traits>

// ---- qualifiers ----------------------------------------------------------------------------------------------------

#define __global__
#define __device__
#define __host__
#define __constant__
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __launch_bounds__(...)

// A block-scope thread_local has static storage, so all threads of a block share it; shared_memory.h says what more
// is made of that.
#define __shared__ thread_local

// ---- types and built-in variables ----------------------------------------------------------------------------------

struct uint3 {
  unsigned x, y, z;
};

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

// Set by the scheduler before a thread resumes.
inline uint3 threadIdx, blockIdx;
inline dim3 blockDim, gridDim;
inline constexpr int warpSize = 32;

#define REIDOPS_VECTOR_TYPES(T, name)                                                                       \
  struct alignas(2 * sizeof(T)) name##2 { T x, y; };                                                        \
  struct name##3 { T x, y, z; };                                                                            \
  struct alignas(sizeof(T) < 8 ? 4 * sizeof(T) : 16) name##4 { T x, y, z, w; };                             \
  inline name##2 make_##name##2(T x, T y) { return {x, y}; }                                                \
  inline name##3 make_##name##3(T x, T y, T z) { return {x, y, z}; }                                        \
  inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
REIDOPS_VECTOR_TYPES(int, int)
REIDOPS_VECTOR_TYPES(float, float)
REIDOPS_VECTOR_TYPES(double, double)
#undef REIDOPS_VECTOR_TYPES

struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

// ---- arithmetic ----------------------------------------------------------------------------------------------------

// CUDA's min and max, of two arguments of the same type.  As fminf does, they take the number where one is not.
#define REIDOPS_MIN_MAX(T)                                \
  inline T min(T a, T b) { return b < a ? b : a; }        \
  inline T max(T a, T b) { return a < b ? b : a; }
REIDOPS_MIN_MAX(int)
REIDOPS_MIN_MAX(unsigned)
REIDOPS_MIN_MAX(long)
REIDOPS_MIN_MAX(unsigned long)
REIDOPS_MIN_MAX(long long)
REIDOPS_MIN_MAX(unsigned long long)
#undef REIDOPS_MIN_MAX
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }

// Rounded to nearest and never contracted into a fused multiply-add.
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __fsqrt_rn(float a) { return sqrtf(a); }
inline float __frsqrt_rn(float a) { return static_cast<float>(1.0 / sqrt(static_cast<double>(a))); }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline double __drcp_rn(double a) { return 1.0 / a; }
inline double __dsqrt_rn(double a) { return sqrt(a); }
inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }

// Approximate on a GPU, exact here: tests of kernels that use them need a tolerance.
inline float __fdividef(float a, float b) { return a / b; }
inline float __expf(float a) { return expf(a); }
inline float __logf(float a) { return logf(a); }
#if !__GLIBC_PREREQ(2, 42)  // from then on the C library has them
inline float rsqrtf(float a) { return 1.0f / sqrtf(a); }
inline double rsqrt(double a) { return 1.0 / sqrt(a); }
#endif

// ---- bits ----------------------------------------------------------------------------------------------------------

inline int __popc(unsigned a) { return __builtin_popcount(a); }
inline int __popcll(unsigned long long a) { return __builtin_popcountll(a); }
inline int __ffs(int a) { return __builtin_ffs(a); }
inline int __ffsll(long long a) { return __builtin_ffsll(a); }
inline int __clz(int a) { return a ? __builtin_clz(static_cast<unsigned>(a)) : 32; }
inline int __clzll(long long a) { return a ? __builtin_clzll(static_cast<unsigned long long>(a)) : 64; }

namespace reidops::emulator {

template <class To, class From>
To bit_copy(From from) {
  static_assert(std::is_trivially_copyable_v<From> && sizeof(From) <= sizeof(std::uint64_t));
  static_assert(std::is_trivially_copyable_v<To> && sizeof(To) <= sizeof(std::uint64_t));
  std::uint64_t bits = 0;
  std::memcpy(&bits, &from, sizeof from);
  To to;
  std::memcpy(&to, &bits, sizeof to);
  return to;
}

}  // namespace reidops::emulator

inline int __float_as_int(float a) { return reidops::emulator::bit_copy<int>(a); }
inline float __int_as_float(int a) { return reidops::emulator::bit_copy<float>(a); }
inline unsigned __float_as_uint(float a) { return reidops::emulator::bit_copy<unsigned>(a); }
inline float __uint_as_float(unsigned a) { return reidops::emulator::bit_copy<float>(a); }
inline long long __double_as_longlong(double a) { return reidops::emulator::bit_copy<long long>(a); }
inline double __longlong_as_double(long long a) { return reidops::emulator::bit_copy<double>(a); }

// ---- loads and stores that name a cache ----------------------------------------------------------------------------

template <class T>
T __ldg(const T* address) {
  return *address;
}
template <class T>
T __ldcs(const T* address) {
  return *address;
}
template <class T>
T __ldcg(const T* address) {
  return *address;
}
template <class T>
void __stcs(T* address, std::type_identity_t<T> value) {
  *address = value;
}
template <class T>
void __stcg(T* address, std::type_identity_t<T> value) {
  *address = value;
}
