// collectives.h - where threads wait for each other: warp collectives and the block barrier.
//
// A thread writes down what it called and yields.  The last one to arrive works out every thread's result and makes
// them all ready; a thread that exits may be the one the others waited for.
#pragma once

#include "machine.h"
#include "race.h"
#include "source_line.h"

namespace reidops::emulator {

// ---- warps ---------------------------------------------------------------------------------------------------------

// Completes the collective that `arrived` waits in, if every lane it names is there or has exited.
inline void try_complete(const Thread& arrived) {
  const Call call = arrived.call;
  Warp& warp = machine.warps[arrived.warp()];
  Thread* lanes = &machine.threads[arrived.warp() * 32];
  Lanes values;
  values.present = call.mask & ~warp.exited;
  if ((warp.waiting & values.present) != values.present) return;

  for (int lane = 0; lane < 32; ++lane) {
    if (!values.has(lane)) continue;
    const Call& other = lanes[lane].call;
    if (other.result != call.result || other.mask != call.mask || !same(other.where, call.where)) {
      fail("diverged warp: " + text(arrived) + " but " + text(lanes[lane]));
    }
    values.value[lane] = other.value;
  }
  for (int lane = 0; lane < 32; ++lane) {
    if (!values.has(lane)) continue;
    lanes[lane].result = call.result(values, lanes[lane].call, lane);
    make_ready(lanes[lane]);
  }
  warp.waiting &= ~values.present;
  if (call.orders_memory) race_detector.warp_barrier(arrived.warp(), values.present);
}

// Every warp collective: waits for the lanes of call.mask, and returns what call.result makes of their values.
inline std::uint64_t warp_collective(const Call& call) {
  OutsideKernel guard;
  Thread& self = *machine.current;
  self.call = call;
  if ((call.mask >> self.lane() & 1) == 0) fail("a lane outside its own mask: " + text(self));
  if (call.width < 1 || call.width > 32 || (call.width & (call.width - 1)) != 0) {
    fail("a width that is no power of two: " + text(self));
  }
  machine.warps[self.warp()].waiting |= 1u << self.lane();
  try_complete(self);
  yield();
  return self.result;
}

// ---- the block -----------------------------------------------------------------------------------------------------

[[noreturn]] inline void fail_for_early_exit() {
  std::string gone, waiting;
  for (const Thread& thread : machine.threads) {
    if (thread.exited && gone.empty()) gone = text(thread);
    if (thread.call.name != nullptr && waiting.empty()) waiting = text(thread);
  }
  fail("divergent barrier: " + gone + " but " + waiting);
}

inline void try_complete_barrier() {
  if (machine.at_barrier == 0 || machine.at_barrier + machine.exited < machine.threads.size()) return;
  if (machine.exited > 0 && config.strict_exit) fail_for_early_exit();
  for (Thread& thread : machine.threads) {
    if (thread.exited) continue;
    thread.result = machine.barrier_votes;
    make_ready(thread);
  }
  machine.at_barrier = machine.barrier_votes = 0;
  race_detector.block_barrier();
}

// Every block barrier: waits for all threads, and returns how many of them voted.
inline int block_barrier(const char* name, bool vote, const Location& where) {
  OutsideKernel guard;
  Thread& self = *machine.current;
  self.call = {.name = name, .where = where};
  if (machine.at_barrier == 0) machine.barrier_where = where;
  if (!same(machine.barrier_where, where)) {
    fail("divergent barrier: " + text(self) + " but others at " + text(machine.barrier_where));
  }
  ++machine.at_barrier;
  machine.barrier_votes += vote;
  try_complete_barrier();
  yield();
  return static_cast<int>(self.result);
}

// ---- exit ----------------------------------------------------------------------------------------------------------

inline void exit_thread() {
  Thread& self = *machine.current;
  if (!self.copies.empty()) fail("an asynchronous copy that nobody waited for" + at(self.copies.front().pc));
  self.exited = true;
  ++machine.exited;
  Warp& warp = machine.warps[self.warp()];
  warp.exited |= 1u << self.lane();
  for (unsigned lane = 0; lane < 32; ++lane) {
    if (warp.waiting >> lane & 1) try_complete(machine.threads[self.warp() * 32 + lane]);
  }
  try_complete_barrier();
}

}  // namespace reidops::emulator
