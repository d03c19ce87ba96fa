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
// (1, B, C, h, w) where `summed`.
struct Shape {
  int64_t top, left;
  py::ssize_t h, w;
  bool turned, summed;
};

py::tuple tuple(const Sweep& sweep) { return py::make_tuple(sweep.channels, sweep.rows, sweep.columns); }

// The problem, but for where its tensors are.
template <class S, class T>
Problem<S> problem(const Array<T>& search, const Array<T>& templ, const Array<T>& out, const Shape& shape) {
  Problem<S> p{};
  const auto both = [&](int axis) { return search.shape(axis) == 1 ? templ.shape(axis) : search.shape(axis); };
  (shape.summed ? p.sums : p.outputs)
      .add(both(0), {stride(search, 0), stride(templ, 0), shape.summed ? 0 : stride(out, 0)});
  p.outputs.add(both(1), {stride(search, 1), stride(templ, 1), stride(out, 1)});
  p.C = search.shape(2), p.H = search.shape(3), p.W = search.shape(4);
  p.kh = templ.shape(3), p.kw = templ.shape(4);
  p.h = shape.h, p.w = shape.w, p.top = shape.top, p.left = shape.left;
  p.of_search = strides_of(search), p.of_template = strides_of(templ), p.of_out = strides_of(out);
  p.turned = shape.turned;
  return p;
}

template <class T>
std::vector<py::ssize_t> shape_of_output(const Array<T>& search, const Array<T>& templ, const Shape& shape) {
  const auto both = [&](int axis) { return search.shape(axis) == 1 ? templ.shape(axis) : search.shape(axis); };
  return {shape.summed ? 1 : both(0), both(1), search.shape(2), shape.h, shape.w};
}

// `S` is how T lies in memory.  `enough` blocks: fewer make more outputs each.  `most` blocks a launch.
template <class S, class T>
Array<T> correlate(const Array<T>& search, const Array<T>& templ, int64_t top, int64_t left, py::ssize_t h,
                   py::ssize_t w, bool turned, bool summed, int64_t enough, int64_t most) {
  const Shape shape{top, left, h, w, turned, summed};
  GlobalMemory memory;
  Array<T> out = memory.output<T>(shape_of_output(search, templ, shape));
  Problem<S> p = problem<S>(search, templ, out, shape);
  p.search = reinterpret_cast<const S*>(memory.input(search));
  p.templ = reinterpret_cast<const S*>(memory.input(templ));
  p.out = reinterpret_cast<S*>(memory.data(out));
  launch_xcorr(p, nullptr, enough, most);
  return out;
}

// How the same call is cut into blocks.
template <class S, class T>
py::dict tiling(const Array<T>& search, const Array<T>& templ, int64_t top, int64_t left, py::ssize_t h, py::ssize_t w,
                bool turned, bool summed, int64_t enough) {
  const Shape shape{top, left, h, w, turned, summed};
  const Array<T> out(shape_of_output(search, templ, shape));
  const Tiling s = Tiling::of(problem<S>(search, templ, out, shape), enough);
  using namespace py::literals;
  return py::dict("square"_a = s.square, "parts"_a = s.parts, "rows"_a = s.rows, "lanes"_a = s.lanes, "pairs"_a = s.pairs,
                  "channels"_a = s.channels, "groups"_a = s.groups, "taps_h"_a = s.taps_h, "taps_w"_a = s.taps_w,
                  "map_h"_a = s.map_h, "map_w"_a = s.map_w, "vector"_a = s.vector, "buffers"_a = s.buffers,
                  "tile_rows"_a = s.tile_rows, "tile_columns"_a = s.tile_columns, "chunks"_a = s.chunks,
                  "together"_a = s.together, "blocks"_a = s.blocks, "wide"_a = s.wide,
                  "shared_bytes"_a = s.shared_bytes<typename Problem<S>::T>(), "map_sweep"_a = tuple(s.map_sweep),
                  "taps_sweep"_a = tuple(s.taps_sweep));
}

template <class S, class T>
void define(py::module_& module) {
  const auto search = py::arg("search").noconvert(), templ = py::arg("templ").noconvert();
  module.def("correlate", &correlate<S, T>, search, templ, py::arg("top"), py::arg("left"), py::arg("h"), py::arg("w"),
             py::arg("turned") = false, py::arg("summed") = false, py::arg("enough") = kEnoughBlocks,
             py::arg("most") = kMostBlocks);
  module.def("tiling", &tiling<S, T>, search, templ, py::arg("top"), py::arg("left"), py::arg("h"), py::arg("w"),
             py::arg("turned") = false, py::arg("summed") = false, py::arg("enough") = kEnoughBlocks);
}

}  // namespace

PYBIND11_MODULE(bind_depthwise_xcorr, module) {
  reidops::emulator::bind_emulator(module);
  define<float, float>(module);
  define<double, double>(module);
  define<reidops::Half, std::uint16_t>(module);  // the bits of float16
}
