// gradient_tiling.cuh - how the blocks and threads of the two gradients share out the pixels and channels of one map.
#pragma once

#include <algorithm>

#include "../common/launch.h"
#include "../common/warp.cuh"
#include "problem.h"

namespace reidops::affine_sample {

// How blocks and their threads share out the pixels and channels of one map.
//
// Where channels are planes a thread has some planes of a pixel, and a block with more threads than the map has pixels
// takes further planes with them.  Where a pixel's channels are side by side, so are the threads that share them.
struct GradientTiling {
  static constexpr int kThreads = 256;
  static constexpr int kChannelsOfAThread = 16;  // planes that share a position
  static constexpr int kColumnsOfSums = 16;      // of pixels, for the sums of theta

  int lanes;                 // threads that have a pixel together, side by side: 1 where channels are planes
  int here;                  // pixels of a block
  int channels;              // planes of a thread
  unsigned chunks, columns;  // blocks of a map: chunks of channels times columns of pixels
  unsigned blocks() const { return chunks * columns; }

  template <class S>
  static GradientTiling of(const Problem<S>& p, int64_t pixels, int64_t most_columns = int64_t(1) << 30) {
    GradientTiling tiling{1, kThreads, kChannelsOfAThread, 1, 0};
    if (p.channels_last) {
      while (tiling.lanes < kWarp && tiling.lanes < p.C) tiling.lanes *= 2;
      tiling.here = kThreads / tiling.lanes;
    } else {
      while (tiling.here > kWarp && tiling.here / 2 >= pixels) tiling.here /= 2;
      tiling.set_channels(p.C);
    }
    tiling.columns = static_cast<unsigned>(std::min((pixels + tiling.here - 1) / tiling.here, most_columns));
    return tiling;
  }

  void set_channels(int64_t all) {
    const int64_t of_a_block = int64_t(channels) * (kThreads / here);
    chunks = static_cast<unsigned>((all + of_a_block - 1) / of_a_block);
  }
};

// A thread's: pixels pixel, pixel + stride, ..., and channels channel, channel + step, ... below end.
struct Part {
  unsigned map, slice, pixel, stride;
  int64_t channel, end;
  int step;
};

template <class S>
__device__ __forceinline__ Part part_of(const Problem<S>& p, const GradientTiling& tiling) {
  const unsigned blocks = tiling.chunks * tiling.columns, map = blockIdx.x / blocks, slice = blockIdx.x % blocks;
  const unsigned chunk = slice % tiling.chunks, column = slice / tiling.chunks, stride = tiling.columns * tiling.here;
  if (p.channels_last) {
    const unsigned lane = threadIdx.x % tiling.lanes;
    return {map, slice, column * tiling.here + threadIdx.x / tiling.lanes, stride, lane, p.C, tiling.lanes};
  }
  const unsigned group = threadIdx.x / tiling.here, groups = GradientTiling::kThreads / tiling.here;
  const int64_t first = int64_t(chunk * groups + group) * tiling.channels, last = first + tiling.channels;
  return {map, slice, column * tiling.here + threadIdx.x % tiling.here, stride, first, last < p.C ? last : p.C, 1};
}

template <class S>
__device__ __forceinline__ int64_t in_output(const Problem<S>& p, const Place& place, int64_t pixel, int64_t channel) {
  return place.sample * p.C * p.pixels() + (p.channels_last ? pixel * p.C + channel : channel * p.pixels() + pixel);
}

// From a channel of a thread to its next, in the input and in the output.
template <class S>
struct Steps {
  int64_t in, out;
  __device__ __forceinline__ Steps(const Problem<S>& p, const Part& part)
      : in(part.step * p.channel_stride), out(p.channels_last ? part.step : p.pixels()) {}
};

// One block for each part of each map.
template <class S>
void launch_parts(void (*kernel)(Problem<S>, GradientTiling), const Problem<S>& p, const GradientTiling& tiling,
                  int64_t maps, Stream stream) {
  const int64_t blocks = int64_t(tiling.blocks()) * maps;
  if (blocks == 0) return;
  launch(kernel, dim3(static_cast<unsigned>(blocks)), dim3(GradientTiling::kThreads), 0, stream, p, tiling);
}

}  // namespace reidops::affine_sample
