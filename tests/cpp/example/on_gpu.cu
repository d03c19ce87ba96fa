// on_gpu.cu - every CUDA kernel from C++, without torch: link to reidops_cuda_kernels, whose kernels are in headers.
//
//   1. Fill in a problem (problems.h) with pointers to the device's memory.
//   2. Launch it on a stream.  A launcher neither waits nor allocates; what it cannot launch it throws.
//
// What comes out is compared with what the CPU's kernels make of the same problem with pointers to the host's memory.
// Where there is no GPU nothing runs, and the exit status says so: compiling and linking was the test.
#include "../check.h"
#include "affine_sample/affine_sample.cuh"
#include "depthwise_xcorr/depthwise_xcorr.cuh"
#include "plain.h"
#include "problems.h"
#include "projected_xcorr/projected_xcorr.cuh"
#include "sparse_reconstruct/sparse_reconstruct.cuh"

using namespace example;
using reidops::check_cuda;
using reidops::Stream;
namespace as = reidops::affine_sample;
namespace px = reidops::projected_xcorr;
namespace sr = reidops::sparse_reconstruct;
namespace xc = reidops::depthwise_xcorr;

constexpr int kSkipped = 77;  // as CMakeLists.txt tells ctest

// Numbers in the device's memory.
class OnDevice {
 public:
  explicit OnDevice(int64_t count) : count_(count) { check_cuda(cudaMalloc(&data_, bytes()), "cudaMalloc"); }
  OnDevice(const Numbers& numbers, Stream stream) : OnDevice(int64_t(numbers.size())) {
    check_cuda(cudaMemcpyAsync(data_, numbers.data(), bytes(), cudaMemcpyHostToDevice, stream), "to the device");
  }
  ~OnDevice() { cudaFree(data_); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  float* data() const { return data_; }
  // Waits for all that the stream was given.
  Numbers read(Stream stream) const {
    Numbers numbers(count_);
    check_cuda(cudaMemcpyAsync(numbers.data(), data_, bytes(), cudaMemcpyDeviceToHost, stream), "from the device");
    check_cuda(cudaStreamSynchronize(stream), "running the kernels");
    return numbers;
  }

 private:
  std::size_t bytes() const { return std::max<int64_t>(1, count_) * sizeof(float); }
  int64_t count_;
  float* data_ = nullptr;
};

void check_all(const char* what, const Numbers& got, const Numbers& expected, double tolerance) {
  for (std::size_t i = 0; i < expected.size(); ++i) check_close(what, got[i], expected[i], tolerance);
}

void affine_sample(Stream stream) {
  const Maps of{3, 3, 24, 12};
  const int64_t P = 2, h = 16, w = 8;
  const Numbers pictures = numbers(of.elements(), 1), theta = affine_maps(P * of.count);
  Numbers expected(P * of.count * of.channels * h * w);
  const auto here = sample(pictures.data(), of, theta.data(), P, h, w, expected.data());
  reidops::baseline::affine_sample_kernels::forward(here, 0, as::forward_tasks(here));

  const OnDevice pictures_there(pictures, stream), theta_there(theta, stream), output(int64_t(expected.size()));
  as::launch_forward(sample(pictures_there.data(), of, theta_there.data(), P, h, w, output.data()), stream);
  check_all("affine_sample", output.read(stream), expected, 1e-4);
}

void depthwise_xcorr(Stream stream) {
  const Maps of{2, 21, 12, 6};
  const int64_t B = 3, k = 5;
  const Numbers maps = numbers(of.elements(), 2), templates = numbers(B * of.channels * k * k, 3);
  Numbers expected(B * of.elements());
  const auto here = correlate(maps.data(), of, templates.data(), B, k, expected.data());
  namespace kernels = reidops::baseline::depthwise_xcorr_kernels;
  kernels::correlate(here, 0, kernels::tasks(here));

  const OnDevice maps_there(maps, stream), templates_there(templates, stream), out(int64_t(expected.size()));
  xc::launch_xcorr(correlate(maps_there.data(), of, templates_there.data(), B, k, out.data()), stream);
  check_all("depthwise_xcorr", out.read(stream), expected, 1e-5);
}

// The CUDA kernel has its weights the other way round: (C, T, O) where the CPU's are (O, T, C).
Numbers turned_round(const Numbers& weight, int64_t O, int64_t T, int64_t C) {
  Numbers turned(weight.size());
  for (int64_t o = 0; o < O; ++o)
    for (int64_t t = 0; t < T; ++t)
      for (int64_t c = 0; c < C; ++c) turned[(c * T + t) * O + o] = weight[(o * T + t) * C + c];
  return turned;
}

void projected_xcorr(Stream stream) {
  const Maps of{2, 21, 12, 6};
  const int64_t B = 3, T = 2, k = 3, O = 4;
  const Numbers maps = numbers(of.elements(), 4), templates = numbers(B * T * of.channels * k * k, 5);
  const Numbers weight = numbers(O * T * of.channels, 6);
  Numbers expected(of.count * B * O * of.locations() / 4);
  const auto here = project(maps.data(), of, templates.data(), B, T, k, weight.data(), O, expected.data());
  reidops::baseline::projected_xcorr_kernels::project(here, 0, here.maps.outputs.size);

  const OnDevice maps_there(maps, stream), templates_there(templates, stream);
  const OnDevice weight_there(turned_round(weight, O, T, of.channels), stream), out(int64_t(expected.size()));
  px::launch_projection(
      project(maps_there.data(), of, templates_there.data(), B, T, k, weight_there.data(), O, out.data()), stream);
  check_all("projected_xcorr", out.read(stream), expected, 1e-4);
}

// What was minimised: ||x - Yw||^2 + beta |w|_1 of every column.
Numbers objectives(const Lasso& of, const Numbers& error, const Numbers& coefficients) {
  Numbers made = error;
  for (std::size_t i = 0; i < coefficients.size(); ++i) made[i / of.M] += of.beta * std::abs(coefficients[i]);
  return made;
}

// The Gram form comes from matrix products, which on a GPU are cuBLAS's.  Here it is of M atoms with the Gram 1 + a on
// its diagonal and a elsewhere, a valid one for any a >= 0.
void sparse_reconstruct(Stream stream) {
  const Lasso lasso{.R = 24, .G = 3, .M = 20, .beta = 0.4f, .tolerance = 1e-4f};
  const float a = 0.25f;
  Numbers gram(lasso.G * lasso.M * lasso.M, a), energy(lasso.R, 20);
  for (int64_t i = 0; i < lasso.G * lasso.M; ++i) gram[i * lasso.M + i % lasso.M] += 1;
  const Numbers correlation = numbers(lasso.R * lasso.G * lasso.M, 7);
  const int64_t columns = lasso.R * lasso.G;
  Numbers error(columns), gap(columns), coefficients(columns * lasso.M);
  const auto here = reconstruct(lasso, gram.data(), correlation.data(), energy.data(), error.data(), gap.data(),
                                coefficients.data());
  reidops::baseline::solve(here, 0, sr::tasks(here));

  const OnDevice gram_there(gram, stream), correlation_there(correlation, stream), energy_there(energy, stream);
  const OnDevice error_there(columns), gap_there(columns), coefficients_there(columns * lasso.M);
  const auto there = reconstruct(lasso, gram_there.data(), correlation_there.data(), energy_there.data(),
                                 error_there.data(), gap_there.data(), coefficients_there.data());
  const OnDevice memory(sr::memory_needed(there));
  // Rows of the Gram lie a multiple of 4 numbers apart: 20 atoms do so by themselves, others are padded with zeros.
  sr::launch_sparse_reconstruct(there, lasso.M, memory.data(), stream);
  const Numbers optimum = objectives(lasso, error, coefficients);  // to the tolerance; so is the other
  const Numbers found = objectives(lasso, error_there.read(stream), coefficients_there.read(stream));
  check_all("objective", found, optimum, lasso.tolerance * *std::max_element(optimum.begin(), optimum.end()));
  check_all("gap", gap_there.read(stream), Numbers(columns), lasso.tolerance);
}

int main() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::printf("example on a GPU: not run: there is none\n");
    return kSkipped;
  }
  Stream stream;
  check_cuda(cudaStreamCreate(&stream), "cudaStreamCreate");
  affine_sample(stream);
  depthwise_xcorr(stream);
  projected_xcorr(stream);
  sparse_reconstruct(stream);
  check_cuda(cudaStreamDestroy(stream), "cudaStreamDestroy");
  std::printf("example on a GPU: %d failures\n", failures);
  return failures > 0;
}
