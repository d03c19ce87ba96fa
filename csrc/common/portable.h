// portable.h - the few words that let one header serve g++, nvcc and the emulator.
#pragma once

// Always inlined on the host: the CPU kernels are compiled once for every instruction set, and a shared function that
// stayed a function of its own would be merged by the linker into whichever of the copies came first.
#ifdef __CUDACC__
#define REIDOPS_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define REIDOPS_HOST_DEVICE inline __attribute__((always_inline))
#endif
