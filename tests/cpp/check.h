// check.h - the little that a C++ test needs: a failed check is printed and remembered, and main returns `failures`.
#pragma once

#include <cmath>
#include <cstdio>

inline int failures = 0;

inline void check_close(const char* what, double got, double expected, double tolerance) {
  if (std::abs(got - expected) <= tolerance) return;  // false for a NaN
  std::fprintf(stderr, "%s: expected %.9g within %g, got %.9g\n", what, expected, tolerance, got);
  ++failures;
}
