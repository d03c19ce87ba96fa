// on_cpu.cpp - every CPU kernel from C++, without torch: link to reidops_kernels and read on.
//
//   1. Fill in a problem (problems.h; those of products are below).
//   2. Take the kernel of this machine's instruction set.
//   3. Run its tasks.  They may be cut anywhere and run in any order and on any thread: the bits are the same.
#include <algorithm>
#include <numeric>
#include <thread>

#include "../check.h"
#include "channel_product/problem.h"
#include "common/isa.h"
#include "plain.h"
#include "problems.h"

using namespace example;
namespace as = reidops::affine_sample;
namespace cp = reidops::channel_product;
namespace px = reidops::projected_xcorr;
namespace sr = reidops::sparse_reconstruct;
namespace xc = reidops::depthwise_xcorr;

// A kernel is compiled once for each instruction set, into a namespace of that name, and overloaded for its types.
#ifdef REIDOPS_X86
#define OF_THIS_MACHINE(Function, name)                                                           \
  (reidops::cpu_isa() == reidops::Isa::kAvx512 ? static_cast<Function*>(reidops::avx512::name)    \
   : reidops::cpu_isa() == reidops::Isa::kAvx2 ? static_cast<Function*>(reidops::avx2::name)      \
                                               : static_cast<Function*>(reidops::baseline::name))
#else
#define OF_THIS_MACHINE(Function, name) static_cast<Function*>(reidops::baseline::name)
#endif

template <class Problem>
using Range = void(const Problem&, int64_t begin, int64_t end);  // runs tasks [begin, end)
template <class Problem>
using Count = int64_t(const Problem&);

// An equal share of the tasks on every thread.
template <class Problem>
void run(Range<Problem>* kernel, const Problem& problem, int64_t tasks) {
  const int64_t threads = std::max<int64_t>(1, std::thread::hardware_concurrency());
  std::vector<std::jthread> running;  // which are waited for as they are destroyed
  for (int64_t t = 0; t < threads; ++t)
    running.emplace_back([=, &problem] { kernel(problem, tasks * t / threads, tasks * (t + 1) / threads); });
}

void check_all(const char* what, const Numbers& got, const Numbers& expected, double tolerance) {
  check_close(what, double(got.size()), double(expected.size()), 0);
  for (std::size_t i = 0; i < got.size() && i < expected.size(); ++i) check_close(what, got[i], expected[i], tolerance);
}

void affine_sample() {
  const Maps of{3, 3, 24, 12};
  const int64_t P = 2, h = 16, w = 8;
  const Numbers pictures = numbers(of.elements(), 1), theta = affine_maps(P * of.count);
  Numbers output(P * of.count * of.channels * h * w);
  const auto problem = sample(pictures.data(), of, theta.data(), P, h, w, output.data());
  run(OF_THIS_MACHINE(Range<as::Problem<float>>, affine_sample_kernels::forward), problem, as::forward_tasks(problem));
  check_all("affine_sample", output, plain_sample(pictures, of, theta, P, h, w), 1e-4);
}

void depthwise_xcorr() {
  const Maps of{2, 21, 12, 6};
  const int64_t B = 3, k = 5;
  const Numbers maps = numbers(of.elements(), 2), templates = numbers(B * of.channels * k * k, 3);
  Numbers out(B * of.elements());
  const auto problem = correlate(maps.data(), of, templates.data(), B, k, out.data());
  const auto tasks = OF_THIS_MACHINE(Count<xc::Problem<float>>, depthwise_xcorr_kernels::tasks);
  run(OF_THIS_MACHINE(Range<xc::Problem<float>>, depthwise_xcorr_kernels::correlate), problem, tasks(problem));
  check_all("depthwise_xcorr", out, plain_correlate(maps, of, templates, B, k), 1e-5);
}

void projected_xcorr() {
  const Maps of{2, 21, 12, 6};
  const int64_t B = 3, T = 2, k = 3, O = 4;
  const Numbers maps = numbers(of.elements(), 4), templates = numbers(B * T * of.channels * k * k, 5);
  const Numbers weight = numbers(O * T * of.channels, 6);
  Numbers out(of.count * B * O * of.locations() / 4);
  const auto problem = project(maps.data(), of, templates.data(), B, T, k, weight.data(), O, out.data());
  // A task is an output of all O channels.
  run(OF_THIS_MACHINE(Range<px::Problem<float>>, projected_xcorr_kernels::project), problem,
      problem.maps.outputs.size);
  check_all("projected_xcorr", out, plain_project(maps, of, templates, B, T, k, weight, O), 1e-4);
}

// The next three are one calculation, DSR's: how well is every location of a probe's feature map a sparse sum of the
// locations of a gallery image's map?  Of maps (count, C, locations) a column x is a location of a probe, an atom y_j
// one of an image.

// Products over channels, (P, N, G, M): all locations of all left maps with all of all right ones; or, of maps with
// themselves, (G, M, M).
Numbers channel_product(const Numbers& left, const Maps& of_left, const Numbers& right, const Maps& of_right,
                        bool gram) {
  const int64_t P = of_left.count, G = of_right.count, partners = gram ? 1 : G;
  // Right map g has the pairs [first[g], first[g + 1]), each with its place in the result, p * partners + k.
  std::vector<int64_t> first(G + 1), place(P * partners);
  for (int64_t g = 0; g <= G; ++g) first[g] = gram ? g : g * P;
  for (int64_t pair = 0; pair < P * partners; ++pair) place[pair] = gram ? pair : pair % P * G + pair / P;

  const auto side = [](const Numbers& maps, const Maps& of) {
    return cp::Side<float>{.data = maps.data(), .count = of.count, .size = of.locations(),
                           .map = of.step(), .channel = of.locations(), .location = 1};
  };
  Numbers out(P * of_left.locations() * partners * of_right.locations());
  cp::Problem<float> problem{.left = side(left, of_left), .right = side(right, of_right), .C = of_left.channels,
                             .pairs = {first.data(), place.data(), partners}, .laid_out = nullptr,
                             .out = out.data(), .gram = gram};

  using Problem = cp::Problem<float>;
  const int64_t bytes = OF_THIS_MACHINE(Count<Problem>, channel_product_kernels::bytes_laid_out)(problem);
  const int64_t strips = OF_THIS_MACHINE(Count<Problem>, channel_product_kernels::strips)(problem);
  const int64_t tasks = OF_THIS_MACHINE(Count<Problem>, channel_product_kernels::tasks)(problem);
  std::vector<std::byte> laid_out(bytes);  // the left maps, where the kernel wants them in another order
  if (bytes > 0) {
    problem.laid_out = laid_out.data();
    run(OF_THIS_MACHINE(Range<Problem>, channel_product_kernels::lay_out), problem, strips);
  }
  run(OF_THIS_MACHINE(Range<Problem>, channel_product_kernels::multiply), problem, tasks);
  if (gram) run(OF_THIS_MACHINE(Range<Problem>, channel_product_kernels::mirror), problem, strips);
  return out;
}

// Sums of maps' locations by weights (P, N, G, M), most of them zero: (P, C, N).
Numbers weighted_sums(const Numbers& weights, const Maps& of_result, const Numbers& maps, const Maps& of_maps) {
  const int64_t P = of_result.count, N = of_result.locations(), G = of_maps.count, M = of_maps.locations();
  Numbers out(of_result.elements());
  cp::Sums<float> sums{.weights = weights.data(), .A = P, .I = N, .B = G, .map = N * G * M, .row = G * M, .of = M,
                       .column = 1, .maps = {maps.data(), G, M, of_maps.step(), M, 1}, .C = of_maps.channels,
                       .laid_out = nullptr, .out = out.data()};
  Numbers laid_out(OF_THIS_MACHINE(Count<cp::Sums<float>>, channel_product_kernels::numbers_laid_out)(sums));
  sums.laid_out = laid_out.data();
  run(OF_THIS_MACHINE(Range<cp::Sums<float>>, channel_product_kernels::lay_out_maps), sums, G);
  const int64_t tasks = OF_THIS_MACHINE(Count<cp::Sums<float>>, channel_product_kernels::sum_tasks)(sums);
  run(OF_THIS_MACHINE(Range<cp::Sums<float>>, channel_product_kernels::sum), sums, tasks);
  return out;
}

void sparse_reconstruct() {
  const Maps of_probes{2, 48, 4, 3}, of_gallery{3, 48, 5, 4};
  const int64_t P = of_probes.count, C = of_probes.channels, N = of_probes.locations();
  const int64_t G = of_gallery.count, M = of_gallery.locations();
  const Lasso lasso{.R = P * N, .G = G, .M = M, .beta = 4, .tolerance = 1e-4f};
  const Numbers probes = numbers(of_probes.elements(), 7), gallery = numbers(of_gallery.elements(), 8);
  const auto x = [&](int64_t r, int64_t c) { return double(probes[(r / N * C + c) * N + r % N]); };
  const auto y = [&](int64_t g, int64_t j, int64_t c) { return double(gallery[(g * C + c) * M + j]); };

  const Numbers correlation = channel_product(probes, of_probes, gallery, of_gallery, false);  // (R, G, M)
  const Numbers gram = channel_product(gallery, of_gallery, gallery, of_gallery, true);        // (G, M, M)
  Numbers energy(lasso.R), error(lasso.R * G), gap(lasso.R * G), w(lasso.R * G * M);
  for (int64_t r = 0; r < lasso.R; ++r)
    for (int64_t c = 0; c < C; ++c) energy[r] += float(x(r, c) * x(r, c));
  const auto problem =
      reconstruct(lasso, gram.data(), correlation.data(), energy.data(), error.data(), gap.data(), w.data());
  run(OF_THIS_MACHINE(Range<sr::Problem<float>>, solve), problem, sr::tasks(problem));
  const Numbers rebuilt = weighted_sums(w, of_probes, gallery, of_gallery);  // by all images together, (P, C, N)

  const auto used = std::count_if(w.begin(), w.end(), [](float coefficient) { return coefficient != 0; });
  check_close("share of atoms that are used", double(used) / double(w.size()), 0.3, 0.2);

  // At the optimum |y_j'(x - Yw)| <= beta / 2, with equality, and w's sign, where w_j is not zero.
  for (int64_t r = 0; r < lasso.R; ++r) {
    std::vector<double> by_all(C);
    for (int64_t g = 0; g < G; ++g) {
      std::vector<double> left(C);
      const float* const coefficient = w.data() + (r * G + g) * M;
      for (int64_t c = 0; c < C; ++c) {
        double sum = 0;
        for (int64_t j = 0; j < M; ++j) sum += coefficient[j] * y(g, j, c);
        left[c] = x(r, c) - sum;
        by_all[c] += sum;
      }
      check_close("error", error[r * G + g], std::inner_product(left.begin(), left.end(), left.begin(), 0.0), 1e-3);
      check_close("gap", gap[r * G + g], 0, lasso.tolerance);
      for (int64_t j = 0; j < M; ++j) {
        double product = 0, slope = 0;
        for (int64_t c = 0; c < C; ++c) product += y(g, j, c) * x(r, c), slope += y(g, j, c) * left[c];
        check_close("correlation", correlation[(r * G + g) * M + j], product, 1e-4);
        const double bound = lasso.beta / 2, sign = coefficient[j] > 0 ? 1 : -1;
        if (coefficient[j] == 0) check_close("slope of a zero", slope, 0, bound * 1.02);
        else check_close("slope", slope * sign, bound, bound * 0.02);
      }
    }
    for (int64_t c = 0; c < C; ++c) check_close("weighted sum", rebuilt[(r / N * C + c) * N + r % N], by_all[c], 1e-4);
  }
}

int main() {
  affine_sample();
  depthwise_xcorr();
  projected_xcorr();
  sparse_reconstruct();
  std::printf("example on the CPU, %s: %d failures\n", reidops::cpu_isa_name(), failures);
  return failures > 0;
}
