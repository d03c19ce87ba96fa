// bind_affine_sample.cpp - the kernels of csrc/affine_sample.
#include "affine_sample_arrays.h"

using namespace reidops::emulator;

PYBIND11_MODULE(bind_affine_sample, module) {
  bind_emulator(module);
  bind_options(module);
  bind_forward<float>(module);
  bind_forward<double>(module);
  bind_backward<float>(module);
  bind_backward<double>(module);
}
