// bind_depthwise_xcorr_few.cpp - two kernels of csrc/depthwise_xcorr, for tests that compile them with a change: that of
// 3 x 3 taps and that of any, with eight rows a thread.
#include "depthwise_xcorr_arrays.h"

namespace {

using namespace reidops::depthwise_xcorr;

struct Launch {
  void operator()(const Problem<float>& p, reidops::Stream stream, std::int64_t enough, std::int64_t) const {
    const Tiling s = Tiling::of(p, enough);
    if (s.rows != 8 || s.wide) throw std::invalid_argument("there is no kernel for this shape here");
    if (s.square == 3) {
      launch_kernel(depthwise_xcorr_square_kernel<float, 3, 8>, p, s, stream);
    } else {
      launch_kernel(depthwise_xcorr_kernel<float, 8, int>, p, s, stream);
    }
  }
};

}  // namespace

PYBIND11_MODULE(bind_depthwise_xcorr_few, module) {
  reidops::emulator::bind_emulator(module);
  reidops::emulator::define<float, float, Launch>(module);
}
