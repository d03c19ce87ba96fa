// as_cuda.cu - the kernels of the emulator's own tests, for nvcc: what the emulator takes for CUDA must be CUDA.
#include "planted_bugs.cuh"
#include "vocabulary.cuh"

using namespace reidops;

namespace {

void instantiate_vocabulary(const float* x, float* y, const double* wide_x, double* wide_y) {
  const dim3 grid(1), block(32);
  launch(vocabulary::shuffles<float>, grid, block, 0, nullptr, x, y, 1, 32);
  launch(vocabulary::shuffles<double>, grid, block, 0, nullptr, wide_x, wide_y, 1, 32);
  launch(vocabulary::reverse<float>, grid, block, kDefaultSharedBytes + 1, nullptr, x, y, 32);
  launch(vocabulary::reverse<double>, grid, block, 0, nullptr, wide_x, wide_y, 32);
}

template <planted_bugs::Version version>
void instantiate_planted_bugs(const float* x, float* y) {
  using namespace planted_bugs;
  for (auto kernel : {write_after_read<version>, missing_barrier<version>, missing_syncwarp<version>,
                      shuffle_for_a_barrier<version>, syncwarp_for_a_block<version>, divergent_barrier<version>,
                      two_barriers<version>, early_exit<version>, half_warp_shuffle<version>,
                      exited_lane_shuffle<version>, plain_add<version>, plain_read_of_atomic<version>,
                      blocks_meet<version>, unwritten_shared<version>, missing_wait<version>,
                      wait_after_barrier<version>, barrier_before_copy<version>, one_wait_too_early<version>,
                      misaligned_copy<version>, copy_of_global<version>, dynamic_shared_read<version>,
                      dynamic_shared_write<version>, inner_index<version>, global_read<version>,
                      global_write<version>, write_to_input<version>, misaligned_vector<version>,
                      index_overflow<version>}) {
    launch(kernel, dim3(1), dim3(64), 64 * sizeof(float), nullptr, x, y);
  }
}

}  // namespace

void instantiate(const float* x, float* y, const double* wide_x, double* wide_y) {
  instantiate_vocabulary(x, y, wide_x, wide_y);
  instantiate_planted_bugs<planted_bugs::kWrong>(x, y);
  instantiate_planted_bugs<planted_bugs::kRight>(x, y);
}
