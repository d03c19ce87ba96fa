// problem.h - what the kernels are handed: pointers, sizes, strides; nothing of torch.
//
//     out[p, n, k, m] = sum over c of left[p, c, n] right[g, c, m],   g the k-th partner of p
//
// The correlations of DSR: every location of a probe's feature map with every location of a gallery image's.  A value
// has the same bits whatever is made beside it:
//
//     sum of kBlock channels = fma(l[c], r[c], ... fma(l[1], r[1], fma(l[0], r[0], 0)))
//     value                  = (first sum + second) + third ...
//
// in this order everywhere.  A sum of C terms so has an error of at most (kBlock + C / kBlock) u sum |l[c] r[c]|.
#pragma once

#include <cstdint>

#include "../common/half.h"
#include "../common/sizes.h"

namespace reidops::channel_product {

constexpr int64_t kBlock = 256;  // channels that are summed before the sum is added to that of the blocks before

// `count` maps of `size` locations each, and the elements from a map, a channel and a location to the next.
template <class S>
struct Side {
  const S* data;
  int64_t count, size;
  int64_t map, channel, location;
};

// Which maps meet: partners of right map g are pairs [first[g], first[g + 1]), each p * partners + k.
struct Pairs {
  const int64_t* first;  // (G + 1,)
  const int64_t* place;  // of the pair in the output, whose number is p K + k
  int64_t partners;      // K
};

template <class S>
struct Problem {
  using T = typename Computing<S>::Type;

  Side<S> left, right;
  int64_t C;
  Pairs pairs;
  void* laid_out;  // the left side as `lay_out` makes it; null where it is read as it lies
  T* out;          // (P, N, K, M)
  bool gram;       // left is right, and every map meets itself alone: values below the diagonal are left to `mirror`
};

// The gradients of products, where most of what comes back is zero, as from coefficients of a lasso:
//
//     out[a, c, i] = sum over b, j of weights[a, i, b, j] maps[b, c, j]
//
// A weight of zero is passed over, whatever it meets.
template <class T>
struct Sums {
  const T* weights;
  int64_t A, I, B;                // B maps of J locations
  int64_t map, row, of, column;   // from a weight to the next along a, i, b, j
  Side<T> maps;
  int64_t C;
  T* laid_out;  // the maps as `lay_out_maps` makes them
  T* out;       // (A, C, I)
};

}  // namespace reidops::channel_product

// For every instruction set, compiled from channel_product_cpu_kernel.h.
//
//   bytes_laid_out   of the left side, by `lay_out`, which comes first; 0 where `multiply` reads it as it lies
//   strips           of rows of the left side: tasks of `lay_out`, and of `mirror`
//   lay_out          makes strips [begin, end) of `laid_out`
//   tasks, multiply  runs tasks [begin, end)
//   mirror           fills what `multiply` left out of strips [begin, end) of Gram matrices
#define REIDOPS_DECLARE_STORAGE(S)                                                       \
  int64_t bytes_laid_out(const channel_product::Problem<S>& problem);                    \
  int64_t strips(const channel_product::Problem<S>& problem);                            \
  void lay_out(const channel_product::Problem<S>& problem, int64_t begin, int64_t end);  \
  int64_t tasks(const channel_product::Problem<S>& problem);                             \
  void multiply(const channel_product::Problem<S>& problem, int64_t begin, int64_t end); \
  void mirror(const channel_product::Problem<S>& problem, int64_t begin, int64_t end);
#define REIDOPS_DECLARE_CHANNEL_PRODUCT(isa)        \
  namespace reidops::isa::channel_product_kernels { \
  REIDOPS_DECLARE_STORAGE(float)                    \
  REIDOPS_DECLARE_STORAGE(double)                   \
  REIDOPS_DECLARE_STORAGE(Half)                     \
  REIDOPS_DECLARE_STORAGE(BFloat16)                 \
  }
REIDOPS_DECLARE_CHANNEL_PRODUCT(baseline)
REIDOPS_DECLARE_CHANNEL_PRODUCT(avx2)
REIDOPS_DECLARE_CHANNEL_PRODUCT(avx512)
#undef REIDOPS_DECLARE_CHANNEL_PRODUCT
// From channel_product_cpu_amx_kernel.h, for the matrix unit.
namespace reidops::avx512_amx::channel_product_kernels {
REIDOPS_DECLARE_STORAGE(BFloat16)
}
#undef REIDOPS_DECLARE_STORAGE

// For every instruction set, compiled from weighted_sums.h.
//
//   numbers_laid_out   of all maps, by `lay_out_maps`, which comes first and runs for maps [begin, end)
//   sum_tasks, sum     runs tasks [begin, end)
#define REIDOPS_DECLARE_TYPE(T)                                                        \
  int64_t numbers_laid_out(const channel_product::Sums<T>& sums);                      \
  void lay_out_maps(const channel_product::Sums<T>& sums, int64_t begin, int64_t end); \
  int64_t sum_tasks(const channel_product::Sums<T>& sums);                             \
  void sum(const channel_product::Sums<T>& sums, int64_t begin, int64_t end);
#define REIDOPS_DECLARE_WEIGHTED_SUMS(isa)          \
  namespace reidops::isa::channel_product_kernels { \
  REIDOPS_DECLARE_TYPE(float)                       \
  REIDOPS_DECLARE_TYPE(double)                      \
  }
REIDOPS_DECLARE_WEIGHTED_SUMS(baseline)
REIDOPS_DECLARE_WEIGHTED_SUMS(avx2)
REIDOPS_DECLARE_WEIGHTED_SUMS(avx512)
#undef REIDOPS_DECLARE_WEIGHTED_SUMS
#undef REIDOPS_DECLARE_TYPE
