// bind_planted_bugs.cpp - the kernels of planted_bugs.cuh, each as a function of an array and the version wanted.
#include "binding.h"
#include "planted_bugs.cuh"

namespace {

using namespace reidops::emulator;
using Kernel = void (*)(const float*, float*);

Array<float> run(Kernel kernel, unsigned blocks, const Array<float>& x) {
  GlobalMemory memory;
  Array<float> y = memory.output<float>({x.shape(0)});
  constexpr unsigned kThreads = 64;
  reidops::launch(kernel, dim3(blocks), dim3(kThreads), kThreads * sizeof(float), nullptr, memory.input(x),
                  memory.data(y));
  return y;
}

void define(py::module_& module, const char* name, Kernel wrong, Kernel right, unsigned blocks = 1) {
  module.def(
      name, [=](const Array<float>& x, bool planted) { return run(planted ? wrong : right, blocks, x); },
      py::arg("x").noconvert(), py::kw_only(), py::arg("planted"));
}

}  // namespace

PYBIND11_MODULE(bind_planted_bugs, module) {
  using namespace reidops::planted_bugs;
  bind_emulator(module);
#define DEFINE(kernel, ...) define(module, #kernel, &kernel<kWrong>, &kernel<kRight>, ##__VA_ARGS__)
  DEFINE(write_after_read);
  DEFINE(missing_barrier);
  DEFINE(missing_syncwarp);
  DEFINE(shuffle_for_a_barrier);
  DEFINE(syncwarp_for_a_block);
  DEFINE(divergent_barrier);
  DEFINE(two_barriers);
  DEFINE(early_exit);
  DEFINE(half_warp_shuffle);
  DEFINE(exited_lane_shuffle);
  DEFINE(plain_add);
  DEFINE(plain_read_of_atomic);
  DEFINE(blocks_meet, 2);
  DEFINE(unwritten_shared);
  DEFINE(missing_wait);
  DEFINE(wait_after_barrier);
  DEFINE(barrier_before_copy);
  DEFINE(one_wait_too_early);
  DEFINE(misaligned_copy);
  DEFINE(dynamic_shared_read);
  DEFINE(dynamic_shared_write);
  DEFINE(inner_index);
  DEFINE(global_read);
  DEFINE(copy_of_global);
  DEFINE(global_write);
  DEFINE(write_to_input);
  DEFINE(misaligned_vector);
  DEFINE(index_overflow);
#undef DEFINE
}
