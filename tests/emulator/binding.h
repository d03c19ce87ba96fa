// binding.h - gives an emulated kernel to Python: numpy arrays in, a launch, numpy arrays out.
//
// A binding file is a pybind11 module of the file's own name, and begins its module with bind_emulator():
//
//     #include "binding.h"
//     #include "my_op/my_op.cuh"
//     using namespace reidops::emulator;
//
//     template <class T>
//     Array<T> my_op(const Array<T>& x) {
//       GlobalMemory memory;                             // what the kernel may touch, for as long as this lives
//       Array<T> y = memory.output<T>({x.shape(0)});     // starts as NaN
//       reidops::my_op::launch_my_op(memory.input(x), memory.data(y), x.shape(0), nullptr);
//       return y;
//     }
//
//     PYBIND11_MODULE(bind_my_op, module) {
//       bind_emulator(module);
//       module.def("my_op", &my_op<float>, py::arg("x").noconvert());
//       module.def("my_op", &my_op<double>, py::arg("x").noconvert());
//     }
#pragma once

#include <pybind11/numpy.h>  // before the words of CUDA become macros
#include <pybind11/pybind11.h>

#include <cstring>
#include <vector>

#include "common/launch.h"

namespace reidops::emulator {

namespace py = pybind11;

// Any strides.  Bind arguments with noconvert(), or float64 is quietly copied into a float32 overload.
template <class T>
using Array = py::array_t<T, 0>;

// The arrays that a launch may touch: the race build reports any access beyond them, and writes to inputs.
class GlobalMemory {
 public:
  GlobalMemory() { buffers.clear(); }
  ~GlobalMemory() { buffers.clear(); }
  GlobalMemory(const GlobalMemory&) = delete;
  GlobalMemory& operator=(const GlobalMemory&) = delete;

  template <class T>
  const T* input(const Array<T>& array) {
    admit(array, false);
    return array.data();
  }

  // An array the kernel both reads and writes, such as one that it adds to.
  template <class T>
  T* in_out(Array<T>& array) {
    admit(array, true);
    return array.mutable_data();
  }

  // A new array, contiguous, of poison: what the kernel forgets to write is NaN or -1.
  template <class T>
  Array<T> output(std::vector<py::ssize_t> shape) {
    Array<T> array(std::move(shape));
    std::memset(array.mutable_data(), kPoison, array.nbytes());
    admit(array, true);
    return array;
  }

  template <class T>
  T* data(Array<T>& array) {
    return array.mutable_data();
  }

 private:
  // From the first to the last element, whatever the strides.
  static Range extent(const py::array& array) {
    const char* begin = static_cast<const char*>(array.data());
    if (array.size() == 0) return {begin, begin};
    const char* end = begin + array.itemsize();
    for (py::ssize_t axis = 0; axis < array.ndim(); ++axis) {
      const py::ssize_t reach = (array.shape(axis) - 1) * array.strides(axis);
      (reach < 0 ? begin : end) += reach;
    }
    return {begin, end};
  }

  static void admit(const py::array& array, bool writable) { buffers.push_back({extent(array), writable}); }
};

// Gives a module configure(seed, strict_exit, shared_kilobytes), run_by(), and the exception EmulatorError.
inline void bind_emulator(py::module_& module) {
  py::register_local_exception<Error>(module, "EmulatorError", PyExc_RuntimeError);
  module.def(
      "configure",
      [](std::uint64_t seed, bool strict_exit, bool count_banks, unsigned shared_kilobytes) {
        config = {.seed = seed, .strict_exit = strict_exit, .count_banks = count_banks,
                  .shared_kilobytes = shared_kilobytes};
      },
      "Set the order of blocks and threads (0 ascending, 1 descending, others random), and the dynamic shared memory "
      "that a block may have, for the launches to come; and have the race build count wavefronts.",
      py::kw_only(), py::arg("seed") = 0, py::arg("strict_exit") = true, py::arg("count_banks") = false,
      py::arg("shared_kilobytes") = default_shared_kilobytes());
  module.def(
      "run_by",
      [](py::object function) {
        run_elsewhere = nullptr;
        if (function.is_none()) return;
        run_elsewhere = [function](const Request& request) {
          const auto size = [](dim3 of) { return py::make_tuple(of.x, of.y, of.z); };
          py::list ranges;
          for (const Buffer& buffer : buffers)
            ranges.append(py::make_tuple(reinterpret_cast<std::uintptr_t>(buffer.range.begin),
                                         reinterpret_cast<std::uintptr_t>(buffer.range.end), buffer.writable));
          function(request.kernel, size(request.grid), size(request.block), request.shared_bytes,
                   py::bytes(request.parameters.data(), request.parameters.size()), ranges);
        };
      },
      "Give launches to function(kernel, grid, block, shared_bytes, parameters, ranges) in place of the emulator, or, "
      "with None, to the emulator again. `kernel` is a place in the module's library; `ranges` are begin, end and "
      "whether it may be written, of each array.",
      py::arg("function").none(true));
  module.def(
      "wavefronts",
      [] {
        py::list rows;
        for (const auto& [key, count] : bank_counter.totals()) {
          const auto& [place, bytes, write] = key;
          rows.append(py::make_tuple(place, bytes, write, count.accesses, count.wavefronts, count.fewest));
        }
        return rows;
      },
      "Of the last launch, for each line that accesses shared memory: line, bytes a lane, whether it writes, accesses by "
      "warps, wavefronts, and how few there could be.");
}

}  // namespace reidops::emulator
