// bind_projected_xcorr.cpp - the kernel of csrc/projected_xcorr, through the op's own launch.
#include "binding.h"
#include "projected_xcorr/projected_xcorr.cuh"

namespace {

using namespace reidops::projected_xcorr;
using reidops::BFloat16;
using reidops::Half;
using reidops::Strides;
using reidops::emulator::Array;
using reidops::emulator::GlobalMemory;
namespace py = pybind11;

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

// What Tiling::of makes of a pair: for tests that want to know that a case is what its name says.
py::dict tiling(int64_t pairs, int64_t channels, int64_t h, int64_t w, int64_t kh, int64_t kw, int64_t templates,
                int64_t outputs, bool pooled, int64_t enough) {
  Problem<float> p{};
  p.maps.outputs.add(pairs, {});
  p.maps.C = channels, p.maps.h = h, p.maps.w = w, p.maps.kh = kh, p.maps.kw = kw;
  p.O = outputs, p.templates = templates, p.pooled = pooled;
  p.ph = pooled ? (h + 1) / 2 : h, p.pw = pooled ? (w + 1) / 2 : w;
  const Tiling s = Tiling::of(p, enough);
  py::dict found;
  found["blocks"] = s.blocks;
  found["rows"] = s.rows;
  found["columns"] = s.columns;
  found["chunks"] = s.chunks;
  found["outputs"] = s.outputs;
  found["channels"] = s.channels;
  found["templates"] = s.templates;
  found["threads"] = s.threads;
  found["shared"] = s.shared_bytes<float>();
  return found;
}

template <class S, class N>
void define(py::module_& module, const char* name) {
  module.def(name, &project<S, N>, py::arg("search").noconvert(), py::arg("templ").noconvert(),
             py::arg("weight").noconvert(), py::arg("top"), py::arg("left"), py::arg("h"), py::arg("w"),
             py::arg("pooled") = false, py::arg("enough") = kEnoughBlocks);
}

}  // namespace

PYBIND11_MODULE(bind_projected_xcorr, module) {
  reidops::emulator::bind_emulator(module);
  define<float, float>(module, "project");
  define<double, double>(module, "project");
  define<Half, std::uint16_t>(module, "project_float16");
  define<BFloat16, std::uint16_t>(module, "project_bfloat16");
  module.def("tiling", &tiling, py::kw_only(), py::arg("pairs"), py::arg("channels"), py::arg("h"), py::arg("w"),
             py::arg("kh"), py::arg("kw"), py::arg("templates"), py::arg("outputs"), py::arg("pooled"),
             py::arg("enough") = kEnoughBlocks);
}
