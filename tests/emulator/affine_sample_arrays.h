// affine_sample_arrays.h - a problem of csrc/affine_sample from numpy arrays, through the op's own launches.
#pragma once

#include "affine_sample/affine_sample.cuh"
#include "binding.h"

namespace reidops::emulator {

using namespace affine_sample;

struct Options {
  int64_t h, w;
  int mode, padding;
  bool align_corners, channels_last;
};

template <class T>
py::ssize_t stride(const Array<T>& array, int axis) {
  return array.strides(axis) / static_cast<py::ssize_t>(sizeof(T));
}

// input (P, C, H, W), any strides; theta (P, K, 2, 3), contiguous.
template <class T, class S = T>
Problem<S> problem_of(GlobalMemory& memory, const Array<T>& input, const Array<T>& theta, const Options& options) {
  const int64_t P = input.shape(0), K = theta.shape(1);
  Problem<S> problem{};
  problem.input = reinterpret_cast<const S*>(memory.input(input));
  problem.theta = reinterpret_cast<const S*>(memory.input(theta));
  problem.images.add(P, {.image = stride(input, 0), .theta = 6 * K, .sample = K, .number = 1});
  problem.repeats.add(K, {.image = 0, .theta = 6, .sample = 1, .number = 0});
  problem.C = input.shape(1), problem.H = input.shape(2), problem.W = input.shape(3);
  problem.h = options.h, problem.w = options.w;
  problem.channel_stride = stride(input, 1);
  problem.row_stride = stride(input, 2);
  problem.column_stride = stride(input, 3);
  problem.channels_last = options.channels_last;
  problem.align_corners = options.align_corners;
  problem.mode = static_cast<Mode>(options.mode);
  problem.padding = static_cast<Padding>(options.padding);
  return problem;
}

// (P, K, C, h, w), or (P, K, h, w, C). `enough` blocks: fewer give a thread more to do.  S: what T's bits are.
template <class T, class S = T>
Array<T> forward(const Array<T>& input, const Array<T>& theta, const Options& options, int64_t enough) {
  GlobalMemory memory;
  Problem<S> problem = problem_of<T, S>(memory, input, theta, options);
  const py::ssize_t P = input.shape(0), C = input.shape(1), K = theta.shape(1), h = options.h, w = options.w;
  Array<T> output = options.channels_last ? memory.output<T>({P, K, h, w, C}) : memory.output<T>({P, K, C, h, w});
  problem.output = reinterpret_cast<S*>(memory.data(output));
  launch_forward(problem, nullptr, enough);
  return output;
}

// grad as forward's output -> of input (P, C, H, W) or (P, H, W, C), of theta (P, K, slices, 6).
template <class T>
py::tuple backward(const Array<T>& grad, const Array<T>& input, const Array<T>& theta, const Options& options) {
  GlobalMemory memory;
  Problem<T> problem = problem_of<T>(memory, input, theta, options);
  const py::ssize_t P = input.shape(0), C = input.shape(1), H = input.shape(2), W = input.shape(3), K = theta.shape(1);
  Array<T> of_input = options.channels_last ? memory.output<T>({P, H, W, C}) : memory.output<T>({P, C, H, W});
  Array<T> of_theta = memory.output<T>({P, K, static_cast<py::ssize_t>(slices(problem)), 6});
  problem.grad_output = memory.input(grad);
  problem.grad_input = memory.data(of_input);
  problem.grad_theta = memory.data(of_theta);
  launch_input(problem, nullptr);
  if (problem.mode == Mode::kBilinear) launch_theta(problem, nullptr);
  return py::make_tuple(of_input, of_theta);
}

inline void bind_options(py::module_& module) {
  py::class_<Options>(module, "Options", py::module_local())
      .def(py::init<int64_t, int64_t, int, int, bool, bool>(), py::arg("h"), py::arg("w"), py::arg("mode"),
           py::arg("padding"), py::arg("align_corners"), py::arg("channels_last"));
}

template <class T, class S = T>
void bind_forward(py::module_& module) {
  module.def("forward", &forward<T, S>, py::arg("input").noconvert(), py::arg("theta").noconvert(), py::arg("options"),
             py::arg("enough") = kEnoughBlocks);
}

template <class T>
void bind_backward(py::module_& module) {
  module.def("backward", &backward<T>, py::arg("grad").noconvert(), py::arg("input").noconvert(),
             py::arg("theta").noconvert(), py::arg("options"));
}

}  // namespace reidops::emulator
