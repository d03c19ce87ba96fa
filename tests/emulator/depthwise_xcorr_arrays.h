// depthwise_xcorr_arrays.h - numpy arrays to the problem of depthwise_xcorr, for its bindings.
#pragma once

#include "binding.h"
#include "depthwise_xcorr/depthwise_xcorr.cuh"

namespace reidops::emulator {

using namespace reidops::depthwise_xcorr;

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

inline py::tuple tuple(const Sweep& sweep) { return py::make_tuple(sweep.channels, sweep.rows, sweep.columns); }

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

// `S` is how T lies in memory.  Launch is called as launch_xcorr is: `enough` blocks, with fewer a block makes more
// outputs; `most` blocks a launch.
template <class S, class T, class Launch>
Array<T> correlate(const Array<T>& search, const Array<T>& templ, int64_t top, int64_t left, py::ssize_t h,
                   py::ssize_t w, bool turned, bool summed, int64_t enough, int64_t most) {
  const Shape shape{top, left, h, w, turned, summed};
  GlobalMemory memory;
  Array<T> out = memory.output<T>(shape_of_output(search, templ, shape));
  Problem<S> p = problem<S>(search, templ, out, shape);
  p.search = reinterpret_cast<const S*>(memory.input(search));
  p.templ = reinterpret_cast<const S*>(memory.input(templ));
  p.out = reinterpret_cast<S*>(memory.data(out));
  Launch()(p, Stream(), enough, most);
  return out;
}

// How the same call is cut into blocks.
template <class S, class T>
py::dict tiling(const Array<T>& search, const Array<T>& templ, int64_t top, int64_t left, py::ssize_t h, py::ssize_t w,
                bool turned, bool summed, int64_t enough) {
  const Shape shape{top, left, h, w, turned, summed};
  const Array<T> out(shape_of_output(search, templ, shape));
  const Problem<S> p = problem<S>(search, templ, out, shape);
  const Tiling s = Tiling::of(p, enough);
  py::dict result;
#define REIDOPS_GIVE(name) result[#name] = s.name;
  REIDOPS_GIVE(square) REIDOPS_GIVE(rows) REIDOPS_GIVE(lanes) REIDOPS_GIVE(pairs) REIDOPS_GIVE(channels)
  REIDOPS_GIVE(groups) REIDOPS_GIVE(parts) REIDOPS_GIVE(taps_h) REIDOPS_GIVE(taps_w) REIDOPS_GIVE(map_h)
  REIDOPS_GIVE(map_w) REIDOPS_GIVE(vector) REIDOPS_GIVE(linear_taps) REIDOPS_GIVE(paired) REIDOPS_GIVE(buffers)
  REIDOPS_GIVE(tile_rows) REIDOPS_GIVE(tile_columns) REIDOPS_GIVE(chunks) REIDOPS_GIVE(together)
  REIDOPS_GIVE(blocks) REIDOPS_GIVE(wide)
#undef REIDOPS_GIVE
  const auto bytes = [](const auto& value) { return py::bytes(reinterpret_cast<const char*>(&value), sizeof value); };
  result["parameters"] = py::make_tuple(bytes(p), bytes(s));
  result["threads"] = s.thread_count();
  result["shared_bytes"] = s.shared_bytes<typename Problem<S>::T>();
  result["map_sweep"] = tuple(s.map_sweep);
  result["taps_sweep"] = tuple(s.taps_sweep);
  return result;
}

// Gives a module correlate() and tiling() for a type.
template <class S, class T, class Launch>
void define(py::module_& module) {
  const auto search = py::arg("search").noconvert(), templ = py::arg("templ").noconvert();
  module.def("correlate", &correlate<S, T, Launch>, search, templ, py::arg("top"), py::arg("left"), py::arg("h"),
             py::arg("w"), py::arg("turned") = false, py::arg("summed") = false, py::arg("enough") = kEnoughBlocks,
             py::arg("most") = kMostBlocks);
  module.def("tiling", &tiling<S, T>, search, templ, py::arg("top"), py::arg("left"), py::arg("h"), py::arg("w"),
             py::arg("turned") = false, py::arg("summed") = false, py::arg("enough") = kEnoughBlocks);
}

}  // namespace reidops::emulator
