// scheduler.h - runs a grid: one block at a time, one thread at a time, in an order that a seed decides.
#pragma once

#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <numeric>
#include <tuple>
#include <vector>

#include "collectives.h"
#include "race.h"

namespace reidops::emulator {

// What a thread's stack starts with.
REIDOPS_UNCHECKED inline void run_thread() {
  machine.in_kernel = true;
  machine.body(machine.parameters);
  machine.in_kernel = false;
  exit_thread();
  for (;;) yield();
}

inline Thread& next_thread() {
  auto& ready = machine.ready;
  unsigned id;
  if (config.seed == 1) {
    id = ready.back();
    ready.pop_back();
  } else {
    if (config.seed > 1) {
      const std::size_t left = ready.size() - machine.next_ready;
      std::swap(ready[machine.next_ready], ready[machine.next_ready + machine.random() % left]);
    }
    id = ready[machine.next_ready++];
  }
  if (machine.next_ready == ready.size()) {
    ready.clear();
    machine.next_ready = 0;
  }
  return machine.threads[id];
}

// Runs `thread` until it yields.
inline void resume(Thread& thread) {
  if (thread.stack == nullptr) {
    thread.stack = machine.stacks.take();
    thread.stack_pointer = Stacks::prepare(thread.stack, &run_thread);
  }
  machine.current = &thread;
  threadIdx = thread.index;
  reidops_switch_stack(&machine.scheduler_stack, thread.stack_pointer);
}

inline void leave_stack(Thread& thread) {
  if (thread.stack != nullptr) machine.stacks.give_back(thread.stack);
  thread.stack = nullptr;
}

inline void set_up_block() {
  const unsigned count = blockDim.x * blockDim.y * blockDim.z;
  machine.threads.assign(count, Thread{});
  machine.warps.assign((count + 31) / 32, Warp{});
  if (count % 32 != 0) machine.warps.back().exited = ~0u << count % 32;
  machine.ready.clear();
  machine.next_ready = machine.exited = machine.at_barrier = machine.barrier_votes = 0;
  for (unsigned id = 0; id < count; ++id) {
    machine.threads[id].id = id;
    machine.threads[id].index = unravel(id, blockDim);
    make_ready(machine.threads[id]);
  }
  machine.shared.poison();
  race_detector.block_begins(count);
}

inline std::string text_of_waiting_threads() {
  std::string list;
  int shown = 0;
  for (const Thread& thread : machine.threads) {
    if (!thread.exited && shown++ < 4) list += (list.empty() ? "" : "; ") + text(thread);
  }
  return list;
}

inline void run_block() {
  set_up_block();
  while (!machine.ready.empty() && machine.error.empty()) {
    Thread& thread = next_thread();
    resume(thread);
    if (thread.exited) leave_stack(thread);
  }
  std::for_each(machine.threads.begin(), machine.threads.end(), leave_stack);
  bank_counter.block_ends();
  if (!machine.error.empty()) return;

  const std::string block = "block " + text(blockIdx) + ": ";
  if (machine.exited != machine.threads.size()) {
    machine.error = block + "deadlock: " + text_of_waiting_threads();
  } else if (const auto byte = machine.shared.overwritten_guard(); byte >= 0) {
    machine.error = block + "out-of-bounds write to byte " + std::to_string(byte) + " of dynamic shared memory";
  }
}

inline void run_grid() {
  std::vector<std::uint64_t> order(std::uint64_t{gridDim.x} * gridDim.y * gridDim.z);
  std::iota(order.begin(), order.end(), 0);
  if (config.seed == 1) std::reverse(order.begin(), order.end());
  if (config.seed > 1) std::shuffle(order.begin(), order.end(), machine.random);
  for (const std::uint64_t block : order) {
    machine.block = block;
    blockIdx = unravel(block, gridDim);
    run_block();
    if (!machine.error.empty()) return;
  }
}

inline bool cuda_would_launch(dim3 grid, dim3 block, std::size_t shared_bytes) {
  const std::uint64_t threads = std::uint64_t{block.x} * block.y * block.z;
  return threads >= 1 && threads <= Stacks::kCount && block.z <= 64 &&                           //
         grid.x >= 1 && grid.x <= 0x7fffffffu && grid.y >= 1 && grid.y <= 65535 &&               //
         grid.z >= 1 && grid.z <= 65535 && shared_bytes <= kMaxSharedBytes &&                        //
         shared_bytes <= std::size_t{config.shared_kilobytes} * 1024;
}

// A launch as the hardware gets it: the kernel's place in its library, and its parameters as they lie in memory.
struct Request {
  std::uintptr_t kernel;
  dim3 grid, block;
  std::size_t shared_bytes;
  std::vector<char> parameters;
};

// Runs launches in place of the emulator, where there is one: tests/machine_code.  Never destroyed, because Python, which
// it may hold a function of, ends before static variables do.
inline std::function<void(const Request&)>& run_elsewhere = *new std::function<void(const Request&)>;

template <class T>
void append_parameter(std::vector<char>& bytes, const T& value) {
  bytes.resize((bytes.size() + alignof(T) - 1) / alignof(T) * alignof(T) + sizeof(T));
  std::memcpy(bytes.data() + bytes.size() - sizeof(T), &value, sizeof(T));
}

inline std::uintptr_t place_in_library(const void* function) {
  Dl_info library{};
  if (dladdr(function, &library) == 0) throw Error("a kernel of no library");
  return reinterpret_cast<std::uintptr_t>(function) - reinterpret_cast<std::uintptr_t>(library.dli_fbase);
}

}  // namespace reidops::emulator

namespace reidops {

using Stream = void*;  // launches run at once, in the order of the calls

template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes, Stream,
            Arguments&&... arguments) {
  using namespace emulator;
  if (!cuda_would_launch(grid, block, shared_bytes)) throw Error("invalid launch configuration");
  if (run_elsewhere) {
    Request request{place_in_library(reinterpret_cast<const void*>(kernel)), grid, block, shared_bytes, {}};
    (append_parameter<Parameters>(request.parameters, static_cast<Parameters>(arguments)), ...);
    return run_elsewhere(request);
  }

  struct Invocation {
    void (*kernel)(Parameters...);
    std::tuple<Parameters...> arguments;
  } invocation{kernel, {static_cast<Parameters>(arguments)...}};
  machine.body = [](void* parameters) {
    const auto* invocation = static_cast<const Invocation*>(parameters);
    std::apply(invocation->kernel, invocation->arguments);
  };
  machine.parameters = &invocation;
  const char* begin = reinterpret_cast<const char*>(&invocation);
  machine.parameter_range = {begin, begin + sizeof invocation};
  machine.random.seed(config.seed);
  machine.error.clear();
  gridDim = grid;
  blockDim = block;

  race_detector.launch_begins();
  machine.shared.borrow(shared_bytes);
  run_grid();
  machine.shared.give_back();
  if (!machine.error.empty()) throw Error(machine.error);
}

}  // namespace reidops
