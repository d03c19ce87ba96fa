// problems.h - what the kernels are told: plain structs of pointers, sizes and strides, with nothing of torch.
//
// A struct is the same for the CPU (on_cpu.cpp) and for CUDA (on_gpu.cu): its pointers are the host's or the device's.
// Here every tensor is contiguous, with its sizes written from the outermost to the innermost: maps (N, C, H, W).  All
// steps and strides count elements.  A tensor that lacks a dimension of the output is walked along it in steps of 0, so
// nothing is copied to be broadcast.
#pragma once

#include <cstdint>

#include "affine_sample/problem.h"
#include "depthwise_xcorr/problem.h"
#include "projected_xcorr/problem.h"
#include "sparse_reconstruct/problem.h"

namespace example {

// Feature maps or pictures (count, channels, height, width).
struct Maps {
  int64_t count, channels, height, width;

  int64_t locations() const { return height * width; }
  int64_t step() const { return channels * locations(); }  // from a map to the next
  int64_t elements() const { return count * step(); }
  reidops::Strides strides() const { return {locations(), width, 1}; }  // of a channel, a row, a column
};

// affine_sample: every one of N pictures under P maps of its own, theta (P, N, 2, 3).
//
//     output (P, N, C, h, w):  output[p, n] = pictures[n] at theta[p, n] (x_j, y_i, 1)
//
// The kernel walks over `images`, which lie in memory once, and over the `repeats` of each.
inline reidops::affine_sample::Problem<float> sample(const float* pictures, const Maps& of, const float* theta,
                                                     int64_t P, int64_t h, int64_t w, float* output) {
  reidops::affine_sample::Problem<float> problem{};
  problem.input = pictures;
  problem.theta = theta;
  problem.output = output;
  problem.images.add(of.count, {.image = of.step(), .theta = 6, .sample = 1, .number = 1});
  problem.repeats.add(P, {.image = 0, .theta = 6 * of.count, .sample = of.count, .number = 0});
  problem.C = of.channels;
  problem.H = of.height;
  problem.W = of.width;
  problem.h = h;
  problem.w = w;
  problem.channel_stride = of.locations();
  problem.row_stride = of.width;
  problem.column_stride = 1;
  problem.channels_last = false;
  problem.align_corners = false;
  problem.mode = reidops::affine_sample::Mode::kBilinear;
  problem.padding = reidops::affine_sample::Padding::kZeros;
  return problem;
}

// depthwise_xcorr: every one of B templates (B, C, k, k), k odd, slid over every one of A maps.
//
//     out (A, B, C, H, W):
//     out[a, b, c, y, x] = sum over i, j of templates[b, c, i, j] maps[a, c, y + i - k/2, x + j - k/2]
inline reidops::depthwise_xcorr::Problem<float> correlate(const float* maps, const Maps& of, const float* templates,
                                                          int64_t B, int64_t k, float* out) {
  reidops::depthwise_xcorr::Problem<float> problem{};
  problem.search = maps;
  problem.templ = templates;
  problem.out = out;
  problem.outputs.add(of.count, {.search = of.step(), .templ = 0, .out = B * of.step()});
  problem.outputs.add(B, {.search = 0, .templ = of.channels * k * k, .out = of.step()});
  problem.C = of.channels;
  problem.H = problem.h = of.height;
  problem.W = problem.w = of.width;
  problem.kh = problem.kw = k;
  problem.top = problem.left = k / 2;  // of zeros around the map
  problem.of_search = problem.of_out = of.strides();
  problem.of_template = {k * k, k, 1};
  problem.turned = false;
  return problem;
}

// projected_xcorr: the same of T templates each, (B, T, C, k, k), pooled 2x2 and summed by weight (O, T, C); on CUDA the
// weights lie as (C, T, O).
//
//     out (A, B, O, H/2, W/2), H and W even:  out[a, b, o] = sum over t, c of weight[o, t, c] pooled[a, b, t, c]
inline reidops::projected_xcorr::Problem<float> project(const float* maps, const Maps& of, const float* templates,
                                                        int64_t B, int64_t T, int64_t k, const float* weight,
                                                        int64_t O, float* out) {
  const int64_t one = of.channels * k * k, result = O * (of.height / 2) * (of.width / 2);
  reidops::projected_xcorr::Problem<float> problem{};
  problem.maps = correlate(maps, of, templates, B, k, out);
  problem.maps.outputs = {};
  problem.maps.outputs.add(of.count, {.search = of.step(), .templ = 0, .out = B * result});
  problem.maps.outputs.add(B, {.search = 0, .templ = T * one, .out = result});
  problem.weight = weight;
  problem.O = O;
  problem.templates = T;
  problem.template_step = one;
  problem.ph = of.height / 2;
  problem.pw = of.width / 2;
  problem.pooled = true;
  return problem;
}

// The lasso of sparse_reconstruct, in Gram form: R columns by G dictionaries of M atoms each.
struct Lasso {
  int64_t R, G, M;
  float beta, tolerance;
};

//     gram (G, M, M) = Y'Y, correlation (R, G, M) = Y'x, energy (R) = ||x||^2
//     error (R, G) = ||x - Yw||^2, gap (R, G): certified to the tolerance, coefficients (R, G, M) = w
inline reidops::sparse_reconstruct::Problem<float> reconstruct(const Lasso& of, const float* gram,
                                                               const float* correlation, const float* energy,
                                                               float* error, float* gap, float* coefficients) {
  reidops::sparse_reconstruct::Problem<float> problem{};  // no data beside the Gram form, no index
  problem.gram = gram;
  problem.correlation = correlation;
  problem.energy = energy;
  problem.correlation_stride[0] = of.G * of.M;
  problem.correlation_stride[1] = of.M;
  problem.energy_stride[0] = 1;
  problem.energy_stride[1] = 0;  // a column has one energy, whichever dictionary it meets
  problem.R = of.R;
  problem.G = of.G;
  problem.M = of.M;
  problem.beta = of.beta;
  problem.tolerance = of.tolerance;
  problem.max_iterations = 1000;
  problem.solver = reidops::sparse_reconstruct::Solver::kActiveSet;
  problem.error = error;
  problem.gap = gap;
  problem.coefficients = coefficients;
  return problem;
}

}  // namespace example
