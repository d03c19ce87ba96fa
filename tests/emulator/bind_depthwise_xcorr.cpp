// bind_depthwise_xcorr.cpp - the kernel of csrc/depthwise_xcorr, through the op's own launch.
#include "binding.h"
#include "depthwise_xcorr/depthwise_xcorr.cuh"

namespace {

using namespace reidops::depthwise_xcorr;
using reidops::Strides;
using reidops::emulator::Array;
using reidops::emulator::GlobalMemory;
namespace py = pybind11;

template <class T>
int64_t stride(const Array<T>& array, int axis) {
  return array.shape(axis) == 1 ? 0 : array.strides(axis) / static_cast<py::ssize_t>(sizeof(T));
}
template <class T>
Strides strides_of(const Array<T>& array) {
  const auto one = [&](int axis) { return array.strides(axis) / static_cast<py::ssize_t>(sizeof(T)); };
  return {one(2), one(3), one(4)};
}

// search (A, B, C, H, W) and template (A, B, C, kh, kw), any strides, A and B broadcasting -> (A, B, C, h, w), or
// (1, B, C, h, w) where `summed`.  `enough` blocks: fewer make more outputs each.
template <class T>
Array<T> correlate(const Array<T>& search, const Array<T>& templ, int64_t top, int64_t left, py::ssize_t h,
                   py::ssize_t w, bool turned, bool summed, int64_t enough) {
  GlobalMemory memory;
  const auto both = [&](int axis) { return search.shape(axis) == 1 ? templ.shape(axis) : search.shape(axis); };
  const py::ssize_t A = both(0), B = both(1);
  Array<T> out = memory.output<T>({summed ? 1 : A, B, search.shape(2), h, w});
  Problem<T> p{};
  p.search = memory.input(search);
  p.templ = memory.input(templ);
  p.out = memory.data(out);
  (summed ? p.sums : p.outputs).add(A, {stride(search, 0), stride(templ, 0), summed ? 0 : stride(out, 0)});
  p.outputs.add(B, {stride(search, 1), stride(templ, 1), stride(out, 1)});
  p.C = search.shape(2), p.H = search.shape(3), p.W = search.shape(4);
  p.kh = templ.shape(3), p.kw = templ.shape(4);
  p.h = h, p.w = w, p.top = top, p.left = left;
  p.of_search = strides_of(search), p.of_template = strides_of(templ), p.of_out = strides_of(out);
  p.turned = turned;
  launch_xcorr(p, nullptr, enough);
  return out;
}

template <class T>
void define(py::module_& module) {
  module.def("correlate", &correlate<T>, py::arg("search").noconvert(), py::arg("templ").noconvert(), py::arg("top"),
             py::arg("left"), py::arg("h"), py::arg("w"), py::arg("turned") = false, py::arg("summed") = false,
             py::arg("enough") = kEnoughBlocks);
}

}  // namespace

PYBIND11_MODULE(bind_depthwise_xcorr, module) {
  reidops::emulator::bind_emulator(module);
  define<float>(module);
  define<double>(module);
}
