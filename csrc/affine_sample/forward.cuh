// forward.cuh - the forward kernel.  The threads of a block sample one map; each goes down a column of the output.
#pragma once

#include "../common/launch.h"
#include "block.cuh"
#include "channels.cuh"
#include "forward_tiling.cuh"
#include "options.h"
#include "position.cuh"
#include "thread_channels.cuh"
#include "upright.cuh"

namespace reidops::affine_sample {

// One pixel of a group; kWhole: all its corners are there.
template <bool kWhole, int kCount, Mode kMode, class Group, class S, class T>
__device__ __forceinline__ void sample(const Group& group, const Geometry& geometry, const Corners<kMode, T>& corners,
                                       const S* __restrict__ first, S* __restrict__ to) {
  constexpr int kCorners = Corners<kMode, T>::kCount;
  T value[kCorners][kCount], result[kCount];
#pragma unroll
  for (int k = 0; k < kCorners; ++k) {
    const S* const row = first + k / 2 * geometry.row_stride;
    const S* const pixel = row + k % 2 * group.right(geometry.column_stride);
    load_where<kWhole>(group, corners.there[k], pixel, value[k]);
  }
#pragma unroll
  for (int c = 0; c < kCount; ++c) {
    if constexpr (kMode == Mode::kNearest) {
      result[c] = value[0][c] + T(0);  // -0 becomes 0, as in the sum of four
    } else {
      const T of_channel[4] = {value[0][c], value[1][c], value[2][c], value[3][c]};
      result[c] = interpolate(of_channel, corners.weight);
    }
  }
  group.store(result, to);
}

// Blocks on a multiprocessor: three leave a thread 80 registers, which is too few for doubles, for border padding of
// planes, and for eight bfloat16 channels at once.
template <class Group, Padding kPadding, class S>
constexpr int blocks_at_once() {
  if (sizeof(typename Computing<S>::Type) == 8 || std::is_same_v<Group, ChannelVector<BFloat16>>) return 2;
  return kPadding == Padding::kBorder ? 2 : Group::kBlocks;
}

template <class Group, Mode kMode, Padding kPadding, class S>
__global__ void __launch_bounds__(ForwardTiling::kThreads, blocks_at_once<Group, kPadding, S>())
    affine_sample_kernel(const S* __restrict__ input, S* __restrict__ output, const Problem<S> p,
                         const ForwardTiling tiling) {
  using T = typename Problem<S>::T;
  __shared__ Block<T> block;
  __shared__ Tables<T> tables;
  const int thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  if (thread == 0) block.find(p, tiling);
  __syncthreads();
  const bool inside_image = tables.template fill<kPadding>(p, tiling, block, thread,
                                                           blockDim.x * blockDim.y * blockDim.z);
  const bool whole_rows = __syncthreads_and(inside_image);

  const int column = p.channels_last ? threadIdx.y : threadIdx.x, lane = p.channels_last ? threadIdx.x : threadIdx.y;
  const int j = block.column + column, begin = threadIdx.z * tiling.rows;  // in the block's rows
  const int rows = min(tiling.rows, static_cast<int>(p.h) - block.row - begin);
  if (j >= p.w || rows <= 0) return;
  const ThreadChannels<Group> channels(p, tiling, block.chunk, lane);
  const int64_t pixel = int64_t(block.row + begin) * p.w + j, row_step = p.channels_last ? p.w * p.C : p.w;
  const S* const image = input + block.image + channels.first * channels.in;
  S* to = output + block.sample + (p.channels_last ? pixel * p.C : pixel) + channels.first * channels.out;
  const Group group(channels.spacing * channels.in, channels.spacing * channels.out);
  const Geometry geometry(p);
  const Axis<T> along_x(p.W, p.align_corners), along_y(p.H, p.align_corners);
  const T x = tables.x[column];

  if (kMode == Mode::kBilinear && block.upright()) {
    const Cell<T> position = cell(block.theta.to_x(x, T(0)), along_x, kPadding);
    const RowPosition<T>* const row = tables.rows + begin;
    const auto all_groups = [&](auto whole) {
      channels.for_each(image, to, [&](auto count, const S* from, S* at) {
        walk_down<whole(), count()>(group, geometry, position, row, row + rows, from, at, row_step);
      });
    };
    if (whole_rows && inside(position.low, geometry.W) && inside(position.low + 1, geometry.W)) {
      all_groups(std::true_type());
    } else {
      all_groups(std::false_type());
    }
    return;
  }
#pragma unroll 1
  for (int i = 0; i < rows; ++i, to += row_step) {
    const T y = tables.y[begin + i];
    const Corners<kMode, T> corners(geometry, cell(block.theta.to_x(x, y), along_x, kPadding),
                                    cell(block.theta.to_y(x, y), along_y, kPadding));
    const auto all_groups = [&](auto whole) {
      channels.for_each(image + corners.first(geometry), to, [&](auto count, const S* from, S* at) {
        sample<whole(), count()>(group, geometry, corners, from, at);
      });
    };
    if (corners.whole()) {
      all_groups(std::true_type());
    } else {
      all_groups(std::false_type());
    }
  }
}

// ---- launch --------------------------------------------------------------------------------------------------------

template <class Group, class S>
void launch_groups(const Problem<S>& p, Stream stream, int64_t enough) {
  const int64_t maps = p.images.size * p.repeats.size;
  if (maps * p.C == 0) return;
  const auto tiling = ForwardTiling::of(p, Group::kMost, Group::kWidest, maps, enough);
  with_options(p.mode, p.padding, [&](auto mode, auto padding) {
    launch(affine_sample_kernel<Group, mode, padding, S>, dim3(static_cast<unsigned>(tiling.blocks() * maps)),
           tiling.block(), 0, stream, p.input, p.output, p, tiling);
  });
}

template <class S>
void launch_forward(const Problem<S>& p, Stream stream, int64_t enough = kEnoughBlocks) {
  check_reach(p);
  if (has_vectors(p)) {
    launch_groups<ChannelVector<S>>(p, stream, enough);
  } else if (has_planes(p)) {
    launch_groups<SeparateChannels<S, true>>(p, stream, enough);
  } else {
    launch_groups<SeparateChannels<S, false>>(p, stream, enough);
  }
}

}  // namespace reidops::affine_sample
