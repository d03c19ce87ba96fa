// weighted_sums_cpu.cpp - the CPU operator: checks, and the kernel of this machine's instruction set on all threads.
#include "../common/isa.h"
#include "../common/large_pages.h"
#include "../common/maps.h"
#include "problem.h"

namespace reidops {
namespace {

using channel_product::Sums;
constexpr const char* kOp = "sparse_sums";

template <class T>
struct Kernel {
  using Range = void (*)(const Sums<T>&, int64_t, int64_t);
  using Count = int64_t (*)(const Sums<T>&);
  Count numbers_laid_out;
  Range lay_out;
  Count tasks;
  Range sum;
};

template <class T>
Kernel<T> kernel() {
#define REIDOPS_KERNEL(isa)                                                                     \
  Kernel<T> {                                                                                   \
    isa::channel_product_kernels::numbers_laid_out, isa::channel_product_kernels::lay_out_maps, \
        isa::channel_product_kernels::sum_tasks, isa::channel_product_kernels::sum              \
  }
#ifdef REIDOPS_X86
  if (cpu_isa() == Isa::kAvx512) return REIDOPS_KERNEL(avx512);
  if (cpu_isa() == Isa::kAvx2) return REIDOPS_KERNEL(avx2);
#endif
  return REIDOPS_KERNEL(baseline);
#undef REIDOPS_KERNEL
}

Tensor sparse_sums_cpu(const Tensor& weights, const Tensor& maps) {
  STD_TORCH_CHECK(weights.dim() == 4, kOp, ": weights: expected shape (A, I, B, J), got ",
                  shape_string(weights.sizes()));
  STD_TORCH_CHECK(maps.dim() == 3, kOp, ": maps: expected shape (B, C, J), got ", shape_string(maps.sizes()));
  const int64_t A = weights.size(0), I = weights.size(1), B = weights.size(2), J = weights.size(3), C = maps.size(1);
  check_operand(kOp, "maps", maps, {B, C, J}, weights);
  check_memory(kOp, "weights", weights);
  check_product(kOp, "weights, maps", "elements of the result", {A, C, I});
  // Panels of at most 128 channels, lists of 128 rows at a time, and locations in 32 bits.
  check_product(kOp, "maps", "elements laid out", {B, C + 128, J});
  check_product(kOp, "maps", "elements laid out", {C + 128, 128});
  STD_TORCH_CHECK(J < int64_t(1) << 31, kOp, ": maps: expected fewer than 2^31 locations, got ", J);
  const Tensor out = torch::stable::new_empty(weights, {A, C, I});
  if (product({A, C, I}) == 0) return out;
  dispatch_floating(weights.scalar_type(), kOp, [&](auto zero) {
    using T = decltype(zero);
    Sums<T> sums{.weights = static_cast<const T*>(weights.const_data_ptr()),
                 .A = A,
                 .I = I,
                 .B = B,
                 .map = stride_of(weights, 0),
                 .row = stride_of(weights, 1),
                 .of = stride_of(weights, 2),
                 .column = stride_of(weights, 3),
                 .maps = {static_cast<const T*>(maps.const_data_ptr()), B, J, stride_of(maps, 0), stride_of(maps, 1),
                          stride_of(maps, 2)},
                 .C = C,
                 .laid_out = nullptr,
                 .out = static_cast<T*>(out.mutable_data_ptr())};
    const Kernel<T> kernels = kernel<T>();
    const int64_t numbers = kernels.numbers_laid_out(sums);
    const Tensor laid_out = torch::stable::new_empty(out, {numbers});
    sums.laid_out = static_cast<T*>(laid_out.mutable_data_ptr());
    prefer_large_pages(sums.laid_out, size_t(numbers) * sizeof(T));
    share_out(kOp, B, [&](int64_t begin, int64_t end) { kernels.lay_out(sums, begin, end); });
    share_out(kOp, kernels.tasks(sums), [&](int64_t begin, int64_t end) { kernels.sum(sums, begin, end); });
  });
  return out;
}

}  // namespace
}  // namespace reidops

STABLE_TORCH_LIBRARY_IMPL(reidops, CPU, m) { m.impl("sparse_sums", TORCH_BOX(&reidops::sparse_sums_cpu)); }
