// affine_sample_cpu.cpp - the CPU operators: the kernel of this machine's instruction set, on all threads.
#include <algorithm>
#include <tuple>

#include "../common/isa.h"
#include "operands.h"

namespace reidops {
namespace {

using affine_sample::Batch;
using affine_sample::Problem;

template <class S>
struct Kernels {
  using Run = void (*)(const Problem<S>&, int64_t, int64_t);
  Run forward = baseline::affine_sample_kernels::forward;
  Run backward = baseline::affine_sample_kernels::backward;
  Run add_parts = baseline::affine_sample_kernels::add_parts;

  Kernels() {
#ifdef REIDOPS_X86
    if (cpu_isa() == Isa::kAvx2)
      forward = avx2::affine_sample_kernels::forward, backward = avx2::affine_sample_kernels::backward,
      add_parts = avx2::affine_sample_kernels::add_parts;
    if (cpu_isa() == Isa::kAvx512)
      forward = avx512::affine_sample_kernels::forward, backward = avx512::affine_sample_kernels::backward,
      add_parts = avx512::affine_sample_kernels::add_parts;
#endif
  }
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
    operands.new_sums(problem, of_theta, affine_sample::Blocks<S>(problem).count);
    const bool in_parts = problem.grad_input != nullptr && affine_sample::parts(problem) > 1;
    const Tensor memory = operands.new_memory<S>(in_parts ? backward_tasks(problem) * part_size(problem) : 0);
    problem.grad_parts = static_cast<typename Problem<S>::T*>(memory.mutable_data_ptr());
    const Kernels<S> kernels;
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
