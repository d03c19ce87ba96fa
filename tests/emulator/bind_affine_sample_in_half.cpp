// bind_affine_sample_in_half.cpp - the forward kernels for float16 and bfloat16, whose bits come as integers.
#include "affine_sample_arrays.h"

using namespace reidops::emulator;

PYBIND11_MODULE(bind_affine_sample_in_half, module) {
  bind_emulator(module);
  bind_options(module);
  bind_forward<std::uint16_t, reidops::Half>(module);
  bind_forward<std::int16_t, reidops::BFloat16>(module);
}
