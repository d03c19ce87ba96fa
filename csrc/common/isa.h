// isa.h - which of a kernel's CPU builds to call.
//
// A kernel that wants wide vectors is written once, in a header, and included by three small files that differ only in
// their `#pragma GCC target`:
//
//     #include <cmath>                    // headers of others first: what they define must stay baseline code, or the
//     #include "../common/isa.h"          // linker may give the whole library a copy that only some machines can run
//     #pragma GCC target("avx2,fma")
//     #define REIDOPS_ISA avx2            // the namespace of this copy
//     #include "name_cpu_kernel.h"
//
// and is called through `cpu_isa()`.  No file needs compiler flags of its own.
#pragma once

#include <cstdint>

#if defined(__x86_64__) && defined(__GNUC__)
#define REIDOPS_X86 1
#endif

namespace reidops {

// In rising order: a machine that has one has all before it.
enum class Isa : int { kBaseline = 0, kAvx2 = 1, kAvx512 = 2 };

// The instruction set in use: the widest that both this machine and this build have, or the one named by the
// environment variable REIDOPS_CPU_ISA (baseline, avx2, avx512, amx).  Read once, at the first call.  Throws
// std::invalid_argument for a name that is none of these or that the machine does not have.
Isa cpu_isa();

// Whether the matrix unit for bfloat16 (AMX) is in use beside AVX-512: where there is one, the system lets this process
// use it, and REIDOPS_CPU_ISA is `amx` or not set.
bool cpu_has_matrix_unit();

// What is in use, as REIDOPS_CPU_ISA calls it.
const char* cpu_isa_name();

// The widest instruction set of this machine.
Isa widest_cpu_isa();

const char* name(Isa isa);

}  // namespace reidops
