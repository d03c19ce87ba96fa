// tensor.h - what the registration of a kernel needs of torch, through its stable ABI: contiguity, optional operands,
// dtype dispatch and checks.  The only header here that includes torch's; kernels see pointers, sizes and strides.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <new>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include "sizes.h"

namespace reidops {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

// `tensor` itself where its innermost elements lie side by side, else a contiguous copy.  Outer strides are free (zero
// where a dimension is expanded), so that broadcasting costs no copy.
inline Tensor rows_contiguous(const Tensor& tensor) {
  const int64_t last = tensor.dim() - 1;
  const bool dense = last < 0 || tensor.size(last) <= 1 || tensor.stride(last) == 1;
  return dense ? tensor : torch::stable::contiguous(tensor);
}

inline std::optional<Tensor> rows_contiguous(const std::optional<Tensor>& tensor) {
  if (!tensor.has_value()) return std::nullopt;
  return rows_contiguous(*tensor);
}

// Along a dimension of one element a tensor's stride may be any number; here it is 1.
inline int64_t stride_of(const Tensor& tensor, int64_t dim) { return tensor.size(dim) > 1 ? tensor.stride(dim) : 1; }

// A null pointer stands for an operand that is not there.
template <class T>
const T* data_or_null(const std::optional<Tensor>& tensor) {
  return tensor.has_value() ? tensor->const_data_ptr<T>() : nullptr;
}

// Calls `body(T())` with T = float or double, as `dtype` says.
template <class Body>
decltype(auto) dispatch_floating(ScalarType dtype, const char* op, Body&& body) {
  STD_TORCH_CHECK(dtype == ScalarType::Float || dtype == ScalarType::Double, op,
                  ": expected float32 or float64, got ", torch::headeronly::toString(dtype));
  return dtype == ScalarType::Float ? body(float()) : body(double());
}

inline std::string shape_string(torch::headeronly::IntHeaderOnlyArrayRef sizes) {
  std::ostringstream out;
  out << '(';
  for (std::size_t i = 0; i < sizes.size(); ++i) out << (i > 0 ? ", " : "") << sizes[i];
  out << (sizes.size() == 1 ? ",)" : ")");
  return out.str();
}

// Shares `tasks` out among torch's threads, `grain` of them at least to each.  Whoever is done takes a part of what is
// left, so that a thread whose core is busy with something else does less: the others never wait for half of the work.
// Kernels promise the same bits however tasks are cut.
//
// A thread that gets no memory to lay its operands out is an error that names the operator; as an exception it would
// come out of torch's C interface without a word.
template <class Body>
void share_out(const char* op, int64_t tasks, Body&& body, int64_t grain = 1) {
  constexpr int64_t kParts = 16;  // of a thread's share: the smallest that is worth a kernel's setting up
  const int64_t most = (tasks + grain - 1) / grain, all = torch::stable::get_num_threads();
  const int64_t threads = most < all ? most : all;
  const int64_t least = threads > 1 ? std::max(grain, tasks / (kParts * threads)) : tasks;
  std::atomic<int64_t> next{0};
  std::atomic<bool> out_of_memory{false};
  torch::stable::parallel_for(0, threads, 1, [&](int64_t, int64_t) {
    try {
      int64_t begin = next;
      while (begin < tasks && !out_of_memory) {
        const int64_t part = std::max(least, (tasks - begin) / (2 * threads));
        const int64_t end = part < tasks - begin ? begin + part : tasks;
        if (!next.compare_exchange_weak(begin, end)) continue;  // `begin` is what another thread has left
        body(begin, end);
        begin = next;
      }
    } catch (const std::bad_alloc&) {
      out_of_memory = true;
    }
  });
  STD_TORCH_CHECK(!out_of_memory, op, ": out of memory: a thread could not lay out what it has of the operands");
}

// One line that names the operator, the argument, what was expected and what came, unless the product of `sizes`, which
// counts `what`, is at most `most`.
inline void check_product(const char* op, const char* argument, const char* what,
                          const std::vector<int64_t>& sizes, int64_t most = kMostElements) {
  STD_TORCH_CHECK(product(sizes) <= most, op, ": ", argument, ": expected at most ", most, " ", what, ", got ",
                  shape_string(torch::headeronly::IntHeaderOnlyArrayRef(sizes)));
}

// One line that names the operator and the argument, unless the memory of `tensor` holds its last element: a storage may
// have been made smaller than the tensors that lie in it.  Strides are not negative.  Each sum below is compared with
// what is left, so that none wraps around.
inline void check_memory(const char* op, const char* argument, const Tensor& tensor) {
  int64_t bytes = 0;
  TORCH_ERROR_CODE_CHECK(aoti_torch_get_storage_size(tensor.get(), &bytes));
  int64_t left = bytes / static_cast<int64_t>(tensor.element_size()) - 1 - tensor.storage_offset();
  for (int64_t d = 0; d < tensor.dim(); ++d) {
    if (tensor.size(d) == 0) return;
    const int64_t reach = times(tensor.size(d) - 1, tensor.stride(d));
    left = left < reach ? -1 : left - reach;
  }
  STD_TORCH_CHECK(left >= 0, op, ": ", argument, ": expected memory for a tensor of shape ",
                  shape_string(tensor.sizes()), ", got a storage of ", bytes, " bytes");
}

// One line that names the operator, the argument, what was expected and what came, unless `tensor` has this shape and
// the dtype and device of `like`.
inline void check_operand(const char* op, const char* argument, const Tensor& tensor,
                          const std::vector<int64_t>& shape, const Tensor& like) {
  const torch::headeronly::IntHeaderOnlyArrayRef expected(shape);
  STD_TORCH_CHECK(tensor.sizes() == expected, op, ": ", argument, ": expected shape ", shape_string(expected),
                  ", got ", shape_string(tensor.sizes()));
  STD_TORCH_CHECK(tensor.scalar_type() == like.scalar_type(), op, ": ", argument, ": expected dtype ",
                  torch::headeronly::toString(like.scalar_type()), ", got ",
                  torch::headeronly::toString(tensor.scalar_type()));
  STD_TORCH_CHECK(tensor.device() == like.device(), op, ": ", argument, ": expected the device of all the others");
  check_memory(op, argument, tensor);
}

inline void check_operand(const char* op, const char* argument, const std::optional<Tensor>& tensor,
                          const std::vector<int64_t>& shape, const Tensor& like) {
  if (tensor.has_value()) check_operand(op, argument, *tensor, shape, like);
}

}  // namespace reidops
