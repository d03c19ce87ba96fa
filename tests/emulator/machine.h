// machine.h - the state of the one launch that is being emulated, and how a thread leaves it.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <random>
#include <source_location>
#include <stdexcept>
#include <string>
#include <vector>

#include "cuda_vocabulary.h"
#include "fiber.h"
#include "shared_memory.h"

namespace reidops::emulator {

// What launch() throws: a launch CUDA would reject, or a kernel whose behaviour CUDA does not define.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What a block may have on the emulated device: 227 KB on sm_90 and sm_100, 163 on sm_80, 99 on sm_86, 89, 120 and 121.
inline unsigned default_shared_kilobytes() {
  const char* asked = std::getenv("REIDOPS_EMULATED_SHARED_KB");
  return asked == nullptr ? kMaxSharedBytes / 1024 : static_cast<unsigned>(std::atoi(asked));
}

// Read at every launch.
struct Config {
  // The order in which blocks, and the ready threads of a block, run: 0 ascending, 1 descending, others random.
  std::uint64_t seed = 0;
  // May no thread exit before a barrier that others wait in?  Hardware since Volta lets it; it is a mistake as a rule.
  bool strict_exit = true;
  // Does the race build count the wavefronts of shared memory (banks.h)?
  bool count_banks = false;
  // A launch that asks for more dynamic shared memory is rejected.
  unsigned shared_kilobytes = default_shared_kilobytes();
};
inline Config config;

// ---- threads -------------------------------------------------------------------------------------------------------

// A place in a kernel's source.  Every function that waits takes one as its defaulted last argument.
using Location = std::source_location;

inline bool same(const Location& a, const Location& b) {
  return a.line() == b.line() && a.column() == b.column() && std::strcmp(a.file_name(), b.file_name()) == 0;
}

// The values that the lanes of a warp bring to a collective.
struct Lanes {
  unsigned present = 0;  // a bit for each lane that takes part
  std::uint64_t value[32] = {};

  bool has(int lane) const { return lane >= 0 && lane < 32 && (present >> lane & 1) != 0; }
};

// What a thread called and now waits in.
struct Call {
  const char* name = nullptr;  // as CUDA spells it; null: the thread waits for nothing
  Location where{};
  std::uint64_t value = 0;
  // Of warp collectives alone: who takes part, and what `lane` gets when all of them are there.
  unsigned mask = 0;
  int argument = 0;
  int width = 32;
  bool orders_memory = false;
  std::uint64_t (*result)(const Lanes&, const Call&, int lane) = nullptr;
};

// A copy to shared memory that a thread has asked for and not waited for.
struct Copy {
  void* to = nullptr;
  const void* from = nullptr;  // null: zeros
  unsigned bytes = 0;
  unsigned group = 0;
  const void* pc = nullptr;  // after the call
};

struct Thread {
  unsigned id = 0;  // in the block, x fastest
  uint3 index{};    // threadIdx
  char* stack = nullptr;
  void* stack_pointer = nullptr;
  bool exited = false;
  Call call;
  std::uint64_t result = 0;  // of the last call
  std::vector<Copy> copies;       // that are on their way
  unsigned groups_of_copies = 0;  // that are committed

  unsigned warp() const { return id / 32; }
  unsigned lane() const { return id % 32; }
};

struct Warp {
  unsigned exited = 0;   // a bit for each lane that has exited, or never was
  unsigned waiting = 0;  // a bit for each lane that waits in a warp collective
};

// ---- the machine ---------------------------------------------------------------------------------------------------

struct Machine {
  // The launch.
  void (*body)(void* parameters) = nullptr;
  void* parameters = nullptr;
  Range parameter_range;
  std::mt19937_64 random;
  std::string error;  // the first one; the launch ends with it

  // The block that runs.
  std::uint64_t block = 0;  // blockIdx, x fastest
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  std::vector<unsigned> ready;  // from `next_ready` on, the threads that can run
  std::size_t next_ready = 0;
  unsigned exited = 0;
  unsigned at_barrier = 0;
  unsigned barrier_votes = 0;
  Location barrier_where;

  // The thread that runs.  `in_kernel` is true only while code of the kernel runs, not the emulator's own.
  Thread* current = nullptr;
  void* scheduler_stack = nullptr;
  bool in_kernel = false;

  Stacks stacks;
  SharedMemory shared;
};
inline Machine machine;

inline void make_ready(Thread& thread) {
  thread.call.name = nullptr;
  machine.ready.push_back(thread.id);
}

// Lets other threads run.  Returns when make_ready() was called for this one and its turn has come.
inline void yield() { reidops_switch_stack(&machine.current->stack_pointer, machine.scheduler_stack); }

// Marks the code of the emulator in functions that kernels call; race_hooks.h looks only at what kernels do.
#ifdef __SANITIZE_THREAD__
#define REIDOPS_UNCHECKED __attribute__((no_sanitize("thread", "undefined"), noinline))
#else
#define REIDOPS_UNCHECKED
#endif

struct OutsideKernel {
  REIDOPS_UNCHECKED OutsideKernel() { machine.in_kernel = false; }
  REIDOPS_UNCHECKED ~OutsideKernel() { machine.in_kernel = true; }
};

// ---- errors --------------------------------------------------------------------------------------------------------

// The coordinates of the `linear`th place in an `extent`, x fastest.
inline uint3 unravel(std::uint64_t linear, const dim3& extent) {
  return {static_cast<unsigned>(linear % extent.x), static_cast<unsigned>(linear / extent.x % extent.y),
          static_cast<unsigned>(linear / extent.x / extent.y)};
}

inline std::string text(const uint3& index) {
  return "(" + std::to_string(index.x) + "," + std::to_string(index.y) + "," + std::to_string(index.z) + ")";
}

inline std::string text(const Location& where) {
  const char* slash = std::strrchr(where.file_name(), '/');
  return std::string(slash ? slash + 1 : where.file_name()) + ":" + std::to_string(where.line());
}

// "thread (3,0,0) waits in __syncthreads at solver.cuh:40"
inline std::string text(const Thread& thread) {
  const std::string name = "thread " + text(thread.index);
  if (thread.exited) return name + " has exited";
  if (thread.call.name == nullptr) return name + " runs";
  return name + " waits in " + thread.call.name + " at " + text(thread.call.where);
}

// Ends the launch.  Nothing is thrown here, since no exception can cross from one stack to another, nor out of the
// checks that the compiler has put into a kernel; launch() throws.  What the stacks left behind own is lost.
[[noreturn]] inline void fail(const std::string& what) {
  machine.in_kernel = false;
  machine.error = "block " + text(blockIdx) + ": " + what;
  for (;;) yield();
}

}  // namespace reidops::emulator
