// bind_vocabulary.cpp - the kernels of vocabulary.cuh.
#include "binding.h"
#include "vocabulary.cuh"

namespace {

using namespace reidops::emulator;
namespace vocabulary = reidops::vocabulary;
using Size = py::ssize_t;

template <class T>
Array<T> shuffles(const Array<T>& x, int argument, int width) {
  GlobalMemory memory;
  Array<T> y = memory.output<T>({4, 32});
  reidops::launch(&vocabulary::shuffles<T>, dim3(1), dim3(32), 0, nullptr, memory.input(x), memory.data(y), argument,
                  width);
  return y;
}

// Kernels of one warp that take lanes by a mask.
template <class Out>
auto masked(void (*kernel)(const int*, Out*, unsigned), Size rows) {
  return [=](const Array<int>& x, unsigned mask) {
    GlobalMemory memory;
    Array<Out> y = memory.output<Out>({rows, 32});
    reidops::launch(kernel, dim3(1), dim3(32), 0, nullptr, memory.input(x), memory.data(y), mask);
    return y;
  };
}

// Kernels of one thread a number, whose result has `rows` numbers for each.
template <class In, class Out>
auto elementwise(void (*kernel)(const In*, Out*), Size rows, unsigned threads) {
  return [=](const Array<In>& x) {
    GlobalMemory memory;
    Array<Out> y = memory.output<Out>({rows, x.shape(0)});
    const auto blocks = static_cast<unsigned>(x.shape(0)) / threads;
    reidops::launch(kernel, dim3(blocks), dim3(threads), 0, nullptr, memory.input(x), memory.data(y));
    return y;
  };
}

Array<long long> ranks(std::tuple<unsigned, unsigned, unsigned> grid, std::tuple<unsigned, unsigned, unsigned> block) {
  const auto extent = std::make_from_tuple<dim3>(grid), threads = std::make_from_tuple<dim3>(block);
  GlobalMemory memory;
  Array<long long> y =
      memory.output<long long>({Size{1} * extent.x * extent.y * extent.z * threads.x * threads.y * threads.z});
  reidops::launch(&vocabulary::ranks, extent, threads, 0, nullptr, memory.data(y));
  return y;
}

Array<int> tickets(unsigned blocks, unsigned threads) {
  GlobalMemory memory;
  Array<int> y = memory.output<int>({blocks, threads}), counter = memory.output<int>({1});
  counter.mutable_at(0) = 0;
  reidops::launch(&vocabulary::tickets, dim3(blocks), dim3(threads), 0, nullptr, memory.data(counter), memory.data(y));
  return y;
}

template <class T>
Array<T> reverse(const Array<T>& x) {
  GlobalMemory memory;
  Array<T> y = memory.output<T>({x.shape(0)});
  reidops::launch(&vocabulary::reverse<T>, dim3(1), dim3(256), x.nbytes(), nullptr, memory.input(x), memory.data(y),
                  x.shape(0));
  return y;
}

float sum_vectors(const Array<float>& x) {
  GlobalMemory memory;
  Array<float> y = memory.output<float>({1});
  reidops::launch(&vocabulary::sum_vectors, dim3(1), dim3(128), 0, nullptr, memory.input(x), memory.data(y));
  return y.at(0);
}

Array<float> leave_behind(unsigned blocks) {
  GlobalMemory memory;
  Array<float> y = memory.output<float>({blocks});
  reidops::launch(&vocabulary::leave_behind, dim3(blocks), dim3(1), 0, nullptr, memory.data(y));
  return y;
}

Array<float> leave_on_stack(unsigned blocks, unsigned threads) {
  GlobalMemory memory;
  Array<float> y = memory.output<float>({blocks * threads});
  reidops::launch(&vocabulary::leave_on_stack, dim3(blocks), dim3(threads), 0, nullptr, memory.data(y));
  return y;
}

// Works in place on y, as kernels that accumulate do.
template <class T>
void atomics(const Array<T>& x, Array<T>& y) {
  GlobalMemory memory;
  reidops::launch(&vocabulary::atomics<T>, dim3(2), dim3(static_cast<unsigned>(x.shape(0)) / 2), 0, nullptr,
                  memory.input(x), memory.in_out(y));
}

template <class T>
void bind_for(py::module_& module) {
  const auto x = py::arg("x").noconvert();
  module.def("shuffles", &shuffles<T>, x, py::arg("argument"), py::arg("width") = 32);
  module.def("reverse", &reverse<T>, x);
  module.def("atomics", &atomics<T>, x, py::arg("y").noconvert());
}

}  // namespace

PYBIND11_MODULE(bind_vocabulary, module) {
  bind_emulator(module);
  bind_for<float>(module);
  bind_for<double>(module);
  bind_for<int>(module);
  bind_for<long long>(module);
  const auto x = py::arg("x").noconvert();
  module.def("votes", masked(&vocabulary::votes, 3), x, py::arg("mask"));
  module.def("reductions", masked(&vocabulary::reductions, 7), x, py::arg("mask"));
  module.def("block_votes", elementwise(&vocabulary::block_votes, 1, 96), x);
  module.def("ranks", &ranks, py::arg("grid"), py::arg("block"));
  module.def("tickets", &tickets, py::arg("blocks"), py::arg("threads"));
  module.def("sum_vectors", &sum_vectors, x);
  module.def("leave_behind", &leave_behind, py::arg("blocks"));
  module.def("leave_on_stack", &leave_on_stack, py::arg("blocks"), py::arg("threads"));
  module.def("trap_at_nan", elementwise(&vocabulary::trap_at_nan, 1, 8), x);
  module.def("arithmetic", elementwise(&vocabulary::arithmetic, 10, 8), x);
  module.def("bit_counts", elementwise(&vocabulary::bit_counts, 5, 8), x);
}
