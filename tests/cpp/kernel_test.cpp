// The CPU kernels without torch, one copy after another up to the widest this machine has.
//
// The identity samples an image as it is, and a template of one 1 moves a map; with orthonormal atoms the lasso has a
// closed form: w_j = soft(c_j, beta / 2), and the error is e - sum_j w_j (2 c_j - w_j).
#include <algorithm>
#include <vector>

#include "affine_sample/problem.h"
#include "check.h"
#include "common/isa.h"
#include "depthwise_xcorr/problem.h"
#include "projected_xcorr/problem.h"
#include "sparse_reconstruct/problem.h"

namespace as = reidops::affine_sample;
namespace px = reidops::projected_xcorr;
namespace sr = reidops::sparse_reconstruct;
namespace xc = reidops::depthwise_xcorr;

template <class T, class Solve>
void orthonormal_atoms(Solve solve, reidops::Isa isa, sr::Solver solver) {
  const int64_t M = 19, R = 3;
  const T beta = T(0.4);
  std::vector<T> gram(M * M), correlation(R * M), energy(R, T(40)), error(R), gap(R), coefficients(R * M);
  for (int64_t j = 0; j < M; ++j) gram[j * M + j] = 1;
  for (int64_t i = 0; i < R * M; ++i) correlation[i] = T(std::sin(double(i)));

  sr::Problem<T> problem{};
  problem.gram = gram.data();
  problem.correlation = correlation.data();
  problem.energy = energy.data();
  problem.correlation_stride[0] = M;
  problem.energy_stride[0] = 1;
  problem.R = R;
  problem.G = 1;
  problem.M = M;
  problem.beta = beta;
  problem.tolerance = T(1e-5);
  problem.max_iterations = 1000;
  problem.solver = solver;
  problem.error = error.data();
  problem.gap = gap.data();
  problem.coefficients = coefficients.data();
  solve(problem, 0, sr::tasks(problem));

  for (int64_t r = 0; r < R; ++r) {
    double expected = energy[r];
    for (int64_t j = 0; j < M; ++j) {
      const double c = correlation[r * M + j], w = sr::soft_threshold(c, double(beta) / 2);
      check_close(reidops::name(isa), coefficients[r * M + j], w, 1e-5);
      expected -= w * (2 * c - w);
    }
    check_close(reidops::name(isa), error[r], expected, 1e-4);
    check_close(reidops::name(isa), gap[r], 0, 1e-5);
  }
}

template <class Solve>
void every_solver(Solve solve, reidops::Isa isa) {
  for (const auto solver : {sr::Solver::kActiveSet, sr::Solver::kFeatureSign, sr::Solver::kCoordinateDescent}) {
    orthonormal_atoms<float>(solve, isa, solver);
    orthonormal_atoms<double>(solve, isa, solver);
  }
}

template <class T, class Forward>
void identity(Forward forward, reidops::Isa isa, int64_t channels) {
  const int64_t H = 8, W = 4;
  std::vector<T> input(channels * H * W), output(input.size());
  for (std::size_t i = 0; i < input.size(); ++i) input[i] = T(std::sin(double(i)));
  const T theta[6] = {1, 0, 0, 0, 1, 0};
  as::Problem<T> problem{};
  problem.input = input.data();
  problem.theta = theta;
  problem.output = output.data();
  problem.C = channels;
  problem.H = problem.h = H;
  problem.W = problem.w = W;
  problem.channel_stride = H * W;
  problem.row_stride = W;
  problem.column_stride = 1;
  forward(problem, 0, as::forward_tasks(problem));
  for (std::size_t i = 0; i < input.size(); ++i) check_close(reidops::name(isa), output[i], input[i], 1e-6);
}

template <class Forward>
void every_identity(Forward forward, reidops::Isa isa) {
  for (const int64_t channels : {3, 21}) {
    identity<float>(forward, isa, channels);
    identity<double>(forward, isa, channels);
  }
}

// A 1 in row 2 and column 0 of a 3x3 template: the map's next row, and its last column.  Projected by ones and pooled:
// the sum over the channels of the largest of four.
template <class T, class Correlate, class Tasks, class Project>
void moved(Correlate correlate, Tasks tasks, Project project, reidops::Isa isa, int64_t channels) {
  const int64_t H = 6, W = 4;
  std::vector<T> map(channels * H * W), templ(channels * 9), out(map.size()), weight(channels, T(1)), sums(H / 2 * W / 2);
  for (std::size_t i = 0; i < map.size(); ++i) map[i] = T(std::sin(double(i)));
  for (int64_t c = 0; c < channels; ++c) templ[c * 9 + 6] = 1;
  const auto expected = [&](int64_t c, int64_t y, int64_t x) {
    return y + 1 < H && x > 0 ? double(map[(c * H + y + 1) * W + x - 1]) : 0.0;
  };
  xc::Problem<T> problem{.search = map.data(), .templ = templ.data(), .out = out.data(), .outputs = {}, .sums = {}};
  problem.C = channels, problem.H = problem.h = H, problem.W = problem.w = W, problem.kh = problem.kw = 3;
  problem.top = problem.left = 1;
  problem.of_search = problem.of_out = {H * W, W, 1}, problem.of_template = {9, 3, 1};
  correlate(problem, 0, tasks(problem));
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t i = 0; i < H * W; ++i)
      check_close(reidops::name(isa), out[c * H * W + i], expected(c, i / W, i % W), 1e-6);

  problem.out = sums.data();
  const px::Problem<T> projection{.maps = problem, .weight = weight.data(), .O = 1, .templates = 1,
                                  .template_step = 0, .ph = H / 2, .pw = W / 2, .pooled = true};
  project(projection, 0, 1);
  for (int64_t i = 0; i < int64_t(sums.size()); ++i) {
    double sum = 0;
    for (int64_t c = 0; c < channels; ++c) {
      double largest = -2;
      for (int k = 0; k < 4; ++k)
        largest = std::max(largest, expected(c, 2 * (i / (W / 2)) + k / 2, 2 * (i % (W / 2)) + k % 2));
      sum += largest;
    }
    check_close(reidops::name(isa), sums[i], sum, 1e-4);
  }
}

template <class Correlate, class Tasks, class Project>
void every_move(Correlate correlate, Tasks tasks, Project project, reidops::Isa isa) {
  for (const int64_t channels : {3, 21}) {
    moved<float>(correlate, tasks, project, isa, channels);
    moved<double>(correlate, tasks, project, isa, channels);
  }
}

#define CHECK_ALL(isa, value)                                                                   \
  every_solver([](const auto&... arguments) { reidops::isa::solve(arguments...); }, value);     \
  every_identity(                                                                               \
      [](const auto&... arguments) { reidops::isa::affine_sample_kernels::forward(arguments...); }, value);   \
  every_move([](const auto&... arguments) { reidops::isa::depthwise_xcorr_kernels::correlate(arguments...); },  \
             [](const auto& problem) { return reidops::isa::depthwise_xcorr_kernels::tasks(problem); },         \
             [](const auto&... arguments) { reidops::isa::projected_xcorr_kernels::project(arguments...); }, value);

int main() {
  using reidops::Isa;
  const Isa widest = reidops::widest_cpu_isa();
  CHECK_ALL(baseline, Isa::kBaseline)
#ifdef REIDOPS_X86
  if (widest >= Isa::kAvx2) {
    CHECK_ALL(avx2, Isa::kAvx2)
  }
  if (widest >= Isa::kAvx512) {
    CHECK_ALL(avx512, Isa::kAvx512)
  }
#endif
  std::printf("kernels up to %s: %d failures\n", reidops::name(widest), failures);
  return failures > 0;
}
