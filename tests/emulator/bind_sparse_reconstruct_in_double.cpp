// bind_sparse_reconstruct_in_double.cpp - the second pass alone, over a first that says what gap it is to have reached.
#include <algorithm>

#include "sparse_reconstruct_arrays.h"

PYBIND11_MODULE(bind_sparse_reconstruct_in_double, module) {
  using namespace reidops::emulator;
  using namespace reidops::sparse_reconstruct;
  bind_emulator(module);
  module.attr("reached") = 1.0f;
  define_solve<float>(module, [=](const Problem<float>& problem, int64_t gram_stride, float* memory,
                                  reidops::Stream stream) {
    std::fill_n(problem.gap, problem.R * problem.G, module.attr("reached").cast<float>());
    launch_in_double(problem, static_cast<int>(gram_stride), reinterpret_cast<double*>(memory), stream);
  });
}
