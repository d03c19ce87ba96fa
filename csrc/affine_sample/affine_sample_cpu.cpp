// affine_sample_cpu.cpp - the CPU operators: the kernel of this machine's instruction set, on all threads.
#include <algorithm>
#include <tuple>

#include "../common/isa.h"
#include "../common/large_pages.h"
#include "operands.h"

namespace reidops {
namespace {

using affine_sample::Batch;
using affine_sample::Problem;

template <class S>
struct Kernels {
  using Run = void (*)(const Problem<S>&, int64_t, int64_t);
  Run forward, backward, add_parts, spread, slopes;

#define REIDOPS_TAKE(isa)                                                                                    \
  forward = isa::affine_sample_kernels::forward, backward = isa::affine_sample_kernels::backward,            \
  add_parts = isa::affine_sample_kernels::add_parts, spread = isa::affine_sample_kernels::spread,            \
  slopes = isa::affine_sample_kernels::slopes
  Kernels() {
    REIDOPS_TAKE(baseline);
#ifdef REIDOPS_X86
    if (cpu_isa() == Isa::kAvx2) REIDOPS_TAKE(avx2);
    if (cpu_isa() == Isa::kAvx512) REIDOPS_TAKE(avx512);
#endif
  }
#undef REIDOPS_TAKE
};

// A thread gets at least as many tasks as take several times as long as it takes to wake it up.
template <class S>
void run(void (*kernel)(const Problem<S>&, int64_t, int64_t), const Problem<S>& problem, int64_t tasks) {
  constexpr int64_t kNumbers = 1 << 14;
  const int64_t numbers = times(problem.images.size * problem.repeats.size, times(problem.C, problem.pixels()));
  const int64_t grain = tasks > 0 ? std::max<int64_t>(1, kNumbers / std::max<int64_t>(1, numbers / tasks)) : 1;
  share_out(affine_sample::kOp, tasks, [&](int64_t begin, int64_t end) { kernel(problem, begin, end); }, grain);
}

Tensor forward(const Tensor& input, const Tensor& given, int64_t h, int64_t w, int64_t mode, int64_t padding,
               bool align_corners) {
  affine_sample::check_call(input, given, h, w, mode, padding);
  const Tensor theta = torch::stable::contiguous(given);
  const Batch batch = affine_sample::batch_of(input, theta, false);
  const Tensor output = affine_sample::new_output(input, batch, h, w);
  dispatch_storage(input.scalar_type(), affine_sample::kOp, "input", [&](auto zero) {
    using S = decltype(zero);
    auto problem = affine_sample::problem_of<S>(input, theta, batch, h, w, mode, padding, align_corners);
    problem.output = static_cast<S*>(output.mutable_data_ptr());
    prefer_large_pages(problem.output, size_t(output.numel()) * sizeof(S));
    run(Kernels<S>().forward, problem, forward_tasks(problem));
  });
  return output;
}

std::tuple<Tensor, Tensor> backward(const Tensor& grad, const Tensor& input, const Tensor& theta, int64_t mode,
                                    int64_t padding, bool align_corners, bool of_input, bool of_theta) {
  auto operands = affine_sample::backward_operands(grad, input, theta, mode, padding, of_input);
  dispatch_storage(input.scalar_type(), affine_sample::kOp, "input", [&](auto zero) {
    using S = decltype(zero);
    auto problem = operands.problem<S>(align_corners);
    if (problem.grad_input) prefer_large_pages(problem.grad_input, size_t(operands.grad_input.numel()) * sizeof(S));
    const Kernels<S> kernels;
    const affine_sample::Strips<S> strips(problem);
    const int64_t blocks = affine_sample::Blocks<S>(problem).count, owners = problem.images.size * blocks;
    operands.new_sums(problem, of_theta, blocks * std::max<int64_t>(1, strips.bands));
    if (strips.count > 0) {
      if (problem.grad_input) run(kernels.spread, problem, owners * strips.count);
      const bool any = problem.grad_theta && problem.mode != affine_sample::Mode::kNearest;
      if (any) run(kernels.slopes, problem, owners * problem.repeats.size * strips.bands);
      return;
    }
    const bool in_parts = problem.grad_input != nullptr && affine_sample::parts(problem) > 1;
    const Tensor memory = operands.new_memory<S>(in_parts ? backward_tasks(problem) * part_size(problem) : 0);
    problem.grad_parts = static_cast<typename Problem<S>::T*>(memory.mutable_data_ptr());
    run(kernels.backward, problem, backward_tasks(problem));
    if (in_parts) run(kernels.add_parts, problem, backward_tasks(problem));
  });
  return operands.gradients(of_theta);
}

}  // namespace
}  // namespace reidops

STABLE_TORCH_LIBRARY_IMPL(reidops, CPU, m) {
  m.impl("affine_sample", TORCH_BOX(&reidops::forward));
  m.impl("affine_sample_backward", TORCH_BOX(&reidops::backward));
}
