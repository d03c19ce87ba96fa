// banks.h - how many times shared memory has to be asked for what the lanes of a warp access together.
//
// It has 32 banks of four bytes side by side, and serves a word of each at a time: a wavefront.  A warp is served whole
// where a lane accesses 4 bytes or fewer, by halves where it accesses 8, by quarters where it accesses 16.  Lanes that
// want the same word share it; lanes that want different words of one bank wait for each other.  (Hardware may join
// halves and quarters that want the same words; here they are apart.)
//
// The accesses of a warp that belong together are those of one instruction, the first of each lane with the first of the
// others, and so on.  Only the race build sees them, and only where config.count_banks is set.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "machine.h"
#include "source_line.h"

namespace reidops::emulator {

class BankCounter {
 public:
  struct Count {
    std::uint64_t accesses = 0, wavefronts = 0, fewest = 0;  // of whole warps; fewest: had no two lanes met
  };
  using Key = std::tuple<std::string, unsigned, bool>;  // line of the kernel, bytes a lane, whether it writes

  void launch_begins() {
    totals_.clear();
    forget();
  }

  void access(const void* address, std::size_t bytes, bool write, const void* pc) {
    const Thread& self = *machine.current;
    auto& times = times_[pc];
    times.resize(machine.threads.size());
    Together& lanes = together_[{pc, self.warp(), times[self.id]++}];
    lanes.bytes = static_cast<unsigned>(bytes), lanes.write = write;
    lanes.of.push_back({self.lane(), reinterpret_cast<std::uintptr_t>(address) / 4});
  }

  void block_ends() {
    for (const auto& [key, lanes] : together_) {
      Count& count = totals_[{at(std::get<0>(key)), lanes.bytes, lanes.write}];
      ++count.accesses;
      const unsigned words = std::max(1u, lanes.bytes / 4), served = 32 / words;
      for (unsigned first = 0; first < 32; first += served) {
        std::set<std::uintptr_t> of_bank[32];
        for (const auto& [lane, word] : lanes.of)
          if (lane >= first && lane < first + served)
            for (unsigned i = 0; i < words; ++i) of_bank[(word + i) % 32].insert(word + i);
        std::size_t most = 0;
        for (const auto& wanted : of_bank) most = std::max(most, wanted.size());
        count.wavefronts += most;
        count.fewest += most > 0;
      }
    }
    forget();
  }

  const std::map<Key, Count>& totals() const { return totals_; }

 private:
  struct Together {
    unsigned bytes = 0;
    bool write = false;
    std::vector<std::pair<unsigned, std::uintptr_t>> of;  // lane, and its first word
  };

  void forget() {
    together_.clear();
    times_.clear();
  }

  std::unordered_map<const void*, std::vector<unsigned>> times_;  // that each thread has come to an instruction
  std::map<std::tuple<const void*, unsigned, unsigned>, Together> together_;
  std::map<Key, Count> totals_;
};
inline BankCounter bank_counter;

}  // namespace reidops::emulator
