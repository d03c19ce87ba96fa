// The CPU kernel for baseline: the standard headers first, so that nothing they define is compiled for it.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define REIDOPS_ISA baseline
#define REIDOPS_VECTOR_BYTES 16
#include "channel_product_cpu_kernel.h"
