// large_pages.h - a result of many megabytes in pages of two, where Linux gives them only to those who ask ("madvise"):
// half of the time of a large result is else the first touch of its small pages.  numpy asks for the same.
#pragma once

#include <cstddef>
#include <cstdint>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace reidops {

// Advice only: what lies there stays there, and nothing follows from a refusal.
inline void prefer_large_pages([[maybe_unused]] void* data, [[maybe_unused]] size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  constexpr uintptr_t kPage = 4096, kWorthIt = 4 << 20;
  if (bytes < kWorthIt) return;
  const uintptr_t start = (reinterpret_cast<uintptr_t>(data) + kPage - 1) / kPage * kPage;  // the pages that lie inside
  const uintptr_t end = (reinterpret_cast<uintptr_t>(data) + bytes) / kPage * kPage;
  madvise(reinterpret_cast<void*>(start), end - start, MADV_HUGEPAGE);
#endif
}

}  // namespace reidops
