// projected_xcorr_arrays.h - numpy arrays through the launch of csrc/projected_xcorr, for its bindings.
#pragma once

#include "binding.h"
#include "projected_xcorr/projected_xcorr.cuh"

namespace reidops::emulator {

using namespace reidops::projected_xcorr;

template <class T>
int64_t stride(const Array<T>& array, int axis) {
  return array.strides(axis) / static_cast<py::ssize_t>(sizeof(T));
}
template <class T>
int64_t broadcasting_stride(const Array<T>& array, int axis) {
  return array.shape(axis) == 1 ? 0 : stride(array, axis);
}

// search (A, B, C, H, W) and template (A, B, T, C, kh, kw), any strides, A and B broadcasting, weight (C, T, O),
// contiguous -> (A, B, O, h, w), or (A, B, O, ceil(h / 2), ceil(w / 2)).  N is how numpy holds S: a half's bits.
template <class S, class N>
Array<N> project(const Array<N>& search, const Array<N>& templ, const Array<N>& weight, int64_t top, int64_t left,
                 py::ssize_t h, py::ssize_t w, bool pooled, int64_t enough) {
  static_assert(sizeof(S) == sizeof(N));
  GlobalMemory memory;
  const auto both = [&](int axis) { return search.shape(axis) == 1 ? templ.shape(axis) : search.shape(axis); };
  const py::ssize_t A = both(0), B = both(1);
  Problem<S> p{};
  p.O = weight.shape(2), p.templates = templ.shape(2), p.template_step = stride(templ, 2), p.pooled = pooled;
  p.ph = pooled ? (h + 1) / 2 : h, p.pw = pooled ? (w + 1) / 2 : w;
  Array<N> out = memory.output<N>({A, B, p.O, p.ph, p.pw});
  p.weight = reinterpret_cast<const S*>(memory.input(weight));
  auto& maps = p.maps;
  maps.search = reinterpret_cast<const S*>(memory.input(search));
  maps.templ = reinterpret_cast<const S*>(memory.input(templ));
  maps.out = reinterpret_cast<S*>(memory.data(out));
  for (int axis = 0; axis < 2; ++axis)
    maps.outputs.add(both(axis), {broadcasting_stride(search, axis), broadcasting_stride(templ, axis),
                                  broadcasting_stride(out, axis)});
  maps.C = search.shape(2), maps.H = search.shape(3), maps.W = search.shape(4);
  maps.kh = templ.shape(4), maps.kw = templ.shape(5);
  maps.h = h, maps.w = w, maps.top = top, maps.left = left;
  maps.of_search = Strides{stride(search, 2), stride(search, 3), stride(search, 4)};
  maps.of_template = Strides{stride(templ, 3), stride(templ, 4), stride(templ, 5)};
  launch_projection(p, nullptr, enough);
  return out;
}

template <class S, class N>
void define(py::module_& module, const char* name) {
  module.def(name, &project<S, N>, py::arg("search").noconvert(), py::arg("templ").noconvert(),
             py::arg("weight").noconvert(), py::arg("top"), py::arg("left"), py::arg("h"), py::arg("w"),
             py::arg("pooled") = false, py::arg("enough") = kEnoughBlocks);
}

}  // namespace reidops::emulator
