// sparse_reconstruct_arrays.h - a problem of csrc/sparse_reconstruct from numpy arrays, and its answers to them.
#pragma once

#include "binding.h"
#include "sparse_reconstruct/sparse_reconstruct.cuh"

namespace reidops::emulator {

template <class T>
py::ssize_t stride(const Array<T>& array, int axis) {
  return array.strides(axis) / static_cast<py::ssize_t>(sizeof(T));
}

// gram (G, M, M rounded up to 4), contiguous; correlation (R, G, M), columns (R, G, d), atoms (G, M, d), the last
// dimension of each contiguous; energy (R, G); columns and atoms of no elements where there is no data.
// `launch` is called as launch_sparse_reconstruct is.
template <class T, class Launch>
py::tuple solve(Launch launch, const Array<T>& gram, const Array<T>& correlation, const Array<T>& energy,
                const Array<T>& columns, const Array<T>& atoms, double beta, double tolerance, int max_iterations,
                int solver, bool return_coefficients) {
  using namespace sparse_reconstruct;
  const py::ssize_t R = correlation.shape(0), G = correlation.shape(1), M = correlation.shape(2);
  const bool data = columns.size() > 0;
  GlobalMemory memory;
  Array<T> error = memory.output<T>({R, G}), gap = memory.output<T>({R, G});
  Array<T> coefficients = memory.output<T>({R, G, return_coefficients ? M : 0});
  const Problem<T> problem{
      .gram = memory.input(gram),
      .correlation = memory.input(correlation),
      .energy = memory.input(energy),
      .columns = data ? memory.input(columns) : nullptr,
      .atoms = data ? memory.input(atoms) : nullptr,
      .index = nullptr,
      .columns_storage = Storage::kSame,
      .atoms_storage = Storage::kSame,
      .correlation_stride = {stride(correlation, 0), stride(correlation, 1)},
      .energy_stride = {stride(energy, 0), stride(energy, 1)},
      .columns_stride = {data ? stride(columns, 0) : 0, data ? stride(columns, 1) : 0, 1},
      .atoms_stride = {data ? stride(atoms, 0) : 0, data ? stride(atoms, 1) : 0, 1},
      .R = R,
      .G = G,
      .M = M,
      .d = data ? columns.shape(2) : 0,
      .beta = static_cast<T>(beta),
      .tolerance = static_cast<T>(tolerance),
      .max_iterations = max_iterations,
      .solver = static_cast<Solver>(solver),
      .error = memory.data(error),
      .gap = memory.data(gap),
      .coefficients = return_coefficients ? memory.data(coefficients) : nullptr,
  };
  Array<T> workspace = memory.output<T>({memory_needed(problem)});
  launch(problem, gram.shape(2), memory.data(workspace), nullptr);
  return py::make_tuple(error, gap, coefficients);
}

template <class T, class Launch>
void define_solve(py::module_& module, Launch launch) {
  module.def(
      "solve",
      [=](const Array<T>& gram, const Array<T>& correlation, const Array<T>& energy, const Array<T>& columns,
          const Array<T>& atoms, double beta, double tolerance, int max_iterations, int solver,
          bool return_coefficients) {
        return solve<T>(launch, gram, correlation, energy, columns, atoms, beta, tolerance, max_iterations, solver,
                        return_coefficients);
      },
      py::arg("gram").noconvert(), py::arg("correlation").noconvert(), py::arg("energy").noconvert(),
      py::arg("columns").noconvert(), py::arg("atoms").noconvert(), py::kw_only(), py::arg("beta"),
      py::arg("tolerance"), py::arg("max_iterations"), py::arg("solver"), py::arg("return_coefficients"));
}

}  // namespace reidops::emulator
