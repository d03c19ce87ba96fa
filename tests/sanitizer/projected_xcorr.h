// projected_xcorr.h - projected_xcorr on the maps that depthwise_xcorr.cpp has made.
#pragma once

#include <cstdio>
#include <random>

#include "memory.h"
#include "projected_xcorr/problem.h"

// Weights of ones, so that all outputs are the same.
template <class S>
void project(const reidops::depthwise_xcorr::Problem<S>& maps, int64_t outputs, int64_t templates,
             std::mt19937& random) {
  const int64_t O = 1 + int64_t(random() % 10);
  const bool pooled = random() % 2;
  const int64_t ph = pooled ? (maps.h + 1) / 2 : maps.h, pw = pooled ? (maps.w + 1) / 2 : maps.w;
  Exact<S> weight(O * templates * maps.C, 1), projected(outputs * O * ph * pw);
  reidops::projected_xcorr::Problem<S> p{.maps = maps, .weight = weight.get(), .O = O, .templates = templates,
                                         .template_step = maps.C * maps.kh * maps.kw, .ph = ph, .pw = pw,
                                         .pooled = pooled};
  p.maps.turned = false;
  p.maps.out = projected.get();
  p.maps.sums = {};
  p.maps.outputs.step[0].out = O * ph * pw;
  p.maps.of_out = {ph * pw, pw, 1};
  tested::projected_xcorr_kernels::project(p, 0, outputs);
  for (int64_t i = 0; i < projected.size(); ++i)
    if (projected[i] != projected[i / (O * ph * pw) * (O * ph * pw) + i % (ph * pw)]) {
      ++failures;
      std::fprintf(stderr, "projected_xcorr: outputs of the same weights differ\n");
      return;
    }
}
