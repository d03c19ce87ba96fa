// portable.h - the few words that let one header serve g++, nvcc and the emulator.
#pragma once

#ifdef __CUDACC__
#define REIDOPS_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define REIDOPS_HOST_DEVICE inline
#endif
