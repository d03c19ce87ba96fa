// bind_sparse_reconstruct_staged.cpp - the kernel for up to 128 float atoms alone: quick to build with a planted bug.
#include "sparse_reconstruct_arrays.h"

PYBIND11_MODULE(bind_sparse_reconstruct_staged, module) {
  using namespace reidops::emulator;
  using namespace reidops::sparse_reconstruct;
  bind_emulator(module);
  define_solve<float>(module, [](const Problem<float>& problem, int64_t gram_stride, float*, reidops::Stream stream) {
    const Plan<float> plan{static_cast<int>(gram_stride), nullptr, problem.beta / 2, 0, 0};
    launch_rounds<float, 1>(problem, plan, stream);
  });
}
