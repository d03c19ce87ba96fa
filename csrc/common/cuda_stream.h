// cuda_stream.h - torch's current stream, for the registration of CUDA kernels.
#pragma once

#include <torch/csrc/inductor/aoti_torch/c/shim.h>

#include "launch.h"
#include "tensor.h"

namespace reidops {

inline Stream current_stream(const Tensor& tensor) {
  void* stream = nullptr;
  TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(tensor.get_device_index(), &stream));
  return static_cast<Stream>(stream);
}

}  // namespace reidops
