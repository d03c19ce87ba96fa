// async_copy.cuh - copies from global to shared memory that take no register and no waiting thread.
//
//     copy_async<Bytes>(shared, global, inside)   Bytes are 4, 8 or 16; both addresses are multiples of them
//     commit_copies()                             what this thread has asked for since the last commit is a group
//     wait_for_copies<N>()                        until at most the last N groups of this thread are on their way
//
// Where `inside` is false, zeros are written and `global` is not read.  The copy happens at some time between its call
// and the wait of the thread that asked for it; other threads see it after a barrier that follows this wait.  So the
// order is: copy, commit, wait, __syncthreads(), read.  (cp.async of PTX, from sm_80 on; a plain copy before.)
#pragma once

#include "launch.h"

#ifdef __CUDACC__

namespace reidops {

template <int Bytes>
__device__ __forceinline__ void copy_async(void* shared, const void* global, bool inside) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16, "cp.async copies 4, 8 or 16 bytes");
#if __CUDA_ARCH__ >= 800
  const unsigned to = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  const int read = inside ? Bytes : 0;  // of the source; the rest is filled with zeros
  if constexpr (Bytes == 16) {  // past the first cache, which would hold them for nobody
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(read) : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(global), "n"(Bytes), "r"(read)
                 : "memory");
  }
#else
  using Word = std::conditional_t<Bytes == 4, float, std::conditional_t<Bytes == 8, float2, float4>>;
  *static_cast<Word*>(shared) = inside ? *static_cast<const Word*>(global) : Word{};
#endif
}

__device__ __forceinline__ void commit_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

template <int N = 0>
__device__ __forceinline__ void wait_for_copies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
#endif
}

}  // namespace reidops

#endif  // else the emulator has the same three
