// shared_memory.h - what the threads of a block share, and what it holds before they write it.
//
// __shared__ arrays are thread_local variables.  A library's thread-local variables lie in one stretch of memory, so
// all shared memory of all kernels can be found, filled and checked as a whole, with no declaration to parse.
// Whatever else is thread-local in that library (pybind11's, say) is put back when the launch ends.
#pragma once

#include <link.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "fiber.h"

namespace reidops {

inline constexpr std::size_t kMaxSharedBytes = 227 * 1024;  // a block's, on sm_90; `Config` may allow less
inline constexpr std::size_t kGuardBytes = 4096;            // after it; nobody may write there

alignas(128) inline thread_local unsigned char dynamic_shared_memory[kMaxSharedBytes + kGuardBytes];

}  // namespace reidops

namespace reidops::emulator {

class SharedMemory {
 public:
  // Before a launch.
  void borrow(std::size_t dynamic_bytes) {
    dynamic_bytes_ = dynamic_bytes;
    dynamic_shared_memory[0] = 0;  // thread-local memory exists from the first touch
    dl_iterate_phdr(&SharedMemory::find_own_library, this);
    lent_.assign(variables_.begin, variables_.end);
  }

  // After it.
  void give_back() { std::copy(lent_.begin(), lent_.end(), const_cast<char*>(variables_.begin)); }

  // Before each block.
  void poison() {
    std::memset(const_cast<char*>(variables_.begin), kPoison, variables_.end - variables_.begin);
  }

  // After each block: the first byte past the dynamic array that was written, or -1.
  std::ptrdiff_t overwritten_guard() const {
    const unsigned char* guard = dynamic_shared_memory + dynamic_bytes_;
    const unsigned char* end = guard + kGuardBytes;
    const unsigned char* hit = std::find_if(guard, end, [](unsigned char byte) { return byte != kPoison; });
    return hit == end ? -1 : hit - dynamic_shared_memory;
  }

  bool contains(const void* address) const { return variables_.contains(address); }

  bool in_dynamic_array(const void* address) const {
    return Range{as_char(dynamic_shared_memory), as_char(dynamic_shared_memory) + sizeof dynamic_shared_memory}
        .contains(address);
  }
  bool past_dynamic_array(const void* address, std::size_t bytes) const {
    return in_dynamic_array(address) &&
           static_cast<const char*>(address) + bytes > as_char(dynamic_shared_memory) + dynamic_bytes_;
  }

  // The library's code, constants and built-in variables.
  const Range& image() const { return image_; }

 private:
  static const char* as_char(const unsigned char* p) { return reinterpret_cast<const char*>(p); }

  static int find_own_library(dl_phdr_info* library, std::size_t, void* self) {
    auto& memory = *static_cast<SharedMemory*>(self);
    const char* base = reinterpret_cast<const char*>(library->dlpi_addr);
    Range image{reinterpret_cast<const char*>(UINTPTR_MAX), nullptr}, variables;
    for (int i = 0; i < library->dlpi_phnum; ++i) {
      const auto& segment = library->dlpi_phdr[i];
      const char* begin = base + segment.p_vaddr;
      if (segment.p_type == PT_LOAD) {
        image = {std::min(image.begin, begin), std::max(image.end, begin + segment.p_memsz)};
      } else if (segment.p_type == PT_TLS) {
        const char* data = static_cast<const char*>(library->dlpi_tls_data);
        variables = {data, data + segment.p_memsz};
      }
    }
    if (!image.contains(reinterpret_cast<const void*>(&find_own_library))) return 0;
    memory.image_ = image;
    memory.variables_ = variables;
    return 1;
  }

  std::size_t dynamic_bytes_ = 0;
  Range image_, variables_;
  std::vector<char> lent_;
};

}  // namespace reidops::emulator
