// atomics.h - CUDA's read-modify-write functions.
//
// Threads switch only where they wait, so each of these is atomic as it stands; what they do beside their arithmetic
// is to tell the race detector that they may meet other atomics, though not plain accesses, without a barrier.
#pragma once

#include <type_traits>

#include "machine.h"
#include "race.h"

namespace reidops::emulator {

template <class T, class Update>
REIDOPS_UNCHECKED T read_modify_write(T* address, Update update) {
  OutsideKernel guard;
  race_detector.access(address, sizeof(T), Access::kAtomic, __builtin_return_address(0));
  const T old = *address;
  *address = update(old);
  return old;
}

}  // namespace reidops::emulator

#define REIDOPS_ATOMIC(name, expression)                                                            \
  template <class T>                                                                                \
  T name(T* address, std::type_identity_t<T> value) {                                               \
    return reidops::emulator::read_modify_write(address, [value](T old) -> T { return expression; }); \
  }
REIDOPS_ATOMIC(atomicAdd, old + value)
REIDOPS_ATOMIC(atomicSub, old - value)
REIDOPS_ATOMIC(atomicMin, value < old ? value : old)
REIDOPS_ATOMIC(atomicMax, old < value ? value : old)
REIDOPS_ATOMIC(atomicAnd, old & value)
REIDOPS_ATOMIC(atomicOr, old | value)
REIDOPS_ATOMIC(atomicXor, old ^ value)
REIDOPS_ATOMIC(atomicExch, (static_cast<void>(old), value))
#undef REIDOPS_ATOMIC

template <class T>
T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  return reidops::emulator::read_modify_write(address, [=](T old) { return old == expected ? value : old; });
}
