// memory.cpp - the CPU kernels under AddressSanitizer and UBSan, with every operand and result in a heap buffer of its
// exact size: what is read or written beyond one ends the program.  Values are checked where a bound is known.
//
// Built and run by test_memory.py, once for each instruction set, with -DREIDOPS_TESTED=baseline, avx2 or avx512.
#include "memory.h"

#include <cstdio>

int main() {
  test_affine_sample();
  test_depthwise_xcorr();
  test_large_templates();
  test_channel_product();
  test_weighted_sums();
  test_sparse_reconstruct();
  std::printf("%d calls, %d failures\n", calls, failures);
  return failures > 0;
}
