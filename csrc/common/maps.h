// maps.h - tensors of feature maps (*B, C, H, W): their layout, new ones, and dispatch over their dtypes.
#pragma once

#include <algorithm>
#include <vector>

#include "half.h"
#include "tensor.h"

namespace reidops {

inline bool is_channels_last(const Tensor& maps) {
  const int64_t n = maps.dim();
  return maps.size(n - 3) > 1 && maps.stride(n - 3) == 1 && maps.stride(n - 1) != 1;
}

// Elements from a channel, a row and a column to the next.  Along a dimension of one element a tensor's stride may be
// any number; here it is what it would be were the dimensions inside it all there is, so that no kernel multiplies a
// meaningless one.  (The others times their size stay below what the tensor's memory holds, twice over.)
inline Strides strides_of(const Tensor& maps) {
  const int64_t n = maps.dim(), C = maps.size(n - 3), H = maps.size(n - 2), W = maps.size(n - 1);
  if (maps.numel() == 0) return {0, 0, 0};
  const int64_t column = W == 1 ? 1 : maps.stride(n - 1), row = H == 1 ? W * column : maps.stride(n - 2);
  return {C == 1 ? H * row : maps.stride(n - 3), row, column};
}

// A new tensor (*batch, C, h, w), contiguous, or with the channels innermost.
inline Tensor new_maps(const Tensor& like, std::vector<int64_t> sizes, bool channels_last) {
  const int64_t n = sizes.size();
  if (channels_last) std::rotate(sizes.begin() + n - 3, sizes.begin() + n - 2, sizes.end());
  const Tensor made = torch::stable::new_empty(like, sizes);
  return channels_last ? torch::stable::transpose(torch::stable::transpose(made, n - 1, n - 2), n - 2, n - 3) : made;
}

inline std::vector<int64_t> with_maps(std::vector<int64_t> batch, int64_t channels, int64_t height, int64_t width) {
  batch.insert(batch.end(), {channels, height, width});
  return batch;
}

// Calls `body(S())` with S the storage type of a dtype.
template <class Body>
void dispatch_storage(ScalarType dtype, const char* op, const char* argument, Body&& body) {
  switch (dtype) {
    case ScalarType::Float: return body(float());
    case ScalarType::Double: return body(double());
    case ScalarType::Half: return body(Half());
    case ScalarType::BFloat16: return body(BFloat16());
    default:
      STD_TORCH_CHECK(false, op, ": ", argument, ": expected float32, float64, float16 or bfloat16, got ",
                      torch::headeronly::toString(dtype));
  }
}

}  // namespace reidops
