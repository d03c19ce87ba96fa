// preload.h - loads kernels before the first of them is launched.
//
// CUDA loads a kernel when it is first launched, and lets it have more than 48 KB of shared memory when it is asked to:
// neither is for the capture of a graph.  An operator has a kernel for each range of sizes, and what was run before a
// capture need not have had the sizes of what is captured.  So its first call on a device loads them all:
//
//     preload([] {
//       load(kernel<float, 1>, most_shared_bytes);
//       load(kernel<float, 2>);
//     });
//
// Where that first call is captured itself, everything is as if it were not there.
#pragma once

#include "launch.h"

#ifdef __CUDACC__

#include <atomic>

namespace reidops {

template <class... Parameters>
void load(void (*kernel)(Parameters...), std::size_t most_shared_bytes = 0) {
  const void* function = reinterpret_cast<const void*>(kernel);
  cudaFuncAttributes attributes;
  check_cuda(cudaFuncGetAttributes(&attributes, function), "reidops: loading a kernel");
  allow_shared_bytes(function, most_shared_bytes);
}

// Calls load_all() if no thread has done so for the current device.  Every lambda has devices of its own.
template <class LoadAll>
void preload(LoadAll load_all) {
  constexpr int kDevices = 128;
  static std::atomic<bool> loaded[kDevices];
  int device = 0;
  check_cuda(cudaGetDevice(&device), "reidops: asking for the current device");
  if (device < kDevices && loaded[device].load(std::memory_order_relaxed)) return;
  load_all();  // two threads may do so at once: it changes nothing
  if (device < kDevices) loaded[device].store(true, std::memory_order_relaxed);
}

}  // namespace reidops

#else

namespace reidops {

template <class... Parameters>
void load(void (*)(Parameters...), std::size_t = 0) {}
template <class LoadAll>
void preload(LoadAll) {}

}  // namespace reidops

#endif
