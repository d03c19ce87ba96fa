// race_hooks.h - how the race build sees what a kernel does.
//
// It is compiled with -fsanitize=thread,... and linked WITHOUT: the calls that the compiler puts before every access
// of memory (__tsan_read4 and the like), and where a check of the language's rules fails (__ubsan_handle_...), land
// here and not in the sanitizers' libraries.  So it loads into any Python, and says the same at every run.
#pragma once

#include "race.h"

#define REIDOPS_HOOK extern "C" __attribute__((no_sanitize("thread", "undefined"), noinline, used, weak))

namespace reidops::emulator {

REIDOPS_UNCHECKED inline void kernel_accesses(const void* address, std::size_t bytes, bool write, const void* pc) {
  if (!machine.in_kernel) return;
  machine.in_kernel = false;
  race_detector.access(address, bytes, write ? Access::kWrite : Access::kRead, pc);
  machine.in_kernel = true;
}

// Every check of the undefined-behaviour sanitizer describes itself in a structure that begins so.
struct Violation {
  const char* file;
  unsigned line, column;
};

REIDOPS_UNCHECKED inline void kernel_violates(const char* what, const void* description) {
  if (!machine.in_kernel) return;
  const auto* violation = static_cast<const Violation*>(description);
  machine.in_kernel = false;
  const std::string file = violation->file;
  fail(std::string(what) + " at " + file.substr(file.rfind('/') + 1) + ":" + std::to_string(violation->line));
}

}  // namespace reidops::emulator

// ---- accesses ------------------------------------------------------------------------------------------------------

#define REIDOPS_ACCESS(name, bytes, write)                                                                  \
  REIDOPS_HOOK void name(void* address) {                                                                   \
    reidops::emulator::kernel_accesses(address, bytes, write, __builtin_return_address(0));                 \
  }
#define REIDOPS_ACCESSES(bytes)                                  \
  REIDOPS_ACCESS(__tsan_read##bytes, bytes, false)               \
  REIDOPS_ACCESS(__tsan_write##bytes, bytes, true)               \
  REIDOPS_ACCESS(__tsan_unaligned_read##bytes, bytes, false)     \
  REIDOPS_ACCESS(__tsan_unaligned_write##bytes, bytes, true)
REIDOPS_ACCESSES(1)
REIDOPS_ACCESSES(2)
REIDOPS_ACCESSES(4)
REIDOPS_ACCESSES(8)
REIDOPS_ACCESSES(16)
REIDOPS_HOOK void __tsan_read_range(void* address, std::size_t bytes) {
  reidops::emulator::kernel_accesses(address, bytes, false, __builtin_return_address(0));
}
REIDOPS_HOOK void __tsan_write_range(void* address, std::size_t bytes) {
  reidops::emulator::kernel_accesses(address, bytes, true, __builtin_return_address(0));
}

// ---- undefined behaviour -------------------------------------------------------------------------------------------

#define REIDOPS_VIOLATION(name, what, ...)                                 \
  REIDOPS_HOOK void __ubsan_handle_##name(void* description, __VA_ARGS__) { \
    reidops::emulator::kernel_violates(what, description);                  \
  }
REIDOPS_VIOLATION(out_of_bounds, "array index out of bounds", void*)
REIDOPS_VIOLATION(type_mismatch_v1, "misaligned access", void*)
REIDOPS_VIOLATION(add_overflow, "signed overflow", void*, void*)
REIDOPS_VIOLATION(sub_overflow, "signed overflow", void*, void*)
REIDOPS_VIOLATION(mul_overflow, "signed overflow", void*, void*)
REIDOPS_VIOLATION(negate_overflow, "signed overflow", void*)
REIDOPS_VIOLATION(divrem_overflow, "division by zero or overflow", void*, void*)
REIDOPS_VIOLATION(shift_out_of_bounds, "shift out of bounds", void*, void*)

// ---- what else the compiler calls ----------------------------------------------------------------------------------

REIDOPS_HOOK void __tsan_init() {}
REIDOPS_HOOK void __tsan_func_entry(void*) {}
REIDOPS_HOOK void __tsan_func_exit() {}
REIDOPS_HOOK void __tsan_vptr_update(void**, void*) {}
REIDOPS_HOOK void __tsan_vptr_read(void**) {}

// Atomics of the host code in the same file: static variables, shared_ptr, pybind11.
REIDOPS_HOOK void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
REIDOPS_HOOK void __tsan_atomic_signal_fence(int) { __atomic_signal_fence(__ATOMIC_SEQ_CST); }

#define REIDOPS_HOST_UPDATE(bits, T, name)                                \
  REIDOPS_HOOK T __tsan_atomic##bits##_##name(volatile T* p, T v, int) { \
    return __atomic_##name(p, v, __ATOMIC_SEQ_CST);                      \
  }
#define REIDOPS_HOST_ATOMICS(bits, T)                                                                         \
  REIDOPS_HOOK T __tsan_atomic##bits##_load(const volatile T* p, int) {                                       \
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                                              \
  }                                                                                                           \
  REIDOPS_HOOK void __tsan_atomic##bits##_store(volatile T* p, T v, int) {                                    \
    __atomic_store_n(p, v, __ATOMIC_SEQ_CST);                                                                 \
  }                                                                                                           \
  REIDOPS_HOOK T __tsan_atomic##bits##_exchange(volatile T* p, T v, int) {                                    \
    return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);                                                       \
  }                                                                                                           \
  REIDOPS_HOOK int __tsan_atomic##bits##_compare_exchange_strong(volatile T* p, T* seen, T v, int, int) {     \
    return __atomic_compare_exchange_n(p, seen, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                \
  }                                                                                                           \
  REIDOPS_HOOK int __tsan_atomic##bits##_compare_exchange_weak(volatile T* p, T* seen, T v, int, int) {       \
    return __atomic_compare_exchange_n(p, seen, v, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                 \
  }                                                                                                           \
  REIDOPS_HOST_UPDATE(bits, T, fetch_add)                                                                     \
  REIDOPS_HOST_UPDATE(bits, T, fetch_sub)                                                                     \
  REIDOPS_HOST_UPDATE(bits, T, fetch_and)                                                                     \
  REIDOPS_HOST_UPDATE(bits, T, fetch_or)                                                                      \
  REIDOPS_HOST_UPDATE(bits, T, fetch_xor)
REIDOPS_HOST_ATOMICS(8, unsigned char)
REIDOPS_HOST_ATOMICS(16, unsigned short)
REIDOPS_HOST_ATOMICS(32, unsigned)
REIDOPS_HOST_ATOMICS(64, unsigned long)
