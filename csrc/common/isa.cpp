#include "isa.h"

#include <array>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace reidops {
namespace {

constexpr std::array<const char*, 3> kNames = {"baseline", "avx2", "avx512"};

Isa choose() {
  const Isa widest = widest_cpu_isa();
  const char* wanted = std::getenv("REIDOPS_CPU_ISA");
  if (wanted == nullptr || *wanted == '\0') return widest;
  for (int i = 0; i <= static_cast<int>(widest); ++i) {
    if (std::string(wanted) == kNames[i]) return static_cast<Isa>(i);
  }
  throw std::invalid_argument(std::string("REIDOPS_CPU_ISA: expected one of baseline, avx2, avx512, and at most ") +
                              name(widest) + ", which is what this CPU has; got '" + wanted + "'");
}

}  // namespace

Isa widest_cpu_isa() {
#ifdef REIDOPS_X86
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx2 && avx512) return Isa::kAvx512;
  if (avx2) return Isa::kAvx2;
#endif
  return Isa::kBaseline;
}

Isa cpu_isa() {
  static const Isa chosen = choose();
  return chosen;
}

const char* name(Isa isa) { return kNames[static_cast<std::size_t>(isa)]; }

}  // namespace reidops
