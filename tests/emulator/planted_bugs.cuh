// planted_bugs.cuh - mistakes that the emulator must catch, each beside the same kernel done right.
//
// All kernels have one signature and are launched with one block of 64 threads, 64 floats of dynamic shared memory,
// and 64 floats in x and y unless test_planted_bugs.py says otherwise.  The first parameter picks the version.
#pragma once

#include "common/async_copy.cuh"

namespace reidops::planted_bugs {

enum Version { kWrong, kRight };

// ---- barriers ------------------------------------------------------------------------------------------------------

// Reverses x in two halves.  Wrong: the second turn overwrites what other threads have yet to read.
template <Version version>
__global__ void write_after_read(const float* x, float* y) {
  __shared__ float tile[32];
  for (int half = 0; half < 2; ++half) {
    if (threadIdx.x < 32) tile[threadIdx.x] = x[32 * half + threadIdx.x];
    __syncthreads();
    if (threadIdx.x >= 32) y[32 * half + threadIdx.x - 32] = tile[63 - threadIdx.x];
    if (version == kRight) __syncthreads();
  }
}

// Shifts x by one.  Wrong: reads what a lower thread may not have written; harmless if threads run in ascending order.
template <Version version>
__global__ void missing_barrier(const float* x, float* y) {
  __shared__ float tile[64];
  tile[threadIdx.x] = x[threadIdx.x];
  if (version == kRight) __syncthreads();
  y[threadIdx.x] = threadIdx.x > 0 ? tile[threadIdx.x - 1] : 0.0f;
}

// Swaps neighbours.
template <Version version>
__global__ void missing_syncwarp(const float* x, float* y) {
  __shared__ float tile[64];
  tile[threadIdx.x] = x[threadIdx.x];
  if (version == kRight) __syncwarp();
  y[threadIdx.x] = tile[threadIdx.x ^ 1];
}

// Swaps neighbours.  Wrong: a shuffle makes lanes wait, but makes no promise about memory.
template <Version version>
__global__ void shuffle_for_a_barrier(const float* x, float* y) {
  __shared__ float tile[64];
  tile[threadIdx.x] = x[threadIdx.x];
  const float unused = __shfl_sync(0xffffffffu, x[threadIdx.x], 0);
  if (version == kRight) __syncwarp();
  y[threadIdx.x] = tile[threadIdx.x ^ 1] + 0.0f * unused;
}

// Mirrors x.  Wrong: the threads that meet are of two warps.
template <Version version>
__global__ void syncwarp_for_a_block(const float* x, float* y) {
  __shared__ float tile[64];
  tile[threadIdx.x] = x[threadIdx.x];
  if (version == kRight) {
    __syncthreads();
  } else {
    __syncwarp();
  }
  y[threadIdx.x] = tile[63 - threadIdx.x];
}

template <Version version>
__global__ void divergent_barrier(const float* x, float* y) {
  if (version == kRight || threadIdx.x < 16) __syncthreads();
  y[threadIdx.x] = x[threadIdx.x];
}

template <Version version>
__global__ void two_barriers(const float* x, float* y) {
  if (version == kRight) {
    __syncthreads();
  } else if (threadIdx.x < 16) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  y[threadIdx.x] = x[threadIdx.x];
}

template <Version version>
__global__ void early_exit(const float* x, float* y) {
  if (version == kWrong && threadIdx.x >= 40) return;
  __syncthreads();
  y[threadIdx.x] = x[threadIdx.x];
}

// ---- warps ---------------------------------------------------------------------------------------------------------

// Odd lanes are to add their neighbour two away.  Wrong: even lanes, named in the mask, never come.
template <Version version>
__global__ void half_warp_shuffle(const float* x, float* y) {
  float value = x[threadIdx.x];
  if (threadIdx.x & 1) value += __shfl_xor_sync(version == kRight ? 0xaaaaaaaau : 0xffffffffu, value, 2);
  y[threadIdx.x] = value;
  __syncwarp();
}

// Lane i reads lane i + 1.  Wrong: thread 40 has exited when 39 reads it.
template <Version version>
__global__ void exited_lane_shuffle(const float* x, float* y) {
  if (version == kWrong && threadIdx.x >= 40) return;
  y[threadIdx.x] = __shfl_down_sync(0xffffffffu, x[threadIdx.x], 1);
}

// ---- memory --------------------------------------------------------------------------------------------------------

template <Version version>
__global__ void plain_add(const float* x, float* y) {
  y[threadIdx.x] = 0.0f;
  __syncthreads();
  if (version == kRight) {
    atomicAdd(&y[0], x[threadIdx.x]);
  } else {
    y[0] += x[threadIdx.x];
  }
}

// Wrong: the other threads' atomics and this plain read are not ordered.
template <Version version>
__global__ void plain_read_of_atomic(const float* x, float* y) {
  y[threadIdx.x] = 0.0f;
  __syncthreads();
  atomicAdd(&y[0], x[threadIdx.x]);
  if (version == kRight) __syncthreads();
  if (threadIdx.x > 0) y[threadIdx.x] = y[0];
}

// Two blocks write one place; the right one gives each its own.
template <Version version>
__global__ void blocks_meet(const float* x, float* y) {
  const unsigned block = version == kRight ? blockIdx.x : 0;
  if (threadIdx.x < 32) y[32 * block + threadIdx.x] = x[32 * blockIdx.x + threadIdx.x];
}

template <Version version>
__global__ void unwritten_shared(const float* x, float* y) {
  __shared__ float tile[64];
  if (version == kRight || threadIdx.x < 32) tile[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = tile[threadIdx.x];
}

// ---- asynchronous copies -------------------------------------------------------------------------------------------

// Reverses x.  Wrong: a barrier orders what threads have done, and the copies are still to be done.
template <Version version>
__global__ void missing_wait(const float* x, float* y) {
  __shared__ float tile[64];
  copy_async<4>(&tile[threadIdx.x], &x[threadIdx.x], true);
  commit_copies();
  if (version == kRight) wait_for_copies();
  __syncthreads();
  y[threadIdx.x] = tile[63 - threadIdx.x];
}

// Reverses x.  Wrong: each thread waits for its own copy alone.
template <Version version>
__global__ void wait_after_barrier(const float* x, float* y) {
  __shared__ float tile[64];
  copy_async<4>(&tile[threadIdx.x], &x[threadIdx.x], true);
  commit_copies();
  if (version == kWrong) __syncthreads();
  wait_for_copies();
  if (version == kRight) __syncthreads();
  y[threadIdx.x] = tile[63 - threadIdx.x];
}

// Reverses x in two halves.  Wrong: the second copy may write what other threads have yet to read.
template <Version version>
__global__ void barrier_before_copy(const float* x, float* y) {
  __shared__ float tile[32];
  for (int half = 0; half < 2; ++half) {
    if (version == kRight) __syncthreads();
    if (threadIdx.x < 32) copy_async<4>(&tile[threadIdx.x], &x[32 * half + threadIdx.x], true);
    commit_copies();
    wait_for_copies();
    __syncthreads();
    if (threadIdx.x >= 32) y[32 * half + threadIdx.x - 32] = tile[63 - threadIdx.x];
  }
}

// Reverses x, in two groups of copies.  Wrong: it waits until the last group alone is on its way, and reads it.
template <Version version>
__global__ void one_wait_too_early(const float* x, float* y) {
  __shared__ float tile[64];
  for (int half = 0; half < 2; ++half) {
    if (threadIdx.x < 32) copy_async<4>(&tile[32 * half + threadIdx.x], &x[32 * half + threadIdx.x], true);
    commit_copies();
  }
  wait_for_copies<version == kRight ? 0 : 1>();
  __syncthreads();
  y[threadIdx.x] = tile[63 - threadIdx.x];
}

// Copies x by fours, which must begin at multiples of 16 bytes.
template <Version version>
__global__ void misaligned_copy(const float* x, float* y) {
  __shared__ __align__(16) float tile[64];
  const unsigned first = 4 * threadIdx.x - (version == kWrong && threadIdx.x == 15 ? 1 : 0);
  if (threadIdx.x < 16) copy_async<16>(&tile[first], &x[first], true);
  commit_copies();
  wait_for_copies();
  __syncthreads();
  y[threadIdx.x] = tile[threadIdx.x];
}

// Wrong: the last copy is of what is behind x, and not told to leave it.
template <Version version>
__global__ void copy_of_global(const float* x, float* y) {
  __shared__ float tile[65];
  for (unsigned i = threadIdx.x; i < 65; i += 64) copy_async<4>(&tile[i], &x[i], version == kWrong || i < 64);
  commit_copies();
  wait_for_copies();
  y[threadIdx.x] = tile[threadIdx.x] + (threadIdx.x == 0 ? tile[64] : 0.0f);
}

// ---- bounds --------------------------------------------------------------------------------------------------------

template <Version version>
__global__ void dynamic_shared_read(const float* x, float* y) {
  float* tile = dynamic_shared<float>();
  tile[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = tile[version == kRight ? 63 - threadIdx.x : threadIdx.x + 1];
}

template <Version version>
__global__ void dynamic_shared_write(const float* x, float* y) {
  float* tile = dynamic_shared<float>();
  tile[version == kRight ? threadIdx.x : threadIdx.x + 1] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = threadIdx.x > 0 ? tile[threadIdx.x] : x[0];
}

// The address stays inside the array, and one of its two indices does not.
template <Version version>
__global__ void inner_index(const float* x, float* y) {
  __shared__ float tile[2][32];
  tile[threadIdx.x / 32][threadIdx.x % 32] = x[threadIdx.x];
  __syncthreads();
  const unsigned column = threadIdx.x % 32 + (version == kRight ? 0 : 1);
  y[threadIdx.x] = tile[0][column];
}

template <Version version>
__global__ void global_read(const float* x, float* y) {
  y[threadIdx.x] = x[version == kRight ? threadIdx.x : threadIdx.x + 1];
}

template <Version version>
__global__ void global_write(const float* x, float* y) {
  y[version == kRight ? threadIdx.x : threadIdx.x + 1] = x[threadIdx.x];
}

template <Version version>
__global__ void write_to_input(const float* x, float* y) {
  float* target = version == kRight ? y : const_cast<float*>(x);
  target[threadIdx.x] = x[threadIdx.x] + 1.0f;
}

// Copies x by vectors of four, which a GPU loads from multiples of 16 bytes only.
template <Version version>
__global__ void misaligned_vector(const float* x, float* y) {
  if (threadIdx.x >= 16) return;
  const float* from = x + 4 * threadIdx.x - (version == kWrong && threadIdx.x == 15 ? 1 : 0);
  reinterpret_cast<float4*>(y)[threadIdx.x] = *reinterpret_cast<const float4*>(from);
}

// Wrong: what is fine for small images overflows 32 bits for large ones.
template <Version version>
__global__ void index_overflow(const float* x, float* y) {
  const int stride = 1 << 26;
  const int row = static_cast<int>(threadIdx.x);
  const long long offset = version == kRight ? static_cast<long long>(row) * stride : row * stride;
  y[threadIdx.x] = offset >= 0 ? x[threadIdx.x] : 0.0f;
}

}  // namespace reidops::planted_bugs
