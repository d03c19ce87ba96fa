// asynchronous_copies.h - the emulator's copies from global to shared memory that a thread asks for and waits for later:
// the twin of csrc/common/async_copy.cuh.
//
// On a GPU such a copy happens at any time between the two.  Here it reads and writes as late as it may, at the wait,
// and from the call on what lies in shared memory is poison, as early as it may.  So the place must be free at the call,
// and is ready after the wait for the thread that asked, for others after a barrier that follows.
#pragma once

#include <cstring>

#include "machine.h"
#include "race.h"

namespace reidops::emulator {

REIDOPS_UNCHECKED inline void ask_for_copy(void* shared, const void* global, unsigned bytes, bool inside) {
  OutsideKernel guard;
  const void* pc = __builtin_return_address(0);
  const auto multiple = [bytes](const void* p) { return reinterpret_cast<std::uintptr_t>(p) % bytes == 0; };
  if (!multiple(shared) || (inside && !multiple(global))) fail("misaligned asynchronous copy" + at(pc));
  if (!machine.shared.contains(shared)) fail("an asynchronous copy to what is not shared memory" + at(pc));
  if (inside) race_detector.access(global, bytes, Access::kRead, pc);
  race_detector.copy_begins(shared, bytes, pc);
  Thread& self = *machine.current;
  self.copies.push_back({shared, inside ? global : nullptr, bytes, self.groups_of_copies, pc});
  std::memset(shared, kPoison, bytes);
}

REIDOPS_UNCHECKED inline void commit_group_of_copies() { ++machine.current->groups_of_copies; }

// Until at most the last `still` groups are on their way.
REIDOPS_UNCHECKED inline void wait_for_groups_of_copies(unsigned still) {
  OutsideKernel guard;
  Thread& self = *machine.current;
  std::erase_if(self.copies, [&](const Copy& copy) {
    if (copy.group + still >= self.groups_of_copies) return false;
    copy.from != nullptr ? std::memcpy(copy.to, copy.from, copy.bytes) : std::memset(copy.to, 0, copy.bytes);
    race_detector.copy_ends(copy.to, copy.bytes, copy.pc);
    return true;
  });
}

}  // namespace reidops::emulator

namespace reidops {

template <int Bytes>
__forceinline__ void copy_async(void* shared, const void* global, bool inside) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16, "cp.async copies 4, 8 or 16 bytes");
  emulator::ask_for_copy(shared, global, Bytes, inside);
}

__forceinline__ void commit_copies() { emulator::commit_group_of_copies(); }

template <int N = 0>
__forceinline__ void wait_for_copies() {
  emulator::wait_for_groups_of_copies(N);
}

}  // namespace reidops
