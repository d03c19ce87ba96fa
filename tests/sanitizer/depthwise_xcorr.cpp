// depthwise_xcorr.cpp - sums over maps and templates that may lie anywhere, and projected_xcorr on the same maps.
#include <algorithm>
#include <cstdio>
#include <random>

#include "depthwise_xcorr/problem.h"
#include "memory.h"
#include "projected_xcorr.h"

namespace xc = reidops::depthwise_xcorr;
using reidops::BFloat16;
using reidops::Half;

namespace {

struct Maps {
  int64_t C, H, W, kh, kw, h, w, top, left;
  bool turned, channels_last;
};

reidops::Strides strides(const Maps& m, int64_t height, int64_t width) {
  if (m.channels_last) return {1, width * m.C, m.C};
  return {height * width, width, 1};
}

// Integers, so that every sum is exact whatever its order.
template <class S>
void correlate(const Maps& m, std::mt19937& random) {
  ++calls;
  const int64_t outputs = 2, products = 2;
  Exact<S> search(outputs * m.C * m.H * m.W), templ(products * m.C * m.kh * m.kw), out(outputs * m.C * m.h * m.w, -99);
  for (int64_t i = 0; i < search.size(); ++i) search.set(i, double(int(random() % 3) - 1));
  for (int64_t i = 0; i < templ.size(); ++i) templ.set(i, random() % 8 ? 0 : 1);
  xc::Problem<S> p{.search = search.get(), .templ = templ.get(), .out = out.get(), .outputs = {}, .sums = {}};
  p.outputs.add(outputs, {m.C * m.H * m.W, 0, m.C * m.h * m.w});
  p.sums.add(products, {0, m.C * m.kh * m.kw, 0});
  p.C = m.C, p.H = m.H, p.W = m.W, p.kh = m.kh, p.kw = m.kw, p.h = m.h, p.w = m.w, p.top = m.top, p.left = m.left;
  p.of_search = strides(m, m.H, m.W), p.of_template = strides(m, m.kh, m.kw), p.of_out = strides(m, m.h, m.w);
  p.turned = m.turned;
  tested::depthwise_xcorr_kernels::correlate(p, 0, tested::depthwise_xcorr_kernels::tasks(p));
  const auto at = [](const Exact<S>& maps, int64_t start, reidops::Strides by, int64_t c, int64_t y, int64_t x) {
    return maps[start + c * by.channel + y * by.row + x * by.column];
  };
  for (int64_t n = 0; n < outputs; ++n)
    for (int64_t c = 0; c < m.C; c += std::max<int64_t>(1, m.C / 3))
      for (int64_t y = 0; y < m.h; ++y)
        for (int64_t x = 0; x < m.w; ++x) {
          double sum = 0;
          for (int64_t r = 0; r < products; ++r)
            for (int64_t i = 0; i < m.kh; ++i)
              for (int64_t j = 0; j < m.kw; ++j) {
                const int64_t sy = y + i - m.top, sx = x + j - m.left;
                if (sy < 0 || sy >= m.H || sx < 0 || sx >= m.W) continue;
                const int64_t ti = m.turned ? m.kh - 1 - i : i, tj = m.turned ? m.kw - 1 - j : j;
                sum += at(templ, r * m.C * m.kh * m.kw, p.of_template, c, ti, tj) *
                       at(search, n * m.C * m.H * m.W, p.of_search, c, sy, sx);
              }
          const double got = at(out, n * m.C * m.h * m.w, p.of_out, c, y, x);
          if (got == sum) continue;
          if (++failures < 20)
            std::fprintf(stderr, "depthwise_xcorr: expected %g, got %g: %lld x %lld x %lld, %lld x %lld to %lld x "
                         "%lld, top %lld, left %lld\n", sum, got, (long long)m.C, (long long)m.H, (long long)m.W,
                         (long long)m.kh, (long long)m.kw, (long long)m.h, (long long)m.w, (long long)m.top,
                         (long long)m.left);
          return;
        }
  project(p, outputs, products, random);
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
