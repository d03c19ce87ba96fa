// bind_projected_xcorr_half.cpp - the same of float16 and bfloat16, which numpy holds as their bits.
#include "projected_xcorr_arrays.h"

PYBIND11_MODULE(bind_projected_xcorr_half, module) {
  using namespace reidops;
  emulator::bind_emulator(module);
  emulator::define<Half, std::uint16_t>(module, "project_float16");
  emulator::define<BFloat16, std::uint16_t>(module, "project_bfloat16");
}
