// maps.h - what the calls of depthwise_xcorr share: two outputs, each the sum of two products, and their sums in double.
#pragma once

#include <cmath>
#include <cstdio>

#include "depthwise_xcorr/problem.h"
#include "memory.h"

struct Maps {
  int64_t C, H, W, kh, kw, h, w, top, left;
  bool turned, channels_last;
};

template <class S>
struct Correlation {
  static constexpr int64_t kOutputs = 2, kProducts = 2;
  struct Sum {
    double value = 0, size = 0;  // size: of the magnitudes
  };

  Maps m;
  Exact<S> search, templ, out;
  reidops::depthwise_xcorr::Problem<S> problem;

  explicit Correlation(const Maps& m)
      : m(m), search(kOutputs * m.C * m.H * m.W), templ(kProducts * m.C * m.kh * m.kw),
        out(kOutputs * m.C * m.h * m.w, -99),
        problem{.search = search.get(), .templ = templ.get(), .out = out.get(), .outputs = {}, .sums = {}} {
    auto& p = problem;
    p.outputs.add(kOutputs, {m.C * m.H * m.W, 0, m.C * m.h * m.w});
    p.sums.add(kProducts, {0, m.C * m.kh * m.kw, 0});
    p.C = m.C, p.H = m.H, p.W = m.W, p.kh = m.kh, p.kw = m.kw, p.h = m.h, p.w = m.w, p.top = m.top, p.left = m.left;
    p.of_search = strides(m.H, m.W), p.of_template = strides(m.kh, m.kw), p.of_out = strides(m.h, m.w);
    p.turned = m.turned;
  }
  reidops::Strides strides(int64_t height, int64_t width) const {
    if (m.channels_last) return {1, width * m.C, m.C};
    return {height * width, width, 1};
  }

  void run() const {
    tested::depthwise_xcorr_kernels::correlate(problem, 0, tested::depthwise_xcorr_kernels::tasks(problem));
  }

  static int64_t place(int64_t start, reidops::Strides by, int64_t c, int64_t y, int64_t x) {
    return start + c * by.channel + y * by.row + x * by.column;
  }
  int64_t of_search(int64_t n, int64_t c, int64_t y, int64_t x) const {
    return place(n * m.C * m.H * m.W, problem.of_search, c, y, x);
  }
  double got(int64_t n, int64_t c, int64_t y, int64_t x) const {
    return out[place(n * m.C * m.h * m.w, problem.of_out, c, y, x)];
  }
  Sum expected(int64_t n, int64_t c, int64_t y, int64_t x) const {
    Sum sum;
    for (int64_t r = 0; r < kProducts; ++r)
      for (int64_t i = 0; i < m.kh; ++i)
        for (int64_t j = 0; j < m.kw; ++j) {
          const int64_t sy = y + i - m.top, sx = x + j - m.left;
          if (sy < 0 || sy >= m.H || sx < 0 || sx >= m.W) continue;
          const int64_t ti = m.turned ? m.kh - 1 - i : i, tj = m.turned ? m.kw - 1 - j : j;
          const double term = templ[place(r * m.C * m.kh * m.kw, problem.of_template, c, ti, tj)] *
                              search[of_search(n, c, sy, sx)];
          sum.value += term, sum.size += std::abs(term);
        }
    return sum;
  }

  void fail(double expected, double got) const {
    if (++failures < 20)
      std::fprintf(stderr, "depthwise_xcorr: expected %g, got %g: %lld x %lld x %lld, %lld x %lld to %lld x %lld, top "
                   "%lld, left %lld\n", expected, got, (long long)m.C, (long long)m.H, (long long)m.W, (long long)m.kh,
                   (long long)m.kw, (long long)m.h, (long long)m.w, (long long)m.top, (long long)m.left);
  }
};
