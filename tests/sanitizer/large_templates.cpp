// large_templates.cpp - depthwise_xcorr where it goes by Fourier transforms, and where parts of it do not.
#include <algorithm>
#include <cmath>
#include <random>

#include "maps.h"

using reidops::BFloat16;
using reidops::Half;

namespace {

// The next of about ten of `count` places, the first and the last among them.
int64_t after(int64_t place, int64_t count) {
  return place == count - 1 ? count : std::min(place + 1 + count / 9, count - 1);
}

// Two thirds of the maps' columns, the first of a map or its last, are dark: exact zeros, which no FFT makes, and numbers
// far below the others.
template <class S>
void correlate(const Maps& m, bool dark_first, std::mt19937& random) {
  ++calls;
  Correlation<S> call(m);
  const int64_t dark_begin = dark_first ? 0 : m.W / 3, dark_end = dark_first ? m.W * 2 / 3 : m.W;
  std::normal_distribution<double> normal;
  for (int64_t n = 0; n < call.kOutputs; ++n)
    for (int64_t c = 0; c < m.C; ++c)
      for (int64_t y = 0; y < m.H; ++y)
        for (int64_t x = 0; x < m.W; ++x)
          call.search.set(call.of_search(n, c, y, x),
                          x < dark_begin || x >= dark_end ? normal(random) : n == 0 ? 0 : 1e-6);
  for (int64_t i = 0; i < call.templ.size(); ++i) call.templ.set(i, normal(random));
  call.run();
  for (int64_t n = 0; n < call.kOutputs; ++n)
    for (int64_t c = 0; c < m.C; ++c)
      for (int64_t y = 0; y < m.h; y = after(y, m.h))
        for (int64_t x = 0; x < m.w; x = after(x, m.w)) {
          const auto sum = call.expected(n, c, y, x);
          const double got = call.got(n, c, y, x);
          // An output may be as wrong as those of its block of less than 32 columns would be: as a bright one, of about
          // sqrt(2 kh kw), unless none of them sees more than the dark part.
          const bool all_dark = dark_first ? x + 31 + m.kw - 1 - m.left < dark_end : x - 31 - m.left >= dark_begin;
          const double least = sizeof(S) == 2 ? 1e-2 : 1e-5, bright = all_dark ? 0 : std::sqrt(2 * double(m.kh * m.kw));
          const double rounding = sizeof(S) == 2 ? 0x1p-24 : 0;  // the least number of float16
          if (!(std::abs(got - sum.value) <= least * (sum.size + bright) + rounding)) return call.fail(sum.value, got);
        }
}

template <class S>
void correlate_large(int rounds, unsigned seed) {
  std::mt19937 random(seed);
  for (const bool first : {false, true})  // transforms of 81 rows and columns, for which 80 are one too few
    correlate<S>({.C = 1, .H = 51, .W = 50, .kh = 31, .kw = 32, .h = 51, .w = 50}, first, random);
  const auto pick = [&](std::initializer_list<int64_t> from) { return from.begin()[random() % from.size()]; };
  for (int i = 0; i < rounds; ++i) {
    Maps m{};
    m.C = pick({1, 1, 2, 3});
    m.H = pick({48, 61, 70, 83}), m.W = pick({45, 64, 77, 96});
    m.kh = pick({24, 31, 40, 48}), m.kw = pick({23, 32, 45});
    m.h = pick({m.H, m.H, 33, m.H - m.kh + 1 > 0 ? m.H - m.kh + 1 : 40, m.H + 70});
    m.w = pick({m.W, m.W, 35, 110, m.W + m.kw});
    m.top = pick({0, m.kh / 2, m.kh - 1, -3, 60}), m.left = pick({0, m.kw / 2, m.kw - 1, -5, 70});
    m.turned = random() % 2, m.channels_last = m.C > 1 && random() % 2;
    correlate<S>(m, random() % 2, random);
  }
}

}  // namespace

void test_large_templates() {
  correlate_large<float>(24, 21);
  correlate_large<double>(16, 22);
  correlate_large<Half>(6, 23);
  correlate_large<BFloat16>(6, 24);
}
