#include "isa.h"

#include <array>
#include <cstdlib>
#include <stdexcept>
#include <string>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace reidops {
namespace {

// In rising order: those of Isa, and AVX-512 with the matrix unit.
constexpr std::array<const char*, 4> kNames = {"baseline", "avx2", "avx512", "amx"};
constexpr int kMatrixUnit = 3;

// A process has the matrix unit's registers, which make a thread's state 8 KB larger, only if it asks for them.
bool may_use_matrix_unit() {
#if defined(REIDOPS_X86) && defined(__linux__) && defined(SYS_arch_prctl)
  constexpr int kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return __builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-bf16") &&
         syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

int choose() {
  const Isa vectors = widest_cpu_isa();
  const int widest = vectors == Isa::kAvx512 && may_use_matrix_unit() ? kMatrixUnit : static_cast<int>(vectors);
  const char* wanted = std::getenv("REIDOPS_CPU_ISA");
  if (wanted == nullptr || *wanted == '\0') return widest;
  for (int i = 0; i <= widest; ++i) {
    if (std::string(wanted) == kNames[i]) return i;
  }
  throw std::invalid_argument(
      std::string("REIDOPS_CPU_ISA: expected one of baseline, avx2, avx512, amx, and at most ") + kNames[widest] +
      ", which is what this CPU has; got '" + wanted + "'");
}

int chosen() {
  static const int number = choose();
  return number;
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

Isa cpu_isa() { return chosen() == kMatrixUnit ? Isa::kAvx512 : static_cast<Isa>(chosen()); }

bool cpu_has_matrix_unit() { return chosen() == kMatrixUnit; }

const char* cpu_isa_name() { return kNames[static_cast<std::size_t>(chosen())]; }

const char* name(Isa isa) { return kNames[static_cast<std::size_t>(isa)]; }

}  // namespace reidops
