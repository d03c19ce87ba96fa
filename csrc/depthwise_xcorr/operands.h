// operands.h - the operator's arguments, checked, and the problem that they make for the kernels: CPU and CUDA alike.
#pragma once

#include <algorithm>
#include <vector>

#include "../common/maps.h"
#include "problem.h"

namespace reidops::depthwise_xcorr {

constexpr const char* kOp = "depthwise_xcorr";

// A dimension of a tensor's batch, counted from the last; 1 and 0 where it has none, or one that broadcasts.
inline int64_t size_of(const Tensor& maps, int64_t d) { return d < maps.dim() - 3 ? maps.size(maps.dim() - 4 - d) : 1; }
inline int64_t stride_of(const Tensor& maps, int64_t d) {
  return size_of(maps, d) == 1 ? 0 : maps.stride(maps.dim() - 4 - d);
}
inline Strides strides_of(const Tensor& maps) {
  const int64_t n = maps.dim();
  return {maps.stride(n - 3), maps.stride(n - 2), maps.stride(n - 1)};
}

struct Call {
  Tensor search, templ;
  int64_t top, left, h, w;
  bool turned;
  std::vector<int64_t> batch;
  Tensor output;

  void new_output() {
    const bool channels_last = is_channels_last(search);
    output = new_maps(search, with_maps(batch, search.size(search.dim() - 3), h, w), channels_last);
  }

  template <class S>
  Problem<S> problem() const {
    const int64_t n = search.dim(), m = templ.dim();
    Problem<S> p{.search = static_cast<const S*>(search.const_data_ptr()),
                 .templ = static_cast<const S*>(templ.const_data_ptr()),
                 .out = static_cast<S*>(output.mutable_data_ptr()),
                 .outputs = {},
                 .sums = {},
                 .C = search.size(n - 3),
                 .H = search.size(n - 2),
                 .W = search.size(n - 1),
                 .kh = templ.size(m - 2),
                 .kw = templ.size(m - 1),
                 .h = h,
                 .w = w,
                 .top = top,
                 .left = left,
                 .of_search = strides_of(search),
                 .of_template = strides_of(templ),
                 .of_out = strides_of(output),
                 .turned = turned};
    for (int64_t d = std::max(n, m) - 4; d >= 0; --d) {
      const int64_t count = std::max(size_of(search, d), size_of(templ, d));
      const bool empty = size_of(search, d) == 0 || size_of(templ, d) == 0;
      const Place step{stride_of(search, d), stride_of(templ, d), stride_of(output, d)};
      if (count == 1 && !empty) continue;
      const bool kept = size_of(output, d) == count && !empty;
      (kept || size_of(output, d) == 0 ? p.outputs : p.sums).add(empty ? 0 : count, step);
    }
    return p;
  }
};

// A call whose output is still to be made.
inline Call check_call(const Tensor& search, const Tensor& templ, int64_t top, int64_t left, int64_t h, int64_t w,
                       bool turned, std::vector<int64_t> batch) {
  const auto shape = [](const Tensor& maps) { return shape_string(maps.sizes()); };
  STD_TORCH_CHECK(search.dim() >= 3, kOp, ": search: expected shape (*B, C, H, W), got ", shape(search));
  STD_TORCH_CHECK(templ.dim() >= 3, kOp, ": template: expected shape (*B, C, kh, kw), got ", shape(templ));
  const int64_t n = search.dim(), m = templ.dim(), dims = std::max(n, m) - 3;
  STD_TORCH_CHECK(dims <= Walk::kMostDims, kOp, ": search, template: expected at most ", Walk::kMostDims,
                  " batch dimensions, got ", dims);
  STD_TORCH_CHECK(templ.size(m - 3) == search.size(n - 3), kOp, ": template: expected search's ", search.size(n - 3),
                  " channels, got ", shape(templ));
  STD_TORCH_CHECK(templ.scalar_type() == search.scalar_type(), kOp, ": template: expected search's dtype ",
                  torch::headeronly::toString(search.scalar_type()), ", got ",
                  torch::headeronly::toString(templ.scalar_type()));
  STD_TORCH_CHECK(templ.device() == search.device(), kOp, ": template: expected the device of search");
  STD_TORCH_CHECK(search.size(n - 2) > 0 && search.size(n - 1) > 0, kOp,
                  ": search: expected maps of at least one pixel, got ", shape(search));
  STD_TORCH_CHECK(templ.size(m - 2) > 0 && templ.size(m - 1) > 0, kOp,
                  ": template: expected at least one element, got ", shape(templ));
  STD_TORCH_CHECK(h > 0 && w > 0, kOp, ": h, w: expected positive numbers, got ", h, " and ", w);
  STD_TORCH_CHECK(int64_t(batch.size()) <= dims, kOp, ": batch: expected at most ", dims, " dimensions, got ",
                  batch.size());
  Call call{search, templ, top, left, h, w, turned, batch, {}};
  for (int64_t d = 0; d < dims; ++d) {
    const int64_t a = size_of(search, d), b = size_of(templ, d);
    const int64_t out = d < int64_t(batch.size()) ? batch[batch.size() - 1 - d] : 1;
    STD_TORCH_CHECK(a == b || a == 1 || b == 1, kOp,
                    ": template: expected batch dimensions that broadcast with those of search ", shape(search),
                    ", got ", shape(templ));
    STD_TORCH_CHECK(out == 1 || out == (a == 1 ? b : a), kOp, ": batch: expected the broadcast dimensions, or 1, got ",
                    shape_string(batch));
  }
  return call;
}

}  // namespace reidops::depthwise_xcorr
