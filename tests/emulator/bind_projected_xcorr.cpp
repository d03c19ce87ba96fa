// bind_projected_xcorr.cpp - the kernel of csrc/projected_xcorr, through the op's own launch.
#include "projected_xcorr_arrays.h"

namespace {

using namespace reidops::projected_xcorr;
namespace py = pybind11;

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

}  // namespace

PYBIND11_MODULE(bind_projected_xcorr, module) {
  reidops::emulator::bind_emulator(module);
  reidops::emulator::define<float, float>(module, "project");
  reidops::emulator::define<double, double>(module, "project");
  module.def("tiling", &tiling, py::kw_only(), py::arg("pairs"), py::arg("channels"), py::arg("h"), py::arg("w"),
             py::arg("kh"), py::arg("kw"), py::arg("templates"), py::arg("outputs"), py::arg("pooled"),
             py::arg("enough") = kEnoughBlocks);
}
