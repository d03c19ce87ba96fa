// launch.h - the one header a kernel (.cuh) includes beside its op's own .h.
//
// Under nvcc it is the CUDA runtime; under a host compiler it is the emulator of tests/emulator, found by the include
// path.  Both give the same three names, so the same kernel source runs on a GPU and in every test run without one:
//
//     Stream                    what a launch is queued on
//     launch(kernel, grid, block, shared_bytes, stream, arguments...)
//     dynamic_shared<T>()       the block's dynamic shared memory, `shared_bytes` long, aligned to 128 bytes
#pragma once

#ifdef __CUDACC__

#include <cuda_runtime.h>

#include <cstddef>
#include <stdexcept>
#include <string>

namespace reidops {

using Stream = cudaStream_t;

// CUDA allows one such array in a translation unit, whatever its type: every kernel casts this one.
extern __shared__ __align__(128) unsigned char dynamic_shared_memory[];

inline void check_cuda(cudaError_t status, const char* what) {
  if (status != cudaSuccess) throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(status));
}

// What a block gets without asking; above it a kernel has to opt in.
inline constexpr std::size_t kDefaultSharedBytes = 48 * 1024;

inline void allow_shared_bytes(const void* kernel, std::size_t bytes) {
  if (bytes <= kDefaultSharedBytes) return;
  check_cuda(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
             "reidops: opting in to shared memory");
}

template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes, Stream stream,
            Arguments&&... arguments) {
  allow_shared_bytes(reinterpret_cast<const void*>(kernel), shared_bytes);
  kernel<<<grid, block, shared_bytes, stream>>>(static_cast<Parameters>(arguments)...);
  check_cuda(cudaGetLastError(), "reidops: launching a kernel");
}

}  // namespace reidops

#else

#include "emulator.h"

#endif

namespace reidops {

template <class T>
__device__ __forceinline__ T* dynamic_shared() {
  return reinterpret_cast<T*>(dynamic_shared_memory);
}

}  // namespace reidops
