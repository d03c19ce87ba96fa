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

// A call whose output is still to be made; `op` is named in errors.
inline Call check_call(const Tensor& search, const Tensor& templ, int64_t top, int64_t left, int64_t h, int64_t w,
                       bool turned, std::vector<int64_t> batch, const char* op = kOp) {
  const auto shape = [](const Tensor& maps) { return shape_string(maps.sizes()); };
  STD_TORCH_CHECK(search.dim() >= 3, op, ": search: expected shape (*B, C, H, W), got ", shape(search));
  STD_TORCH_CHECK(templ.dim() >= 3, op, ": template: expected shape (*B, C, kh, kw), got ", shape(templ));
  const int64_t n = search.dim(), m = templ.dim(), dims = std::max(n, m) - 3;
  STD_TORCH_CHECK(dims <= kMostBatchDims, op, ": search, template: expected at most ", kMostBatchDims,
                  " batch dimensions, got ", dims);
  STD_TORCH_CHECK(templ.size(m - 3) == search.size(n - 3), op, ": template: expected search's ", search.size(n - 3),
                  " channels, got ", shape(templ));
  STD_TORCH_CHECK(templ.scalar_type() == search.scalar_type(), op, ": template: expected search's dtype ",
                  torch::headeronly::toString(search.scalar_type()), ", got ",
                  torch::headeronly::toString(templ.scalar_type()));
  STD_TORCH_CHECK(templ.device() == search.device(), op, ": template: expected the device of search");
  STD_TORCH_CHECK(int64_t(batch.size()) <= dims, op, ": batch: expected at most ", dims, " dimensions, got ",
                  batch.size());
  // Rows, columns and channels are counted in 32 bits on a GPU, and 2^31 is far from where a sum of two of them and a
  // margin leaves 64 bits.
  const auto counted = [op](const char* argument, const char* what, int64_t number, int64_t least) {
    STD_TORCH_CHECK(least <= number && number <= kMostOfADimension, op, ": ", argument, ": expected ", what, " from ",
                    least, " to ", kMostOfADimension, ", got ", number);
  };
  counted("search", "channels", search.size(n - 3), 0);
  counted("search", "rows", search.size(n - 2), 1);
  counted("search", "columns", search.size(n - 1), 1);
  counted("template", "rows", templ.size(m - 2), 1);
  counted("template", "columns", templ.size(m - 1), 1);
  counted("h", "rows", h, 1);
  counted("w", "columns", w, 1);
  counted("top", "a margin", top, -kMostOfADimension);
  counted("left", "a margin", left, -kMostOfADimension);
  Call call{search, templ, top, left, h, w, turned, batch, {}};
  std::vector<int64_t> sums;  // products that are added up
  for (int64_t d = 0; d < dims; ++d) {
    const int64_t a = size_of(search, d), b = size_of(templ, d);
    const int64_t out = d < int64_t(batch.size()) ? batch[batch.size() - 1 - d] : 1;
    STD_TORCH_CHECK(a == b || a == 1 || b == 1, op,
                    ": template: expected batch dimensions that broadcast with those of search ", shape(search),
                    ", got ", shape(templ));
    STD_TORCH_CHECK(out == 1 || out == (a == 1 ? b : a), op, ": batch: expected the broadcast dimensions, or 1, got ",
                    shape_string(batch));
    sums.push_back(a == 1 ? b : a);
  }
  // The CPU kernel lays out a map with its margins, the taps and an output for each thread (correlator.h), and counts
  // all maps whose products are summed.
  constexpr int64_t kMostLanes = 16;
  check_product(op, "search, w", "elements laid out", {search.size(n - 2), w + templ.size(m - 1), kMostLanes});
  check_product(op, "search", "elements laid out", {search.size(n - 2), search.size(n - 1), kMostLanes});
  check_product(op, "template", "elements laid out", {templ.size(m - 2), templ.size(m - 1), kMostLanes});
  check_product(op, "h, w", "elements laid out", {h, w, kMostLanes});
  check_product(op, "search, template", "pairs of maps", sums);
  check_product(op, "batch, h, w", "elements of the output", with_maps(batch, search.size(n - 3), h, w));
  check_memory(op, "search", search);
  check_memory(op, "template", templ);
  return call;
}

}  // namespace reidops::depthwise_xcorr
