// bind_depthwise_xcorr.cpp - the kernels of csrc/depthwise_xcorr, through the op's own launch.
#include "depthwise_xcorr_arrays.h"

namespace {

struct Launch {
  template <class S>
  void operator()(const reidops::depthwise_xcorr::Problem<S>& p, reidops::Stream stream, std::int64_t enough,
                  std::int64_t most) const {
    reidops::depthwise_xcorr::launch_xcorr(p, stream, enough, most);
  }
};

}  // namespace

PYBIND11_MODULE(bind_depthwise_xcorr, module) {
  using reidops::emulator::define;
  reidops::emulator::bind_emulator(module);
  define<float, float, Launch>(module);
  define<double, double, Launch>(module);
  define<reidops::Half, std::uint16_t, Launch>(module);  // the bits of float16
}
