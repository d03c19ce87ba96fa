// channel_product_cpu.cpp - the CPU operators: checks, who meets whom, and the kernel of this machine's instruction set.
#include <type_traits>

#include "../common/isa.h"
#include "../common/large_pages.h"
#include "../common/maps.h"
#include "problem.h"

namespace reidops {
namespace {

using channel_product::Pairs;
using channel_product::Problem;
using channel_product::Side;

template <class S>
struct Kernel {
  using Range = void (*)(const Problem<S>&, int64_t, int64_t);
  using Count = int64_t (*)(const Problem<S>&);
  Count bytes_laid_out, strips, tasks;
  Range lay_out, multiply, mirror;
};

template <class S>
Kernel<S> kernel() {
#define REIDOPS_KERNEL(isa)                                                                           \
  Kernel<S> {                                                                                         \
    isa::channel_product_kernels::bytes_laid_out, isa::channel_product_kernels::strips,               \
        isa::channel_product_kernels::tasks, isa::channel_product_kernels::lay_out,                   \
        isa::channel_product_kernels::multiply, isa::channel_product_kernels::mirror                  \
  }
#ifdef REIDOPS_X86
  if constexpr (std::is_same_v<S, BFloat16>) {
    if (cpu_has_matrix_unit()) return REIDOPS_KERNEL(avx512_amx);
  }
  if (cpu_isa() == Isa::kAvx512) return REIDOPS_KERNEL(avx512);
  if (cpu_isa() == Isa::kAvx2) return REIDOPS_KERNEL(avx2);
#endif
  return REIDOPS_KERNEL(baseline);
#undef REIDOPS_KERNEL
}

template <class S>
Side<S> side_of(const Tensor& maps) {
  return {static_cast<const S*>(maps.const_data_ptr()), maps.size(0), maps.size(2),
          stride_of(maps, 0), stride_of(maps, 1), stride_of(maps, 2)};
}

void check_maps(const char* op, const char* argument, const char* shape, const Tensor& maps) {
  STD_TORCH_CHECK(maps.dim() == 3, op, ": ", argument, ": expected shape ", shape, ", got ",
                  shape_string(maps.sizes()));
  check_memory(op, argument, maps);
}

// Tiles of the matrix unit have 16 locations and 32 channels, and maps are filled up to whole strips of two.
void check_laid_out(const char* op, const char* argument, const Tensor& maps) {
  check_product(op, argument, "elements laid out", {maps.size(0), maps.size(1) + 32, maps.size(2) + 32});
}

// The partners of every right map, as Pairs has them: entry k of row p of the index is map index[p, k].
struct Partners {
  std::vector<int64_t> first, place;
  int64_t count;

  Partners(const char* op, int64_t P, int64_t G, const int64_t* index, int64_t K) : first(G + 1), place(P * K), count(K) {
    const auto partner = [&](int64_t pair) { return index == nullptr ? pair % K : index[pair]; };
    for (int64_t pair = 0; pair < P * K; ++pair) {
      const int64_t g = partner(pair);
      STD_TORCH_CHECK(0 <= g && g < G, op, ": index: expected numbers in [0, ", G, "), got ", g);
      ++first[g + 1];
    }
    for (int64_t g = 0; g < G; ++g) first[g + 1] += first[g];
    std::vector<int64_t> next(first.begin(), first.end() - 1);
    for (int64_t pair = 0; pair < P * K; ++pair) place[next[partner(pair)]++] = pair;
  }
};

void multiply(const char* op, const Tensor& left, const Tensor& right, const Partners& partners, bool gram,
              const Tensor& out) {
  dispatch_storage(left.scalar_type(), op, gram ? "maps" : "left", [&](auto zero) {
    using S = decltype(zero);
    using T = typename Computing<S>::Type;
    const Kernel<S> kernels = kernel<S>();
    Problem<S> problem{.left = side_of<S>(left),
                       .right = side_of<S>(right),
                       .C = left.size(1),
                       .pairs = {partners.first.data(), partners.place.data(), partners.count},
                       .laid_out = nullptr,
                       .out = static_cast<T*>(out.mutable_data_ptr()),
                       .gram = gram};
    prefer_large_pages(problem.out, size_t(out.numel()) * sizeof(T));
    Tensor laid_out = out;
    if (const int64_t bytes = kernels.bytes_laid_out(problem); bytes > 0) {
      laid_out = torch::stable::new_empty(out, {bytes}, ScalarType::Byte);
      problem.laid_out = laid_out.mutable_data_ptr();
      prefer_large_pages(problem.laid_out, size_t(bytes));
      share_out(op, kernels.strips(problem), [&](int64_t a, int64_t b) { kernels.lay_out(problem, a, b); });
    }
    share_out(op, kernels.tasks(problem), [&](int64_t a, int64_t b) { kernels.multiply(problem, a, b); });
    if (gram) share_out(op, kernels.strips(problem), [&](int64_t a, int64_t b) { kernels.mirror(problem, a, b); });
  });
}

ScalarType result_type(const Tensor& maps) {
  return maps.scalar_type() == ScalarType::Double ? ScalarType::Double : ScalarType::Float;
}

Tensor channel_product_cpu(const Tensor& left, const Tensor& right, const std::optional<Tensor>& index) {
  constexpr const char* kOp = "channel_product";
  check_maps(kOp, "left", "(P, C, N)", left);
  check_maps(kOp, "right", "(G, C, M)", right);
  const int64_t P = left.size(0), C = left.size(1), N = left.size(2), G = right.size(0), M = right.size(2);
  check_operand(kOp, "right", right, {G, C, M}, left);
  int64_t K = G;
  std::optional<Tensor> partners;
  if (index.has_value()) {
    STD_TORCH_CHECK(index->dim() == 2 && index->size(0) == P, kOp, ": index: expected shape (", P, ", K), got ",
                    shape_string(index->sizes()));
    STD_TORCH_CHECK(index->scalar_type() == ScalarType::Long, kOp, ": index: expected dtype Long, got ",
                    torch::headeronly::toString(index->scalar_type()));
    STD_TORCH_CHECK(index->device() == left.device(), kOp, ": index: expected the device of all the others");
    check_memory(kOp, "index", *index);
    K = index->size(1);
    partners = torch::stable::contiguous(*index);
  }
  check_product(kOp, "left, right", "elements of the result", {P, N, K, M});
  check_laid_out(kOp, "left", left);
  check_product(kOp, "right", "elements", {G, C, M});
  const Tensor out = torch::stable::new_empty(left, {P, N, K, M}, result_type(left));
  const Partners pairs(kOp, P, G, data_or_null<int64_t>(partners), K);
  if (product({P, N, K, M}) > 0) multiply(kOp, left, right, pairs, false, out);
  return out;
}

Tensor channel_gram_cpu(const Tensor& maps) {
  constexpr const char* kOp = "channel_gram";
  check_maps(kOp, "maps", "(G, C, M)", maps);
  const int64_t G = maps.size(0), M = maps.size(2);
  check_product(kOp, "maps", "elements of the result", {G, M, M});
  check_laid_out(kOp, "maps", maps);
  const Tensor out = torch::stable::new_empty(maps, {G, M, M}, result_type(maps));
  std::vector<int64_t> itself(G);
  for (int64_t g = 0; g < G; ++g) itself[g] = g;
  const Partners pairs(kOp, G, G, itself.data(), 1);
  if (product({G, M}) > 0) multiply(kOp, maps, maps, pairs, true, out);
  return out;
}

}  // namespace
}  // namespace reidops

STABLE_TORCH_LIBRARY_IMPL(reidops, CPU, m) {
  m.impl("channel_product", TORCH_BOX(&reidops::channel_product_cpu));
  m.impl("channel_gram", TORCH_BOX(&reidops::channel_gram_cpu));
}
