// race.h - who touched which memory last: data races, and accesses out of bounds.
//
// Two accesses of different threads race when one of them writes, not both are atomic, and no barrier orders them:
// __syncthreads orders the threads of a block, __syncwarp those lanes of a warp that it names.  Nothing orders two
// blocks, and shuffles and votes order no memory.  Threads that write the same value to one place race all the same.
//
// Only the race build looks; race_hooks.h says how.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "banks.h"
#include "machine.h"
#include "source_line.h"

namespace reidops::emulator {

enum class Access { kRead, kWrite, kAtomic };

// Global memory that kernels may touch; none: all of it.  binding.h fills this.
struct Buffer {
  Range range;
  bool writable = false;
};
inline std::vector<Buffer> buffers;

class RaceDetector {
 public:
  void launch_begins() {
    bank_counter.launch_begins();
    shadow_.clear();
    last_page_ = kNoPage;
  }

  void block_begins(unsigned threads) {
    epoch_ = 1;
    known_.assign(threads, Clocks{});
    for (unsigned id = 0; id < threads; ++id) known_[id].of_lane[id % 32] = 1;
  }

  void block_barrier() { ++epoch_; }

  // The lanes that meet here know of each other all that any of them knew, and begin something new.
  void warp_barrier(unsigned warp, unsigned lanes) {
    Clocks all;
    for_each_lane(lanes, [&](unsigned lane) { all.merge(known_[warp * 32 + lane]); });
    for_each_lane(lanes, [&](unsigned lane) {
      known_[warp * 32 + lane] = all;
      ++known_[warp * 32 + lane].of_lane[lane];
    });
  }

  // What the current thread does to `bytes` of memory; `pc` is the instruction after.  Ends the launch if that is a
  // mistake.
  void access(const void* address, std::size_t bytes, Access kind, const void* pc) {
    if (is_private(address)) return;
    check_bounds(address, bytes, kind, pc);
    const bool shared = machine.shared.contains(address);
    if (shared && config.count_banks) bank_counter.access(address, bytes, kind != Access::kRead, pc);
    for_each_cell(address, bytes, entry(kind, pc), [&](Cell& cell, const Entry& now) {
      check_cell(cell, now, kind, shared);
    });
  }

  // An asynchronous copy of the current thread to shared memory.  From here on it may write at any time ...
  void copy_begins(void* address, std::size_t bytes, const void* pc) {
    access(address, bytes, Access::kWrite, pc);
    for_each_cell(address, bytes, entry(Access::kWrite, pc), [](Cell& cell, const Entry&) { cell.write.pending = true; });
  }

  // ... and here it has.
  void copy_ends(void* address, std::size_t bytes, const void* pc) {
    for_each_cell(address, bytes, entry(Access::kWrite, pc), [](Cell& cell, const Entry& now) { cell.write = now; });
  }

 private:
  // How far one thread knows the lanes of its warp to have come, itself included.
  struct Clocks {
    unsigned of_lane[32] = {};
    void merge(const Clocks& other) {
      for (int lane = 0; lane < 32; ++lane) of_lane[lane] = max(of_lane[lane], other.of_lane[lane]);
    }
  };

  // One access.
  struct Entry {
    static constexpr std::uint64_t kNever = ~std::uint64_t{0};
    std::uint64_t block = kNever;
    unsigned thread = 0;
    unsigned epoch = 0;      // block barriers passed
    unsigned clock = 0;      // warp barriers passed
    std::uint8_t bytes = 0;  // which of the cell's four
    bool atomic = false;
    bool pending = false;  // an asynchronous copy that its thread has not waited for
    const void* pc = nullptr;
  };

  // Four bytes of memory: the last write, and the last reads of two different threads.
  struct Cell {
    Entry write, read, earlier_read;
  };

  // What is remembered of the bytes from 4 * index on.  Kernels go through memory in order, so the page is mostly the
  // same as the last time.
  Cell& shadow(std::uintptr_t index) {
    const std::uintptr_t page = index / kCellsInPage;
    if (page != last_page_) {
      std::vector<Cell>& cells = shadow_[page];
      cells.resize(kCellsInPage);
      last_page_ = page;
      last_cells_ = cells.data();
    }
    return last_cells_[index % kCellsInPage];
  }

  Entry entry(Access kind, const void* pc) const {
    const Thread& self = *machine.current;
    return {.block = machine.block, .thread = self.id, .epoch = epoch_,
            .clock = known_[self.id].of_lane[self.lane()], .atomic = kind == Access::kAtomic, .pc = pc};
  }

  // Visits the cells that hold those bytes, with `now` told which of theirs.
  template <class Visit>
  void for_each_cell(const void* address, std::size_t bytes, Entry now, Visit visit) {
    const auto begin = reinterpret_cast<std::uintptr_t>(address), end = begin + bytes;
    for (std::uintptr_t cell = begin / 4; cell * 4 < end; ++cell) {
      now.bytes = 0;
      for (unsigned i = 0; i < 4; ++i) {
        if (cell * 4 + i >= begin && cell * 4 + i < end) now.bytes |= 1u << i;
      }
      visit(shadow(cell), now);
    }
  }

  template <class Visit>
  static void for_each_lane(unsigned lanes, Visit visit) {
    for (unsigned lane = 0; lane < 32; ++lane) {
      if (lanes >> lane & 1) visit(lane);
    }
  }

  // A thread's own variables, the kernel's parameters, constants and built-in variables.
  static bool is_private(const void* address) {
    return machine.stacks.range().contains(address) || machine.parameter_range.contains(address) ||
           machine.shared.image().contains(address);
  }

  static void check_bounds(const void* address, std::size_t bytes, Access kind, const void* pc) {
    const auto fail_at = [&](const char* memory) {
      const char* what = kind == Access::kRead ? "out-of-bounds read of " : "out-of-bounds write to ";
      fail(what + std::string(memory) + at(pc));
    };
    if (machine.shared.past_dynamic_array(address, bytes)) fail_at("dynamic shared memory");
    if (machine.shared.contains(address) || buffers.empty()) return;
    for (const Buffer& buffer : buffers) {
      if (!buffer.range.contains(address, bytes)) continue;
      if (kind != Access::kRead && !buffer.writable) fail("write to an input" + at(pc));
      return;
    }
    fail_at("global memory");
  }

  // Whether `earlier` happened before all that the current thread does now.
  bool ordered(const Entry& earlier, bool shared) const {
    const Thread& self = *machine.current;
    if (earlier.block == Entry::kNever) return true;
    if (earlier.block != machine.block) return shared;  // another block's shared memory is another memory
    if (earlier.thread == self.id || earlier.epoch < epoch_) return true;
    return earlier.thread / 32 == self.warp() && known_[self.id].of_lane[earlier.thread % 32] >= earlier.clock;
  }

  void check_order(const Entry& earlier, const Entry& now, bool shared, const char* what) const {
    if (earlier.pending && earlier.block == machine.block && (earlier.bytes & now.bytes) != 0) {
      fail("asynchronous copy race: thread " + text(machine.current->index) + at(now.pc) + " before thread " +
           text(unravel(earlier.thread, blockDim)) + " has waited for its copy" + at(earlier.pc));
    }
    if ((earlier.bytes & now.bytes) == 0 || (earlier.atomic && now.atomic) || ordered(earlier, shared)) return;
    fail(std::string(what) + " race: thread " + text(machine.current->index) + at(now.pc) + " and thread " +
         text(unravel(earlier.thread, blockDim)) + " of block " + text(unravel(earlier.block, gridDim)) +
         at(earlier.pc));
  }

  void check_cell(Cell& cell, const Entry& now, Access kind, bool shared) const {
    if (kind == Access::kRead) {
      if (shared && cell.write.block != machine.block) fail("read of shared memory nobody wrote" + at(now.pc));
      check_order(cell.write, now, shared, "read-after-write");
      if (cell.read.thread != now.thread || cell.read.block != now.block) cell.earlier_read = cell.read;
      cell.read = now;
    } else {
      check_order(cell.write, now, shared, "write-after-write");
      check_order(cell.read, now, shared, "write-after-read");
      check_order(cell.earlier_read, now, shared, "write-after-read");
      cell.write = now;
    }
  }

  static constexpr std::uintptr_t kCellsInPage = 256, kNoPage = ~std::uintptr_t{0};
  std::unordered_map<std::uintptr_t, std::vector<Cell>> shadow_;
  std::uintptr_t last_page_ = kNoPage;
  Cell* last_cells_ = nullptr;
  std::vector<Clocks> known_;  // by thread
  unsigned epoch_ = 1;
};

#ifdef __SANITIZE_THREAD__
inline RaceDetector race_detector;
#else
struct Blind {
  void launch_begins() {}
  void block_begins(unsigned) {}
  void block_barrier() {}
  void warp_barrier(unsigned, unsigned) {}
  void copy_begins(void*, std::size_t, const void*) {}
  void copy_ends(void*, std::size_t, const void*) {}
  void access(const void*, std::size_t, Access, const void*) {}
};
inline Blind race_detector;
#endif

}  // namespace reidops::emulator
