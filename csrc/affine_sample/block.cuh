// block.cuh - what the threads of the forward kernel's block share, worked out once: where their map's input and output
// are, theta, and the coordinates of the block's columns and rows.
#pragma once

#include "../common/launch.h"
#include "forward_tiling.cuh"
#include "position.cuh"
#include "problem.h"
#include "upright.cuh"

namespace reidops::affine_sample {

template <class T>
struct Block {
  int64_t image, sample;   // elements from the start of the input and of the output
  Theta<T> theta;
  int column, row, chunk;  // its first column and row; its part of the channels

  // By one thread: some 300 instructions.
  template <class S>
  __device__ __forceinline__ void find(const Problem<S>& p, const ForwardTiling& tiling) {
    const unsigned blocks = tiling.across * tiling.down * tiling.chunks;
    const unsigned slice = blockIdx.x % blocks, tile = slice / tiling.chunks;
    const Place place = place_of(p, blockIdx.x / blocks);
    image = place.image;
    sample = place.sample * p.C * p.pixels();
    theta = read_theta<T>(p.theta + place.theta);
    column = static_cast<int>(tile % tiling.across) * tiling.columns;
    row = static_cast<int>(tile / tiling.across) * tiling.rows * tiling.row_lanes;
    chunk = static_cast<int>(slice % tiling.chunks);
  }

  // Whether rows stay rows: a box, or an image that is moved and scaled.
  __device__ __forceinline__ bool upright() const { return theta.xy == T(0) && theta.yx == T(0); }
};

// Of the block's columns and rows.  Rows of an upright map have one position for all their pixels.
template <class T>
struct Tables {
  T x[ForwardTiling::kMostColumns], y[ForwardTiling::kMostRows];
  RowPosition<T> rows[ForwardTiling::kMostRows];

  // By all threads of the block, of which this is number `thread` of `threads`.  Whether both pixels of an upright map's
  // rows are there, in those of this thread.
  template <Padding kPadding, class S>
  __device__ __forceinline__ bool fill(const Problem<S>& p, const ForwardTiling& tiling, const Block<T>& block,
                                       int thread, int threads) {
    const int h = static_cast<int>(p.h), columns = tiling.columns;
    const int all = columns + min(tiling.rows * tiling.row_lanes, h - block.row);
    const bool upright = block.upright();
    bool whole = true;
#pragma unroll 1
    for (int n = thread; n < all; n += threads) {
      const bool of_row = n >= columns;
      const int i = of_row ? n - columns : n;
      const T coordinate = base_coordinate<T>((of_row ? block.row : block.column) + i,
                                              of_row ? h : static_cast<int>(p.w), p.align_corners);
      (of_row ? y : x)[i] = coordinate;
      if (!of_row || !upright) continue;
      const Cell<T> position = cell(block.theta.to_y(T(0), coordinate), Axis<T>(p.H, p.align_corners), kPadding);
      rows[i] = {position.low, position.fraction};
      whole = whole && position.low >= 0 && position.low + 1 < p.H;
    }
    return whole;
  }
};

}  // namespace reidops::affine_sample
