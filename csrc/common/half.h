// half.h - float16 and bfloat16 as they lie in memory, to and from float, rounded to nearest, ties to even.  Written on
// the bits, which every instruction set has and a compiler makes vectors of; a GPU has instructions.
#pragma once

#include <cstdint>
#include <cstring>

#include "portable.h"

namespace reidops {

struct Half {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};

REIDOPS_HOST_DEVICE uint32_t float_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}
REIDOPS_HOST_DEVICE float bits_float(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

REIDOPS_HOST_DEVICE float widen(float value) { return value; }
REIDOPS_HOST_DEVICE double widen(double value) { return value; }

// The exponent of a float16 is moved by a multiplication, which makes its subnormal numbers right as well; what was
// infinity or NaN then is told by its size.
REIDOPS_HOST_DEVICE float widen(Half value) {
#ifdef __CUDA_ARCH__
  float wide;
  asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(value.bits));
  return wide;
#else
  const uint32_t sign = uint32_t(value.bits & 0x8000u) << 16, rest = uint32_t(value.bits & 0x7fffu) << 13;
  const float moved = bits_float(rest) * 0x1p112f;
  const uint32_t special = moved >= 0x1p16f ? 0x7f800000u : 0u;
  return bits_float(float_bits(moved) | special | sign);
#endif
}
REIDOPS_HOST_DEVICE float widen(BFloat16 value) { return bits_float(uint32_t(value.bits) << 16); }

REIDOPS_HOST_DEVICE void narrow(float value, float& result) { result = value; }
REIDOPS_HOST_DEVICE void narrow(double value, double& result) { result = value; }

REIDOPS_HOST_DEVICE void narrow(float value, Half& result) {
#ifdef __CUDA_ARCH__
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));
#else
  const uint32_t bits = float_bits(value), sign = bits >> 16 & 0x8000u, size = bits & 0x7fffffffu;
  const uint32_t odd = size >> 13 & 1u;
  const uint32_t normal = (size - (112u << 23) + 0xfffu + odd) >> 13;  // may carry into the exponent, up to infinity
  // Below 2^-14 the last bit of a float16 is worth 2^-24: adding 1/2 leaves the number, rounded, in the last bits.
  const uint32_t subnormal = float_bits(bits_float(size) + 0.5f) - float_bits(0.5f);
  uint32_t half = size < (113u << 23) ? subnormal : normal;
  half = size >= (143u << 23) ? (size > 0x7f800000u ? 0x7e00u : 0x7c00u) : half;
  result.bits = static_cast<uint16_t>(half | sign);
#endif
}
REIDOPS_HOST_DEVICE void narrow(float value, BFloat16& result) {
#ifdef __CUDA_ARCH__
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));
#else
  const uint32_t bits = float_bits(value), odd = bits >> 16 & 1u;
  const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
  result.bits = static_cast<uint16_t>(nan ? 0x7fc0u : (bits + 0x7fffu + odd) >> 16);
#endif
}

// What sums of a type are made in.
template <class S>
struct Computing {
  using Type = float;
};
template <>
struct Computing<double> {
  using Type = double;
};

}  // namespace reidops
