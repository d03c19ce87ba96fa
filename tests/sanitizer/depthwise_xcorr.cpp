// depthwise_xcorr.cpp - sums over maps and templates that may lie anywhere, and projected_xcorr on the same maps.
#include <algorithm>
#include <random>

#include "maps.h"
#include "projected_xcorr.h"

using reidops::BFloat16;
using reidops::Half;

namespace {

// Integers, so that every sum is exact whatever its order.
template <class S>
void correlate(const Maps& m, std::mt19937& random) {
  ++calls;
  Correlation<S> call(m);
  for (int64_t i = 0; i < call.search.size(); ++i) call.search.set(i, double(int(random() % 3) - 1));
  for (int64_t i = 0; i < call.templ.size(); ++i) call.templ.set(i, random() % 8 ? 0 : 1);
  call.run();
  for (int64_t n = 0; n < call.kOutputs; ++n)
    for (int64_t c = 0; c < m.C; c += std::max<int64_t>(1, m.C / 3))
      for (int64_t y = 0; y < m.h; ++y)
        for (int64_t x = 0; x < m.w; ++x) {
          const double sum = call.expected(n, c, y, x).value, got = call.got(n, c, y, x);
          if (got != sum) return call.fail(sum, got);
        }
  project(call.problem, call.kOutputs, call.kProducts, random);
}

template <class S>
void correlate_anything(int rounds, unsigned seed) {
  std::mt19937 random(seed);
  const auto pick = [&](std::initializer_list<int64_t> from) { return from.begin()[random() % from.size()]; };
  for (int i = 0; i < rounds; ++i) {
    Maps m{};
    m.C = pick({1, 2, 8, 15, 16, 17, 33});
    m.H = pick({1, 2, 3, 7, 19}), m.W = pick({1, 2, 3, 8, 15, 16, 17, 31});
    m.kh = pick({1, 2, 3, 5, 16, 23}), m.kw = pick({1, 2, 3, 5, 16, 18});
    m.h = pick({1, 2, 3, 6, 11}), m.w = pick({1, 2, 4, 5, 9, 10, 11, 21});
    // A template may lie over the map, beside it, or further away than anything is wide.
    m.top = pick({0, 0, 1, m.kh / 2, -3, m.H, -m.H, 1000, -1000, 0x7fffffff, -0x7fffffff});
    m.left = pick({0, 0, 1, m.kw / 2, -3, m.W, -m.W, 1000, -1000, 0x7fffffff, -0x7fffffff});
    m.turned = random() % 2, m.channels_last = m.C > 1 && random() % 2;
    correlate<S>(m, random);
  }
}

}  // namespace

void test_depthwise_xcorr() {
  correlate_anything<float>(150, 5);
  correlate_anything<double>(80, 6);
  correlate_anything<Half>(40, 7);
  correlate_anything<BFloat16>(40, 8);
}
