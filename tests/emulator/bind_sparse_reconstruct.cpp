// bind_sparse_reconstruct.cpp - the kernels of csrc/sparse_reconstruct, through the op's own launch.
#include "sparse_reconstruct_arrays.h"

PYBIND11_MODULE(bind_sparse_reconstruct, module) {
  using namespace reidops::emulator;
  bind_emulator(module);
  define_solve<float>(module, &reidops::sparse_reconstruct::launch_sparse_reconstruct<float>);
  define_solve<double>(module, &reidops::sparse_reconstruct::launch_sparse_reconstruct<double>);
}
