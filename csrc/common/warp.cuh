// warp.cuh - reductions over the 32 lanes of a warp.  Every lane gets the same bits, and the same on every run.
#pragma once

#include "launch.h"

namespace reidops {

inline constexpr int kWarp = 32;
inline constexpr unsigned kAllLanes = 0xffffffffu;

__device__ __forceinline__ int lane_index() { return static_cast<int>(threadIdx.x) % kWarp; }
__device__ __forceinline__ int warp_index() { return static_cast<int>(threadIdx.x) / kWarp; }

template <class T>
__device__ __forceinline__ T warp_sum(T value) {
#pragma unroll
  for (int offset = kWarp / 2; offset > 0; offset /= 2) value += __shfl_xor_sync(kAllLanes, value, offset);
  return value;
}

// Of values that are not negative: such floats are ordered as their bits are, and those a warp reduces in one
// instruction.
__device__ __forceinline__ float warp_max_nonnegative(float value) {
  return __uint_as_float(__reduce_max_sync(kAllLanes, __float_as_uint(value)));
}
__device__ __forceinline__ double warp_max_nonnegative(double value) {
#pragma unroll
  for (int offset = kWarp / 2; offset > 0; offset /= 2) value = max(value, __shfl_xor_sync(kAllLanes, value, offset));
  return value;
}

__device__ __forceinline__ float warp_min_nonnegative(float value) {
  return __uint_as_float(__reduce_min_sync(kAllLanes, __float_as_uint(value)));
}
__device__ __forceinline__ double warp_min_nonnegative(double value) {
#pragma unroll
  for (int offset = kWarp / 2; offset > 0; offset /= 2) value = min(value, __shfl_xor_sync(kAllLanes, value, offset));
  return value;
}

template <class T>
__device__ __forceinline__ T warp_min(T value) {
#pragma unroll
  for (int offset = kWarp / 2; offset > 0; offset /= 2) value = min(value, __shfl_xor_sync(kAllLanes, value, offset));
  return value;
}

__device__ __forceinline__ int warp_min_index(int index) {
  return static_cast<int>(__reduce_min_sync(kAllLanes, static_cast<unsigned>(index)));
}

}  // namespace reidops
