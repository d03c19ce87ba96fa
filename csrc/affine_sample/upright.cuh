// upright.cuh - maps without rotation, such as boxes: all pixels of a row of the output have one y, and all of a column
// one x.  A thread that goes down a column keeps the four pixels of its sample.  Where the next row lies one pixel
// lower, two of them are at hand; where it lies between the same rows, all are.  So a magnified image costs fewer than
// two loads a value, 1.2 where ten rows of the output span six of the image, instead of four.  Weights and their sum
// are those of any map, and so are the bits.
#pragma once

#include "../common/launch.h"
#include "position.cuh"

namespace reidops::affine_sample {

// The position of a row: the pixels above and below, and how far it is from the first.
template <class T>
struct RowPosition {
  int low;
  T fraction;
};

template <bool kWhole, int kCount, class Group, class S, class T>
__device__ __forceinline__ void walk_down(const Group& group, const Geometry& geometry, const Cell<T>& x,
                                          const RowPosition<T>* row, const RowPosition<T>* end,
                                          const S* __restrict__ image, S* __restrict__ to, int64_t row_step) {
  const bool left_there = inside(x.low, geometry.W), right_there = inside(x.low + 1, geometry.W);
  const S* const left = image + int64_t(x.low) * geometry.column_stride;
  T value[4][kCount];  // as in Corners
  const auto load_row = [&](int number, const S* pixel, T(&of_left)[kCount], T(&of_right)[kCount]) {
    const bool there = inside(number, geometry.H);
    load_where<kWhole>(group, there && left_there, pixel, of_left);
    load_where<kWhole>(group, there && right_there, pixel + group.right(geometry.column_stride), of_right);
  };
  int held = -4;  // value has rows held and held + 1; no position is as far up
  const S* below = left;  // row held + 1
  do {
    const int low = row->low;
    if (low == held + 1) {
#pragma unroll
      for (int c = 0; c < kCount; ++c) value[0][c] = value[2][c], value[1][c] = value[3][c];
    } else {
      below = left + int64_t(low) * geometry.row_stride;
      load_row(low, below, value[0], value[1]);
    }
    below += geometry.row_stride;
    load_row(low + 1, below, value[2], value[3]);
    held = low;
#pragma unroll 1
    do {
      T weight[4], result[kCount];
      for (int k = 0; k < 4; ++k) weight[k] = bilinear_weight(x.fraction, row->fraction, k);
#pragma unroll
      for (int c = 0; c < kCount; ++c) {
        const T of_channel[4] = {value[0][c], value[1][c], value[2][c], value[3][c]};
        result[c] = interpolate(of_channel, weight);
      }
      group.store(result, to);
      to += row_step;
      ++row;
    } while (row != end && row->low == held);
  } while (row != end);
}

}  // namespace reidops::affine_sample
