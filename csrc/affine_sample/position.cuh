// position.cuh - where a sample is in the batch, where an output pixel is taken from, and the four pixels around that.
#pragma once

#include <stdexcept>

#include "../common/launch.h"
#include "problem.h"

namespace reidops::affine_sample {

// Sample number `index` of all, its image's repeats one after another.
template <class S>
__device__ __forceinline__ Place place_of(const Problem<S>& p, unsigned index) {
  const unsigned repeats = static_cast<unsigned>(p.repeats.size);
  return p.repeats.at(index % repeats, p.images.at(index / repeats, {}));
}

// An image has fewer than 2^30 pixels (operands.h), and the kernels step from row to row and from column to column in 32
// bits: of `size` rows or columns, one is fewer than 2^30 elements from the next.
inline bool within_reach(int64_t size, int64_t stride) { return size == 1 || stride < int64_t(1) << 30; }

template <class S>
void check_reach(const Problem<S>& p) {
  if (!within_reach(p.H, p.row_stride) || !within_reach(p.W, p.column_stride))
    throw std::invalid_argument("affine_sample: input: expected rows and columns fewer than 2^30 elements apart");
}

// Sizes and steps of an image.
struct Geometry {
  int H, W, row_stride, column_stride;

  template <class S>
  explicit __device__ __forceinline__ Geometry(const Problem<S>& p)
      : H(static_cast<int>(p.H)),
        W(static_cast<int>(p.W)),
        row_stride(static_cast<int>(p.row_stride)),
        column_stride(static_cast<int>(p.column_stride)) {}
};

template <class T>
struct Sample {
  T base_x, base_y;
  Cell<T> x, y;
};

// Where an output pixel is taken from.
template <Padding kPadding, class S, class T = typename Problem<S>::T>
__device__ __forceinline__ Sample<T> locate(const Problem<S>& p, const Theta<T>& theta, int i, int j) {
  const T x = base_coordinate<T>(j, static_cast<int>(p.w), p.align_corners);
  const T y = base_coordinate<T>(i, static_cast<int>(p.h), p.align_corners);
  return {x, y, cell(theta.to_x(x, y), Axis<T>(p.W, p.align_corners), kPadding),
          cell(theta.to_y(x, y), Axis<T>(p.H, p.align_corners), kPadding)};
}
template <Padding kPadding, class S, class T = typename Problem<S>::T>
__device__ __forceinline__ Sample<T> locate(const Problem<S>& p, const Theta<T>& theta, unsigned pixel) {
  const unsigned w = static_cast<unsigned>(p.w);
  return locate<kPadding>(p, theta, static_cast<int>(pixel / w), static_cast<int>(pixel % w));
}

// The pixels of a position: k = 2 dy + dx lies at (row + dy, column + dx) where it is `there`, and has an address only
// then, so that no rounding of a position leads out of the image.  The nearest pixel alone is k = 0.
template <Mode kMode, class T>
struct Corners {
  static constexpr int kCount = kMode == Mode::kNearest ? 1 : 4;
  int row, column;  // of k = 0
  bool there[kCount];
  T weight[kCount];

  __device__ __forceinline__ Corners(const Geometry& image, const Cell<T>& x, const Cell<T>& y) {
    constexpr bool nearest_only = kMode == Mode::kNearest;
    column = nearest_only ? nearest(x) : x.low, row = nearest_only ? nearest(y) : y.low;
    for (int k = 0; k < kCount; ++k) {
      there[k] = inside(row + k / 2, image.H) && inside(column + k % 2, image.W);
      weight[k] = nearest_only ? T(1) : bilinear_weight(x.fraction, y.fraction, k);
    }
  }
  __device__ __forceinline__ bool whole() const {
    bool whole = true;
    for (int k = 0; k < kCount; ++k) whole = whole && there[k];
    return whole;
  }
  // In elements from the image's start.
  __device__ __forceinline__ int64_t first(const Geometry& image) const {
    return int64_t(row) * image.row_stride + int64_t(column) * image.column_stride;
  }
};

}  // namespace reidops::affine_sample
