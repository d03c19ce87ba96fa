// large_templates.cpp - depthwise_xcorr where it goes by Fourier transforms, and where parts of it do not.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>

#include "depthwise_xcorr/problem.h"
#include "memory.h"

using reidops::BFloat16;
using reidops::Half;

namespace {

struct Maps {
  int64_t C, H, W, kh, kw, h, w, top, left;
  bool turned, channels_last, dark_first;  // the dark part of a map, in its first columns or its last
};

reidops::Strides strides(const Maps& m, int64_t height, int64_t width) {
  if (m.channels_last) return {1, width * m.C, m.C};
  return {height * width, width, 1};
}

// The next of about ten of `count` places, the first and the last among them.
int64_t after(int64_t place, int64_t count) {
  return place == count - 1 ? count : std::min(place + 1 + count / 9, count - 1);
}

// Two maps, of which two products each are summed.  Two thirds of their columns are dark: exact zeros, which no FFT
// makes, and numbers far below the others.  Values are compared with sums in double.
template <class S>
void correlate(const Maps& m, std::mt19937& random) {
  ++calls;
  const int64_t outputs = 2, products = 2;
  const int64_t dark_begin = m.dark_first ? 0 : m.W / 3, dark_end = m.dark_first ? m.W * 2 / 3 : m.W;
  Exact<S> search(outputs * m.C * m.H * m.W), templ(products * m.C * m.kh * m.kw);
  Exact<S> out(outputs * m.C * m.h * m.w, -99);
  reidops::depthwise_xcorr::Problem<S> p{
      .search = search.get(), .templ = templ.get(), .out = out.get(), .outputs = {}, .sums = {}};
  p.outputs.add(outputs, {m.C * m.H * m.W, 0, m.C * m.h * m.w});
  p.sums.add(products, {0, m.C * m.kh * m.kw, 0});
  p.C = m.C, p.H = m.H, p.W = m.W, p.kh = m.kh, p.kw = m.kw, p.h = m.h, p.w = m.w, p.top = m.top, p.left = m.left;
  p.of_search = strides(m, m.H, m.W), p.of_template = strides(m, m.kh, m.kw), p.of_out = strides(m, m.h, m.w);
  p.turned = m.turned;
  const auto place = [](int64_t start, reidops::Strides by, int64_t c, int64_t y, int64_t x) {
    return start + c * by.channel + y * by.row + x * by.column;
  };
  std::normal_distribution<double> normal;
  for (int64_t n = 0; n < outputs; ++n)
    for (int64_t c = 0; c < m.C; ++c)
      for (int64_t y = 0; y < m.H; ++y)
        for (int64_t x = 0; x < m.W; ++x)
          search.set(place(n * m.C * m.H * m.W, p.of_search, c, y, x),
                     x < dark_begin || x >= dark_end ? normal(random) : n == 0 ? 0 : 1e-6);
  for (int64_t i = 0; i < templ.size(); ++i) templ.set(i, normal(random));
  tested::depthwise_xcorr_kernels::correlate(p, 0, tested::depthwise_xcorr_kernels::tasks(p));
  for (int64_t n = 0; n < outputs; ++n)
    for (int64_t c = 0; c < m.C; ++c)
      for (int64_t y = 0; y < m.h; y = after(y, m.h))
        for (int64_t x = 0; x < m.w; x = after(x, m.w)) {
          double sum = 0, size = 0;
          for (int64_t r = 0; r < products; ++r)
            for (int64_t i = 0; i < m.kh; ++i)
              for (int64_t j = 0; j < m.kw; ++j) {
                const int64_t sy = y + i - m.top, sx = x + j - m.left;
                if (sy < 0 || sy >= m.H || sx < 0 || sx >= m.W) continue;
                const int64_t ti = m.turned ? m.kh - 1 - i : i, tj = m.turned ? m.kw - 1 - j : j;
                const double term = templ[place(r * m.C * m.kh * m.kw, p.of_template, c, ti, tj)] *
                                    search[place(n * m.C * m.H * m.W, p.of_search, c, sy, sx)];
                sum += term, size += std::abs(term);
              }
          const double got = out[place(n * m.C * m.h * m.w, p.of_out, c, y, x)];
          // An output may be as wrong as those of its block of less than 32 columns would be: as a bright one, of about
          // sqrt(2 kh kw), unless none of them sees more than the dark part.
          const bool all_dark = m.dark_first ? x + 31 + m.kw - 1 - m.left < dark_end : x - 31 - m.left >= dark_begin;
          const double least = sizeof(S) == 2 ? 1e-2 : 1e-5, bright = all_dark ? 0 : std::sqrt(2 * double(m.kh * m.kw));
          const double rounding = sizeof(S) == 2 ? 0x1p-24 : 0;  // the least number of float16
          if (std::abs(got - sum) <= least * (size + bright) + rounding) continue;
          if (++failures < 20)
            std::fprintf(stderr, "depthwise_xcorr: expected %g, got %g: %lld x %lld x %lld by %lld x %lld to %lld x "
                         "%lld\n", sum, got, (long long)m.C, (long long)m.H, (long long)m.W, (long long)m.kh,
                         (long long)m.kw, (long long)m.h, (long long)m.w);
          return;
        }
}

template <class S>
void correlate_large(int rounds, unsigned seed) {
  std::mt19937 random(seed);
  for (const bool first : {false, true})  // transforms of 81 rows and columns, for which 80 are one too few
    correlate<S>({.C = 1, .H = 51, .W = 50, .kh = 31, .kw = 32, .h = 51, .w = 50, .dark_first = first}, random);
  const auto pick = [&](std::initializer_list<int64_t> from) { return from.begin()[random() % from.size()]; };
  for (int i = 0; i < rounds; ++i) {
    Maps m{};
    m.C = pick({1, 1, 2, 3});
    m.H = pick({48, 61, 70, 83}), m.W = pick({45, 64, 77, 96});
    m.kh = pick({24, 31, 40, 48}), m.kw = pick({23, 32, 45});
    m.h = pick({m.H, m.H, 33, m.H - m.kh + 1 > 0 ? m.H - m.kh + 1 : 40, m.H + 70});
    m.w = pick({m.W, m.W, 35, 110, m.W + m.kw});
    m.top = pick({0, m.kh / 2, m.kh - 1, -3, 60}), m.left = pick({0, m.kw / 2, m.kw - 1, -5, 70});
    m.turned = random() % 2, m.channels_last = m.C > 1 && random() % 2, m.dark_first = random() % 2;
    correlate<S>(m, random);
  }
}

}  // namespace

void test_large_templates() {
  correlate_large<float>(24, 21);
  correlate_large<double>(16, 22);
  correlate_large<Half>(6, 23);
  correlate_large<BFloat16>(6, 24);
}
