// fiber.h - stacks that a thread of a block can be left on and resumed from, in some 60 ns.
//
// A CUDA thread runs until it waits for others; what it has on its stack then stays there while they run.  ucontext
// would do the same in 500 ns, for it asks the kernel to save a signal mask at every switch.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstring>
#include <new>
#include <vector>

#if !defined(__linux__) || !defined(__x86_64__) || !defined(__GNUC__) || defined(__clang__)
#error "the emulator is written for g++ on Linux x86-64"
#endif

// Leaves the running stack, whose pointer goes to *saved, and continues on the stack whose pointer is `next`.  Those
// registers that a called function must preserve are all that has to travel with a stack.
extern "C" void reidops_switch_stack(void** saved, void* next);
asm(R"(.pushsection .text
.weak reidops_switch_stack
.hidden reidops_switch_stack
.type reidops_switch_stack,@function
reidops_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.popsection)");

namespace reidops::emulator {

// 0xFF bytes are a NaN as float and double, and -1 as int: a value nobody wrote shows in the result.
inline constexpr unsigned char kPoison = 0xFF;

// Addresses [begin, end).
struct Range {
  const char* begin = nullptr;
  const char* end = nullptr;

  bool contains(const void* address, std::size_t bytes = 1) const {
    const char* first = static_cast<const char*>(address);
    return first >= begin && first + bytes <= end;
  }
};

// The stacks of one block, each above a page that may not be touched.
class Stacks {
 public:
  static constexpr std::size_t kCount = 1024;  // threads in the largest block
  static constexpr std::size_t kBytes = 64 * 1024;
  static constexpr std::size_t kPoisonedBytes = 4 * 1024;  // as much as a kernel's own variables take, and more

  char* take() {
    if (free_.empty()) return carve();
    char* stack = free_.back();
    free_.pop_back();
    return stack;
  }

  void give_back(char* stack) { free_.push_back(stack); }

  // The pointer with which reidops_switch_stack() enters `entry`, which never returns, on this stack.
  static void* prepare(char* stack, void (*entry)()) {
    std::memset(stack + kBytes - kPoisonedBytes, kPoison, kPoisonedBytes);  // not what another thread has left there
    void** top = reinterpret_cast<void**>(stack + kBytes);
    *--top = nullptr;                         // where `entry` would return to; keeps the stack aligned as after a call
    *--top = reinterpret_cast<void*>(entry);  // where the switch's own `ret` goes
    constexpr int kSavedRegisters = 6;
    return top - kSavedRegisters;  // they start as poison, too
  }

  Range range() const { return {memory_, memory_ + kCount * kBytes}; }

 private:
  // Address space for all stacks is reserved at once and costs memory only where it is touched.
  char* carve() {
    if (memory_ == nullptr) {
      void* memory = mmap(nullptr, kCount * kBytes, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (memory == MAP_FAILED) throw std::bad_alloc();
      memory_ = static_cast<char*>(memory);
    }
    char* stack = memory_ + kBytes * carved_++;
    constexpr std::size_t kPage = 4096;
    mprotect(stack, kPage, PROT_NONE);
    return stack;
  }

  char* memory_ = nullptr;  // for as long as the process runs
  std::size_t carved_ = 0;
  std::vector<char*> free_;
};

}  // namespace reidops::emulator
