// plain.h - numbers to try the kernels on, and what the kernels should make of them, by the plainest of loops.
#pragma once

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "problems.h"

namespace example {

using Numbers = std::vector<float>;

// `count` numbers in (-1, 1), the same on every machine.
inline Numbers numbers(int64_t count, unsigned seed) {
  std::minstd_rand generator(seed);
  Numbers made(count);
  for (float& number : made) number = float(2 * double(generator()) / double(generator.max()) - 1);
  return made;
}

// (count, 2, 3): each a zoom, a little turn and a shift.
inline Numbers affine_maps(int64_t count) {
  Numbers theta(6 * count);
  for (int64_t i = 0; i < count; ++i) {
    const double zoom = 0.6 + 0.1 * double(i % 5), turn = 0.1 * double(i % 3), shift = 0.15 * double(i % 4);
    const double values[] = {zoom, -turn, shift, turn, zoom, -shift};
    std::copy(values, values + 6, theta.begin() + 6 * i);
  }
  return theta;
}

// Pixel (y, x) of a plane; zero outside.
inline double pixel(const float* plane, const Maps& of, int64_t y, int64_t x) {
  return y < 0 || y >= of.height || x < 0 || x >= of.width ? 0 : plane[y * of.width + x];
}

inline Numbers plain_sample(const Numbers& pictures, const Maps& of, const Numbers& theta, int64_t P, int64_t h,
                            int64_t w) {
  Numbers output;
  for (int64_t p = 0; p < P; ++p)
    for (int64_t plane = 0; plane < of.count * of.channels; ++plane)
      for (int64_t i = 0; i < h; ++i)
        for (int64_t j = 0; j < w; ++j) {
          const float* t = theta.data() + 6 * (p * of.count + plane / of.channels);
          const double x = (2 * double(j) + 1) / double(w) - 1, y = (2 * double(i) + 1) / double(h) - 1;
          const double at_x = ((t[0] * x + t[1] * y + t[2] + 1) * double(of.width) - 1) / 2;
          const double at_y = ((t[3] * x + t[4] * y + t[5] + 1) * double(of.height) - 1) / 2;
          const double low_x = std::floor(at_x), low_y = std::floor(at_y), a = at_x - low_x, b = at_y - low_y;
          const float* from = pictures.data() + plane * of.locations();
          const auto four = [&](int dy, int dx) { return pixel(from, of, int64_t(low_y) + dy, int64_t(low_x) + dx); };
          output.push_back(float((1 - b) * ((1 - a) * four(0, 0) + a * four(0, 1)) +
                                 b * ((1 - a) * four(1, 0) + a * four(1, 1))));
        }
  return output;
}

inline Numbers plain_correlate(const Numbers& maps, const Maps& of, const Numbers& templates, int64_t B, int64_t k) {
  Numbers out;
  for (int64_t a = 0; a < of.count; ++a)
    for (int64_t b = 0; b < B; ++b)
      for (int64_t c = 0; c < of.channels; ++c)
        for (int64_t y = 0; y < of.height; ++y)
          for (int64_t x = 0; x < of.width; ++x) {
            const float* const map = maps.data() + a * of.step() + c * of.locations();
            const float* const taps = templates.data() + (b * of.channels + c) * k * k;
            double sum = 0;
            for (int64_t i = 0; i < k; ++i)
              for (int64_t j = 0; j < k; ++j) sum += taps[i * k + j] * pixel(map, of, y + i - k / 2, x + j - k / 2);
            out.push_back(float(sum));
          }
  return out;
}

inline Numbers plain_project(const Numbers& maps, const Maps& of, const Numbers& templates, int64_t B, int64_t T,
                             int64_t k, const Numbers& weight, int64_t O) {
  const Numbers scores = plain_correlate(maps, of, templates, B * T, k);  // (A, B, T C, H, W)
  const int64_t TC = T * of.channels;
  Numbers out;
  for (int64_t pair = 0; pair < of.count * B; ++pair)
    for (int64_t o = 0; o < O; ++o)
      for (int64_t y = 0; y < of.height; y += 2)
        for (int64_t x = 0; x < of.width; x += 2) {
          double sum = 0;
          for (int64_t c = 0; c < TC; ++c) {
            const float* const from = scores.data() + (pair * TC + c) * of.locations() + y * of.width + x;
            sum += weight[o * TC + c] * double(std::max({from[0], from[1], from[of.width], from[of.width + 1]}));
          }
          out.push_back(float(sum));
        }
  return out;
}

}  // namespace example
