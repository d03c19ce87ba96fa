// The CPU kernel for avx512: the standard headers first, so that nothing they define is compiled for it.
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
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,fma,prefer-vector-width=512")
#define REIDOPS_ISA avx512
#define REIDOPS_VECTOR_BYTES 64
#include "channel_product_cpu_kernel.h"
#endif
