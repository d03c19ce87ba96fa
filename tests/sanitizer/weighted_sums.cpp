// weighted_sums.cpp - sums of maps' locations by weights that are mostly zeros.
#include <algorithm>
#include <cstdio>
#include <random>
#include <vector>

#include "channel_product/problem.h"
#include "memory.h"

namespace cp = reidops::channel_product;
namespace kernels = tested::channel_product_kernels;

namespace {

// Strides of dense values of these sizes, whose dimensions lie in any order.
std::vector<int64_t> any_strides(const std::vector<int64_t>& sizes, std::mt19937& random) {
  std::vector<size_t> order(sizes.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), random);
  std::vector<int64_t> strides(sizes.size());
  int64_t step = 1;
  for (const size_t dim : order) strides[dim] = step, step *= sizes[dim];
  return strides;
}

// As the operator calls the kernel.  Integers, so that sums are exact.
template <class T>
void sum_once(std::mt19937& random) {
  ++calls;
  const auto pick = [&](std::initializer_list<int64_t> from) { return from.begin()[random() % from.size()]; };
  const int64_t A = pick({1, 2, 5}), I = pick({1, 3, 64, 70, 260}), B = pick({0, 1, 2, 30}), J = pick({0, 1, 7, 33, 70});
  const int64_t C = pick({1, 3, 15, 16, 33, 65});
  const int share = int(pick({0, 1, 4, 8}));  // eighths that are not zero
  const auto by = any_strides({A, I, B, J}, random), maps_by = any_strides({B, C, J}, random);
  Exact<T> weights(A * I * B * J), maps(B * C * J), out(A * C * I, -99);
  for (int64_t i = 0; i < weights.size(); ++i)
    weights.set(i, int(random() % 8) < share ? double(int(random() % 5) - 2) : 0);
  for (int64_t i = 0; i < maps.size(); ++i) maps.set(i, double(int(random() % 5) - 2));
  cp::Sums<T> sums{.weights = weights.get(), .A = A, .I = I, .B = B, .map = by[0], .row = by[1], .of = by[2],
                   .column = by[3], .maps = {maps.get(), B, J, maps_by[0], maps_by[1], maps_by[2]}, .C = C,
                   .laid_out = nullptr, .out = out.get()};
  Exact<T> laid_out(kernels::numbers_laid_out(sums));
  sums.laid_out = laid_out.get();
  kernels::lay_out_maps(sums, 0, B);
  const int64_t tasks = kernels::sum_tasks(sums), cut = int64_t(random() % size_t(tasks + 1));
  kernels::sum(sums, 0, cut);
  kernels::sum(sums, cut, tasks);
  for (int64_t at = 0; at < out.size(); ++at) {
    const int64_t i = at % I, c = at / I % C, a = at / I / C;
    double sum = 0;
    for (int64_t b = 0; b < B; ++b)
      for (int64_t j = 0; j < J; ++j)
        sum += weights[a * by[0] + i * by[1] + b * by[2] + j * by[3]] *
               maps[b * maps_by[0] + c * maps_by[1] + j * maps_by[2]];
    if (out[at] == sum) continue;
    if (++failures < 20)
      std::fprintf(stderr, "weighted_sums: expected %g, got %g: %lld x %lld weights for %lld x %lld, %lld channels\n",
                   sum, out[at], (long long)A, (long long)I, (long long)B, (long long)J, (long long)C);
    return;
  }
}

}  // namespace

void test_weighted_sums() {
  std::mt19937 random(21);
  for (int i = 0; i < 150; ++i) sum_once<float>(random);
  for (int i = 0; i < 80; ++i) sum_once<double>(random);
}
