// vocabulary.cuh - kernels that use CUDA's words one by one, so that test_vocabulary.py can hold each to its meaning.
#pragma once

#include "common/launch.h"

namespace reidops::vocabulary {

inline constexpr unsigned kAllLanes = 0xffffffffu;

// ---- warps: one block of one warp; the rows of y are 32 long --------------------------------------------------------

template <class T>
__global__ void shuffles(const T* x, T* y, int argument, int width) {
  const unsigned lane = threadIdx.x;
  const T value = __ldg(x + lane);
  y[0 * 32 + lane] = __shfl_sync(kAllLanes, value, argument, width);
  y[1 * 32 + lane] = __shfl_up_sync(kAllLanes, value, argument, width);
  y[2 * 32 + lane] = __shfl_down_sync(kAllLanes, value, argument, width);
  y[3 * 32 + lane] = __shfl_xor_sync(kAllLanes, value, argument, width);
}

// Lanes of `mask` only; the others leave y as it was.
__global__ void votes(const int* x, unsigned* y, unsigned mask) {
  const unsigned lane = threadIdx.x;
  if ((mask >> lane & 1) == 0) return;
  const int value = x[lane];
  y[0 * 32 + lane] = __ballot_sync(mask, value > 0);
  y[1 * 32 + lane] = __any_sync(mask, value > 0);
  y[2 * 32 + lane] = __all_sync(mask, value > 0);
}

__global__ void reductions(const int* x, int* y, unsigned mask) {
  const unsigned lane = threadIdx.x;
  if ((mask >> lane & 1) == 0) return;
  const int value = x[lane];
  const auto bits = static_cast<unsigned>(value);
  y[0 * 32 + lane] = __reduce_add_sync(mask, value);
  y[1 * 32 + lane] = __reduce_min_sync(mask, value);
  y[2 * 32 + lane] = __reduce_max_sync(mask, value);
  y[3 * 32 + lane] = static_cast<int>(__reduce_and_sync(mask, bits));
  y[4 * 32 + lane] = static_cast<int>(__reduce_or_sync(mask, bits));
  y[5 * 32 + lane] = static_cast<int>(__reduce_xor_sync(mask, bits));
  y[6 * 32 + lane] = static_cast<int>(__reduce_max_sync(mask, bits));
}

// ---- blocks --------------------------------------------------------------------------------------------------------

// The block's votes, of which every thread gets the result.
__global__ void block_votes(const int* x, int* y) {
  const int value = x[threadIdx.x];
  const int count = __syncthreads_count(value > 0);
  const int any = __syncthreads_or(value > 0);
  const int all = __syncthreads_and(value > 0);
  y[threadIdx.x] = count + 1000 * any + 10000 * all;
}

// Every thread of a 3-D grid of 3-D blocks writes its rank, x fastest, threads before blocks.
__global__ void ranks(long long* y) {
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const long long rank = static_cast<long long>(block) * (blockDim.x * blockDim.y * blockDim.z) + thread;
  y[rank] = rank;
}

// The order in which threads come to run: thread i of n draws a ticket.
__global__ void tickets(int* counter, int* y) {
  y[blockIdx.x * blockDim.x + threadIdx.x] = atomicAdd(counter, 1);
}

// Reverses n numbers through dynamic shared memory; n may need more of it than CUDA gives unasked.
template <class T>
__global__ void __launch_bounds__(256) reverse(const T* __restrict__ x, T* __restrict__ y, int n) {
  T* tile = dynamic_shared<T>();
  for (int i = static_cast<int>(threadIdx.x); i < n; i += 256) tile[i] = x[i];
  __syncthreads();
#pragma unroll 4
  for (int i = static_cast<int>(threadIdx.x); i < n; i += 256) y[i] = tile[n - 1 - i];
}

// Sums 4 * 128 numbers, by vectors, then warps, then the block.
__global__ void sum_vectors(const float* x, float* y) {
  __shared__ float of_warp[4];
  const float4 v = __ldg(reinterpret_cast<const float4*>(x) + threadIdx.x);
  const float2 halves = make_float2(v.x + v.y, v.z + v.w);
  float sum = halves.x + halves.y;
  for (int offset = warpSize / 2; offset > 0; offset /= 2) sum += __shfl_xor_sync(kAllLanes, sum, offset);
  if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) *y = of_warp[0] + of_warp[1] + of_warp[2] + of_warp[3];
}

// Writes one number into shared memory and ends; the next block must not find it there.
__global__ void leave_behind(float* y) {
  __shared__ float kept;
  y[blockIdx.x] = *const_cast<volatile float*>(&kept);
  kept = 1.0f;
}

// Gives what lies in its own variables before it writes them, and leaves ones there for the next thread.
__global__ void leave_on_stack(float* y) {
  volatile float kept[64];
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  y[i] = kept[i % 64];
  for (int j = 0; j < 64; ++j) kept[j] = 1.0f;
}

__global__ void trap_at_nan(const float* x, float* y) {
  if (isnan(x[threadIdx.x])) __trap();
  y[threadIdx.x] = x[threadIdx.x];
}

// ---- atomics: all threads work on one row of y each -----------------------------------------------------------------

template <class T>
__global__ void atomics(const T* x, T* y) {
  const T value = x[blockIdx.x * blockDim.x + threadIdx.x];
  atomicAdd(&y[0], value);
  atomicMin(&y[1], value);
  atomicMax(&y[2], value);
  if (value == T(7)) atomicExch(&y[3], value);
  if (value == T(3)) atomicCAS(&y[4], T(0), value);
}

// ---- arithmetic: one thread a number; rows of y are gridDim.x * blockDim.x long -------------------------------------

__global__ void arithmetic(const float* x, float* y) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x, n = gridDim.x * blockDim.x;
  const float a = x[i];
  y[0 * n + i] = fmaf(a, a, -a * a);
  y[1 * n + i] = __frcp_rn(a);
  y[2 * n + i] = __fsqrt_rn(fabsf(a));
  y[3 * n + i] = rsqrtf(fabsf(a));
  y[4 * n + i] = __fdividef(a, 3.0f);
  y[5 * n + i] = __int_as_float(__float_as_int(a) ^ static_cast<int>(0x80000000u));
  y[6 * n + i] = isfinite(a) ? 1.0f : 0.0f;
  y[7 * n + i] = max(a, 0.5f);
  y[8 * n + i] = min(a, 0.5f);
  y[9 * n + i] = static_cast<float>(max(static_cast<int>(n), 3) + min(2, 1));
}

__global__ void bit_counts(const unsigned* x, int* y) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x, n = gridDim.x * blockDim.x;
  y[0 * n + i] = __popc(x[i]);
  y[1 * n + i] = __ffs(static_cast<int>(x[i]));
  y[2 * n + i] = __clz(static_cast<int>(x[i]));
  y[3 * n + i] = __popcll(static_cast<unsigned long long>(x[i]) << 32 | 1);
  y[4 * n + i] = __clzll(static_cast<long long>(x[i]));
}

}  // namespace reidops::vocabulary
