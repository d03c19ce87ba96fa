// affine_sample.cpp - near and far maps, cancelling terms, large pictures; forward and backward.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <vector>

#include "affine_sample/problem.h"
#include "memory.h"

namespace as = reidops::affine_sample;
using reidops::BFloat16;
using reidops::Half;

namespace {

struct Setting {
  int64_t C, H, W, h, w;
  as::Mode mode;
  as::Padding padding;
  bool align_corners, channels_last;
  int64_t step = 1, gap = 0;  // numbers from a pixel of a plane to the next; pixels that are skipped after a row
};

void complain(const char* what, const Setting& s, const double* theta, double got) {
  if (++failures > 20) return;
  std::fprintf(stderr, "affine_sample: %s: got %.9g; %lld x %lld x %lld to %lld x %lld, mode %d, padding %d, "
               "corners %d, channels_last %d, theta", what, got, (long long)s.C, (long long)s.H, (long long)s.W, (long long)s.h,
               (long long)s.w, int(s.mode), int(s.padding), s.align_corners, s.channels_last);
  for (int i = 0; i < 6; ++i) std::fprintf(stderr, " %.9g", theta[i]);
  std::fprintf(stderr, "\n");
}

// One image of values from 1 to 2 under some maps, forward and backward.  An interpolated value lies between 0 and 2,
// and between 1 and 2 where border or reflection leaves nothing outside; where all of theta is finite the gradient of
// the input, for a gradient of ones, is finite and not negative, and its sum is no more than the number of samples.
template <class S>
void sample(const Setting& s, const std::vector<double>& thetas) {
  using T = typename as::Problem<S>::T;
  ++calls;
  const int64_t maps = int64_t(thetas.size()) / 6, pixels = s.H * s.W, samples = s.h * s.w;
  as::Problem<S> p{};
  p.column_stride = s.channels_last ? s.C : s.step;
  p.row_stride = (s.W + s.gap) * p.column_stride;
  p.channel_stride = s.channels_last ? 1 : s.H * p.row_stride;
  // No longer than up to the last number of the last pixel; what lies between pixels is NaN.
  Exact<S> input((s.C - 1) * p.channel_stride + (s.H - 1) * p.row_stride + (s.W - 1) * p.column_stride + 1, NAN);
  for (int64_t c = 0, i = 0; c < s.C; ++c)
    for (int64_t y = 0; y < s.H; ++y)
      for (int64_t x = 0; x < s.W; ++x, ++i)
        input.set(c * p.channel_stride + y * p.row_stride + x * p.column_stride, 1 + double(i % 17) / 17);
  Exact<S> theta(maps * 6), output(maps * s.C * samples), grad(maps * s.C * samples, 1);
  for (int64_t i = 0; i < theta.size(); ++i) theta.set(i, thetas[i]);
  p.input = input.get(), p.theta = theta.get(), p.output = output.get();
  p.repeats.add(maps, {.image = 0, .theta = 6, .sample = 1, .number = 0});
  p.C = s.C, p.H = s.H, p.W = s.W, p.h = s.h, p.w = s.w;
  p.channels_last = s.channels_last, p.align_corners = s.align_corners, p.mode = s.mode, p.padding = s.padding;
  tested::affine_sample_kernels::forward(p, 0, as::forward_tasks(p));

  // Rounding of four weights, and of the storage type.
  const double little = sizeof(S) == 2 ? 0.02 : sizeof(S) == 4 ? 1e-5 : 1e-12;
  const double least = s.padding == as::Padding::kZeros ? 0 : 1;
  std::vector<bool> whole(maps, true);
  bool every = true;
  for (int64_t m = 0; m < maps; ++m) {
    double given[6];
    for (int i = 0; i < 6; ++i) {
      given[i] = theta[m * 6 + i];
      whole[m] = whole[m] && std::fabs(given[i]) <= 1e30;  // beyond it positions overflow, and weights are NaN
    }
    every = every && whole[m];
    for (int64_t i = m * s.C * samples; i < (m + 1) * s.C * samples; ++i) {
      const bool right = output[i] >= least - little && output[i] <= 2 + little;
      if (right) continue;
      if (whole[m] || !std::isnan(output[i])) complain("a value outside the image's", s, given, output[i]);
      break;
    }
  }

  Exact<S> grad_input(s.C * pixels, 7);
  const as::Strips<S> strips(p);
  const int64_t blocks = as::Blocks<S>(p).count;
  const bool in_parts = strips.count == 0 && as::parts(p) > 1;
  Exact<T> grad_theta(maps * blocks * std::max<int64_t>(1, strips.bands) * 6);
  Exact<T> parts(in_parts ? as::backward_tasks(p) * part_size(p) : 0);
  p.grad_output = grad.get(), p.grad_input = grad_input.get();
  p.grad_theta = grad_theta.get(), p.grad_parts = parts.get();
  if (strips.count > 0) {
    // The last strip first: what an earlier one adds to a later one's rows is then not cleared again.
    for (int64_t task = blocks * strips.count; task-- > 0;) tested::affine_sample_kernels::spread(p, task, task + 1);
    if (s.mode == as::Mode::kBilinear) tested::affine_sample_kernels::slopes(p, 0, maps * blocks * strips.bands);
  } else {
    tested::affine_sample_kernels::backward(p, 0, as::backward_tasks(p));
    if (in_parts) tested::affine_sample_kernels::add_parts(p, 0, as::backward_tasks(p));
  }
  if (!every) return;
  double sum = 0;
  for (int64_t i = 0; i < grad_input.size(); ++i) {
    const double g = grad_input[i];
    if (!(g >= -little && std::isfinite(g))) return complain("a gradient", s, thetas.data(), g);
    sum += g;
  }
  const double most = double(maps * s.C * samples);
  const double rounding = most * (sizeof(S) == 2 ? 0.02 : 1e-4);
  if (sum > most + rounding) complain("a sum of gradients", s, thetas.data(), sum);
  if (s.padding != as::Padding::kZeros && sum < most - rounding) complain("a sum of gradients", s, thetas.data(), sum);
}

// Far or not, in about every third case a box.
std::vector<double> far_theta(std::mt19937& random, int64_t W) {
  const auto number = [&] { return std::normal_distribution<double>()(random); };
  const auto pick = [&](std::initializer_list<double> from) { return from.begin()[random() % from.size()]; };
  std::vector<double> theta(6);
  const double size = pick({1e-40, 1e-3, 1, 30, 1e4, 4.5e5, 1e7, 3e9, 1e20, 1e38});
  for (int row = 0; row < 2; ++row) {
    double* const t = theta.data() + 3 * row;
    switch (random() % 5) {
      case 0:  // any
        for (int i = 0; i < 3; ++i) t[i] = size * number();
        break;
      case 1: {  // terms that cancel at a corner, a few steps of float32 around it
        const double step = std::fabs(size) * 1.2e-7;
        t[0] = size + step * double(random() % 8), t[1] = size + step * double(random() % 8);
        t[2] = pick({1, -1}) * (t[0] + t[1]) + step * double(int(random() % 49) - 24) + pick({1, -1});
        if (random() % 2) t[0] = -t[0];
        break;
      }
      case 2:  // ordinary
        t[0] = number(), t[1] = number(), t[2] = 0.3 * number();
        break;
      case 3:  // one column of samples, far away, comes back
        t[0] = size, t[1] = 0, t[2] = size * pick({-1, 1}) * (1 + 2 * number() / double(W));
        break;
      default:  // no map
        for (int i = 0; i < 3; ++i)
          t[i] = random() % 2 ? number() : pick({NAN, INFINITY, -INFINITY, 3e38, -3e38, 1e-45, 0});
    }
  }
  if (random() % 3 == 0) theta[1] = theta[3] = 0;
  return theta;
}

template <class S>
void sample_anywhere(int rounds, unsigned seed) {
  std::mt19937 random(seed);
  const auto pick = [&](std::initializer_list<int64_t> from) { return from.begin()[random() % from.size()]; };
  for (int i = 0; i < rounds; ++i) {
    Setting s{};
    s.C = pick({1, 3, 4, 5, 16, 17, 40});
    s.H = pick({1, 1, 2, 3, 8, 19}), s.W = pick({1, 2, 5, 16, 33, 1024, 4096});
    if (random() % 2) std::swap(s.H, s.W);
    while (s.C > 5 && s.H * s.W > 2000) s.C = s.C / 2;
    s.h = pick({1, 2, 5}), s.w = pick({1, 2, 3, 17, 70});
    s.mode = random() % 3 ? as::Mode::kBilinear : as::Mode::kNearest;
    s.padding = as::Padding(random() % 3);
    s.align_corners = random() % 2, s.channels_last = s.C > 1 && random() % 2;
    s.step = random() % 4 ? 1 : 2, s.gap = random() % 2 ? 0 : int64_t(random() % 20);
    std::vector<double> thetas;
    for (int64_t maps = pick({1, 1, 2, 3}); maps > 0; --maps) {
      const auto theta = far_theta(random, std::max(s.H, s.W));
      thetas.insert(thetas.end(), theta.begin(), theta.end());
    }
    sample<S>(s, thetas);
  }
}

// Pictures that are large beside what is sampled, under boxes and maps that stay near: forward is from windows, planes
// and groups of pixels, backward in strips.
template <class S>
void sample_large(int rounds, unsigned seed) {
  std::mt19937 random(seed);
  const auto pick = [&](std::initializer_list<int64_t> from) { return from.begin()[random() % from.size()]; };
  for (int i = 0; i < rounds; ++i) {
    Setting s{};
    s.C = pick({1, 2, 3, 3, 4, 5, 20});
    s.H = pick({1, 33, 160, 40000}), s.W = s.H == 40000 ? pick({1, 2}) : (32768 + s.H) / s.H + int64_t(random() % 9);
    s.h = pick({1, 9, 40, 150}), s.w = pick({1, 17, 64, 150});
    s.mode = random() % 4 ? as::Mode::kBilinear : as::Mode::kNearest;
    s.padding = as::Padding(random() % 3);
    s.align_corners = random() % 2, s.channels_last = s.C > 1 && random() % 2, s.gap = random() % 2 ? 0 : 5;
    std::normal_distribution<double> normal;
    std::vector<double> thetas;
    for (int64_t maps = pick({1, 2}); maps > 0; --maps) {
      std::vector<double> theta = far_theta(random, std::max(s.H, s.W));
      if (random() % 4) {  // one that lies in the picture, or reaches over an edge of it
        const double zoom = double(pick({1, 5, 10, 12})) / 10;
        theta = {zoom, 0.2 * normal(random), (1 - zoom) * normal(random), 0.2 * normal(random), zoom, 0};
        if (random() % 2) theta[1] = theta[3] = 0;
      }
      thetas.insert(thetas.end(), theta.begin(), theta.end());
    }
    sample<S>(s, thetas);
  }
}

// The terms of X cancel at a corner of the output, where float32 is off by tens of pixels: a bound of the region that
// rounds in another order than the positions lies beside them.
template <class S>
void sample_cancelling() {
  struct Case {
    int64_t W, H;
    double a;
  };
  for (const Case c : {Case{1024, 1, 4.5e5}, Case{1024, 8, 4.5e5}, Case{4096, 1, 1e4}, Case{1024, 1, 1e7}})
    for (int place = -24; place < 25; place += 3)
      for (int turn = 0; turn < 4; ++turn)
        for (const auto padding : {as::Padding::kZeros, as::Padding::kBorder}) {
          const double step = double(std::numeric_limits<float>::epsilon()) * c.a / 2;
          const Setting s{.C = 16, .H = c.H, .W = c.W, .h = 2, .w = 2, .mode = as::Mode(place % 2 != 0),
                          .padding = padding, .align_corners = true, .channels_last = false,
                          .step = 1 + turn % 2};  // pixels apart are laid out, and side by side they are not
          sample<S>(s, {c.a + turn * step, c.a + step, 2 * c.a - 1 + 2 * place * step, 0, 0, 0});
        }
}

}  // namespace

void test_affine_sample() {
  sample_cancelling<float>();
  sample_anywhere<float>(900, 1);
  sample_anywhere<double>(400, 2);
  sample_anywhere<Half>(200, 3);
  sample_anywhere<BFloat16>(200, 4);
  sample_large<float>(120, 11);
  sample_large<double>(60, 12);
  sample_large<Half>(20, 13);
}
