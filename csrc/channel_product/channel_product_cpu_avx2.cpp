// The CPU kernel for avx2: the standard headers first, so that nothing they define is compiled for it.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__x86_64__)
#pragma GCC target("avx2,fma")
#define REIDOPS_ISA avx2
#define REIDOPS_VECTOR_BYTES 32
#include "channel_product_cpu_kernel.h"
#endif
