// memory.cpp - the CPU kernels under AddressSanitizer and UBSan, with every operand and result in a heap buffer of its
// exact size: what is read or written beyond one ends the program.  Values are checked where a bound is known.
//
// Built and run by test_memory.py, once for each instruction set, with -DREIDOPS_TESTED=baseline, avx2 or avx512.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "affine_sample/problem.h"
#include "channel_product/problem.h"
#include "common/half.h"
#include "common/isa.h"
#include "depthwise_xcorr/problem.h"
#include "projected_xcorr/problem.h"
#include "sparse_reconstruct/problem.h"

namespace as = reidops::affine_sample;
namespace cp = reidops::channel_product;
namespace px = reidops::projected_xcorr;
namespace sr = reidops::sparse_reconstruct;
namespace xc = reidops::depthwise_xcorr;
namespace tested = reidops::REIDOPS_TESTED;
using reidops::BFloat16;
using reidops::Half;

namespace {

int failures = 0, calls = 0;

// Exactly `count` elements on the heap: a vector may have room for more.
template <class S>
class Exact {
 public:
  explicit Exact(int64_t count, double value = 0) : count_(count), data_(new S[size_t(count)]) {
    for (int64_t i = 0; i < count; ++i) set(i, value);
  }
  void set(int64_t i, double value) { reidops::narrow(typename reidops::Computing<S>::Type(value), data_[i]); }
  double operator[](int64_t i) const { return double(reidops::widen(data_[i])); }
  S* get() { return data_.get(); }
  int64_t size() const { return count_; }

 private:
  int64_t count_;
  std::unique_ptr<S[]> data_;
};

// ---- affine_sample -------------------------------------------------------------------------------------------------

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

// ---- depthwise_xcorr and projected_xcorr ---------------------------------------------------------------------------

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

  const int64_t O = 1 + int64_t(random() % 10), T = products;
  const bool pooled = random() % 2;
  const int64_t ph = pooled ? (m.h + 1) / 2 : m.h, pw = pooled ? (m.w + 1) / 2 : m.w;
  Exact<S> weight(O * T * m.C, 1), projected(outputs * O * ph * pw);
  px::Problem<S> q{.maps = p, .weight = weight.get(), .O = O, .templates = T, .template_step = m.C * m.kh * m.kw,
                   .ph = ph, .pw = pw, .pooled = pooled};
  q.maps.turned = false;
  q.maps.out = projected.get();
  q.maps.sums = {};
  q.maps.outputs.step[0].out = O * ph * pw;
  q.maps.of_out = {ph * pw, pw, 1};
  tested::projected_xcorr_kernels::project(q, 0, outputs);
  for (int64_t i = 0; i < projected.size(); ++i)  // all outputs have the same weights
    if (projected[i] != projected[i / (O * ph * pw) * (O * ph * pw) + i % (ph * pw)]) {
      ++failures;
      std::fprintf(stderr, "projected_xcorr: outputs of the same weights differ\n");
      return;
    }
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

// ---- channel_product -----------------------------------------------------------------------------------------------

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

// ---- sparse_reconstruct --------------------------------------------------------------------------------------------

// Columns and atoms of whatever rank, and what repeats, is zero, or is no number.  A penalty near zero takes a column
// through every stage: a full set, sweeps, a larger set, and in double a Gram form, an orthogonal set, sweeps again.
template <class T>
void reconstruct(int64_t R, int64_t G, int64_t M, int64_t d, double beta, sr::Solver solver, bool with_data, bool bad,
                 std::mt19937& random) {
  ++calls;
  Exact<T> x(R * G * d), y(G * M * d), gram(G * M * M), correlation(R * G * M), energy(R * G), error(R * G), gap(R * G),
      coefficients(R * G * M);
  std::normal_distribution<double> normal;
  for (int64_t i = 0; i < x.size(); ++i) x.set(i, normal(random));
  for (int64_t i = 0; i < y.size(); ++i) y.set(i, i >= d && i % (5 * d) < d ? y[i % d] : normal(random));  // repeats
  if (bad && x.size() > 0) x.set(x.size() - 1, NAN);
  for (int64_t g = 0; g < G; ++g)
    for (int64_t j = 0; j < M; ++j) {
      const auto dot = [&](const Exact<T>& v, int64_t start) {
        double sum = 0;
        for (int64_t i = 0; i < d; ++i) sum += v[start + i] * y[(g * M + j) * d + i];
        return sum;
      };
      for (int64_t k = 0; k < M; ++k) gram.set((g * M + j) * M + k, dot(y, (g * M + k) * d));
      for (int64_t r = 0; r < R; ++r) correlation.set((r * G + g) * M + j, dot(x, (r * G + g) * d));
    }
  for (int64_t i = 0; i < R * G; ++i) {
    double sum = 0;
    for (int64_t k = 0; k < d; ++k) sum += x[i * d + k] * x[i * d + k];
    energy.set(i, sum);
  }
  sr::Problem<T> p{};
  p.gram = gram.get(), p.correlation = correlation.get(), p.energy = energy.get();
  if (with_data) p.columns = x.get(), p.atoms = y.get();
  p.correlation_stride[0] = G * M, p.correlation_stride[1] = M, p.energy_stride[0] = G, p.energy_stride[1] = 1;
  p.columns_stride[0] = G * d, p.columns_stride[1] = d, p.columns_stride[2] = 1;
  p.atoms_stride[0] = M * d, p.atoms_stride[1] = d, p.atoms_stride[2] = 1;
  // The same data with channels outermost, for floats in a half type; and dictionaries chosen in turn.
  const bool planar = random() % 2;
  const auto turned = [&](const Exact<T>& rows, auto& to, int64_t items, int64_t length) {
    for (int64_t i = 0; i < items; ++i)
      for (int64_t j = 0; j < length; ++j)
        for (int64_t k = 0; k < d; ++k) to.set((i * d + k) * length + j, rows[(i * length + j) * d + k]);
  };
  using Stored = std::conditional_t<sizeof(T) == 4, BFloat16, T>;
  Exact<Stored> planar_x(x.size()), planar_y(y.size());
  if (planar && with_data) {
    turned(x, planar_x, 1, R * G), turned(y, planar_y, G, M);
    p.columns = planar_x.get(), p.atoms = planar_y.get();
    p.columns_storage = p.atoms_storage = sizeof(T) == 4 ? sr::Storage::kBFloat16 : sr::Storage::kSame;
    p.columns_stride[0] = G, p.columns_stride[1] = 1, p.columns_stride[2] = R * G;
    p.atoms_stride[1] = 1, p.atoms_stride[2] = M;
  }
  const auto index = std::make_unique<int64_t[]>(size_t(R * G));
  for (int64_t i = 0; i < R * G; ++i) index[i] = i % G;
  if (planar) p.index = index.get(), p.P = R;
  p.R = R, p.G = G, p.M = M, p.d = d, p.beta = T(beta), p.tolerance = T(1e-4), p.max_iterations = 300;
  p.solver = solver, p.error = error.get(), p.gap = gap.get(), p.coefficients = coefficients.get();
  tested::solve(p, 0, sr::tasks(p));
  for (int64_t i = 0; i < R * G; ++i)
    if (!(error[i] >= 0 && error[i] <= energy[i] * 1.01) && !(bad && i == R * G - 1)) {
      ++failures;
      std::fprintf(stderr, "sparse_reconstruct: an error of %g of %g; M %lld, d %lld, beta %g\n", error[i], energy[i],
                   (long long)M, (long long)d, beta);
      return;
    }
}

template <class T>
void reconstruct_anything(unsigned seed) {
  std::mt19937 random(seed);
  for (const int64_t M : {0, 1, 7, 16, 33, 70, 100})
    for (const auto solver : {sr::Solver::kActiveSet, sr::Solver::kFeatureSign, sr::Solver::kCoordinateDescent})
      for (const double beta : {0.5, 1e-3, 1e-12})
        reconstruct<T>(1 + int64_t(random() % 19), 1 + int64_t(random() % 2), M, M > 40 ? 96 : random() % 2 ? 5 : 18,
                       beta, solver, random() % 2, random() % 2, random);
}

}  // namespace

int main() {
  sample_cancelling<float>();
  sample_anywhere<float>(900, 1);
  sample_anywhere<double>(400, 2);
  sample_anywhere<Half>(200, 3);
  sample_anywhere<BFloat16>(200, 4);
  sample_large<float>(120, 11);
  sample_large<double>(60, 12);
  sample_large<Half>(20, 13);
  correlate_anything<float>(150, 5);
  correlate_anything<double>(80, 6);
  correlate_anything<Half>(40, 7);
  correlate_anything<BFloat16>(40, 8);
  multiply_any_channels<float>(VectorUnit(), 150, 11);
  multiply_any_channels<double>(VectorUnit(), 80, 12);
  multiply_any_channels<Half>(VectorUnit(), 60, 13);
  multiply_any_channels<BFloat16>(VectorUnit(), 60, 14);
#ifdef REIDOPS_X86
  if (reidops::cpu_has_matrix_unit()) multiply_any_channels<BFloat16>(MatrixUnit(), 150, 15);
#endif
  reconstruct_anything<float>(9);
  reconstruct_anything<double>(10);
  std::printf("%d calls, %d failures\n", calls, failures);
  return failures > 0;
}
