// channel_product.cpp - products of maps over channels and Gram matrices, on the vector unit and on the matrix unit.
#include <cstdio>
#include <random>
#include <vector>

#include "channel_product/problem.h"
#include "common/isa.h"
#include "memory.h"

namespace cp = reidops::channel_product;
using reidops::BFloat16;
using reidops::Half;

namespace {

// As the operator calls the functions of a kernel, made for one instruction set.  Integers, so that sums are exact.
template <class S, class Kernel>
void multiply_channels(const Kernel& kernel, bool gram, std::mt19937& random) {
  ++calls;
  const auto pick = [&](std::initializer_list<int64_t> from) { return from.begin()[random() % from.size()]; };
  const int64_t P = pick({1, 2, 3}), G = gram ? P : pick({1, 2, 4}), K = gram ? 1 : pick({1, 2, 3});
  const int64_t C = pick({0, 1, 2, 17, 31, 33, 257, 515}), N = pick({1, 2, 13, 15, 16, 29, 33, 70});
  const int64_t M = gram ? N : pick({1, 7, 8, 16, 17, 31, 32, 65, 130});
  Exact<S> of_left(P * C * N), of_right(G * C * M);
  for (auto* maps : {&of_left, &of_right})
    for (int64_t i = 0; i < maps->size(); ++i) maps->set(i, double(int(random() % 5) - 2));
  const auto side = [&](S* data, int64_t count, int64_t size) {
    cp::Side<S> of{data, count, size, C * size, size, 1};
    if (random() % 3 == 0) of.channel = 1, of.location = C;                                  // channels last
    if (count == 1 && random() % 4 == 0) of.map = 1;                                         // anything
    return of;
  };
  const auto left = side(of_left.get(), P, N), right = gram ? left : side(of_right.get(), G, M);
  std::vector<int64_t> first(size_t(G) + 1), place, partner(size_t(P * K));
  for (int64_t pair = 0; pair < P * K; ++pair) partner[size_t(pair)] = gram ? pair : int64_t(random() % size_t(G));
  for (int64_t g = 0; g < G; ++g) {
    for (int64_t pair = 0; pair < P * K; ++pair)
      if (partner[size_t(pair)] == g) place.push_back(pair);
    first[size_t(g) + 1] = int64_t(place.size());
  }
  using T = typename cp::Problem<S>::T;
  Exact<T> out(P * N * K * M, -99);
  cp::Problem<S> p{left, right, C, {first.data(), place.data(), K}, nullptr, out.get(), gram};
  Exact<T> laid_out((kernel.bytes_laid_out(p) + int64_t(sizeof(T)) - 1) / int64_t(sizeof(T)));
  if (kernel.bytes_laid_out(p) > 0) {
    p.laid_out = laid_out.get();
    kernel.lay_out(p, 0, kernel.strips(p));
  }
  const int64_t tasks = kernel.tasks(p), cut = int64_t(random() % size_t(tasks + 1));
  kernel.multiply(p, 0, cut);
  kernel.multiply(p, cut, tasks);
  if (gram) kernel.mirror(p, 0, kernel.strips(p));
  const auto at = [](const Exact<S>& maps, const cp::Side<S>& of, int64_t map, int64_t c, int64_t i) {
    return maps[map * of.map + c * of.channel + i * of.location];
  };
  for (int64_t i = 0; i < out.size(); ++i) {
    const int64_t m = i % M, k = i / M % K, n = i / M / K % N, map = i / M / K / N;
    double sum = 0;
    for (int64_t c = 0; c < C; ++c)
      sum += at(of_left, left, map, c, n) * at(gram ? of_left : of_right, right, partner[size_t(map * K + k)], c, m);
    if (out[i] == sum) continue;
    if (++failures < 20)
      std::fprintf(stderr, "channel_product: expected %g, got %g: %lld %lld of %lld x %lld, %lld of %lld, gram %d\n", sum,
                   out[i], (long long)P, (long long)K, (long long)C, (long long)N, (long long)G, (long long)M, gram);
    return;
  }
}

// The functions of one kernel.
#define REIDOPS_KERNEL(Name, isa)                                                                \
  struct Name {                                                                                  \
    template <class P>                                                                           \
    int64_t bytes_laid_out(const P& p) const {                                                   \
      return isa::channel_product_kernels::bytes_laid_out(p);                                    \
    }                                                                                            \
    template <class P>                                                                           \
    int64_t strips(const P& p) const {                                                           \
      return isa::channel_product_kernels::strips(p);                                            \
    }                                                                                            \
    template <class P>                                                                           \
    int64_t tasks(const P& p) const {                                                            \
      return isa::channel_product_kernels::tasks(p);                                             \
    }                                                                                            \
    template <class P>                                                                           \
    void lay_out(const P& p, int64_t begin, int64_t end) const {                                 \
      isa::channel_product_kernels::lay_out(p, begin, end);                                      \
    }                                                                                            \
    template <class P>                                                                           \
    void multiply(const P& p, int64_t begin, int64_t end) const {                                \
      isa::channel_product_kernels::multiply(p, begin, end);                                     \
    }                                                                                            \
    template <class P>                                                                           \
    void mirror(const P& p, int64_t begin, int64_t end) const {                                  \
      isa::channel_product_kernels::mirror(p, begin, end);                                       \
    }                                                                                            \
  };
REIDOPS_KERNEL(VectorUnit, tested)
#ifdef REIDOPS_X86
REIDOPS_KERNEL(MatrixUnit, reidops::avx512_amx)
#endif
#undef REIDOPS_KERNEL

template <class S, class Kernel>
void multiply_any_channels(const Kernel& kernel, int rounds, unsigned seed) {
  std::mt19937 random(seed);
  for (int i = 0; i < rounds; ++i) multiply_channels<S>(kernel, i % 4 == 0, random);
}

}  // namespace

void test_channel_product() {
  multiply_any_channels<float>(VectorUnit(), 150, 11);
  multiply_any_channels<double>(VectorUnit(), 80, 12);
  multiply_any_channels<Half>(VectorUnit(), 60, 13);
  multiply_any_channels<BFloat16>(VectorUnit(), 60, 14);
#ifdef REIDOPS_X86
  if (reidops::cpu_has_matrix_unit()) multiply_any_channels<BFloat16>(MatrixUnit(), 150, 15);
#endif
}
