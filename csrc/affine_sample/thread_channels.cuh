// thread_channels.cuh - the channels of one thread of the forward kernel, group by group.
#pragma once

#include "channels.cuh"
#include "forward_tiling.cuh"

namespace reidops::affine_sample {

// The first group begins with channel `first`, the next `step` channels later; channels of a group are `spacing` apart.
// All are below `end`, at most a block's channels further on.
template <class Group>
struct ThreadChannels {
  int64_t first, end;
  int step, spacing, groups, left;  // whole groups, and channels after them
  int64_t in, out;                  // elements from a channel to the next, in the image and in the output

  template <class S>
  __device__ __forceinline__ ThreadChannels(const Problem<S>& p, const ForwardTiling& tiling, int chunk, int lane)
      : step(tiling.lanes * Group::kMost), in(p.channel_stride), out(p.channels_last ? 1 : p.pixels()) {
    const bool spaced = p.channels_last && !Group::kSideBySide;
    const int all = tiling.groups * step;
    spacing = spaced ? tiling.lanes : 1;
    first = int64_t(chunk) * all + (spaced ? lane : lane * Group::kMost);
    end = int64_t(chunk) * all + all;
    end = end < p.C ? end : p.C;
    const int64_t last = first + (Group::kMost - 1) * spacing;  // of the first group
    groups = last < end ? (static_cast<int>(end - last) + step - 1) / step : 0;
    const int64_t rest = first + int64_t(groups) * step;
    left = rest < end ? (static_cast<int>(end - rest) + spacing - 1) / spacing : 0;
  }

  // Calls body(integral_constant of a group's channels, their first in the image, and in the output).
  template <class S, class Body>
  __device__ __forceinline__ void for_each(const S* from, S* to, const Body& body) const {
#pragma unroll 1
    for (int g = 0; g < groups; ++g) {
      body(std::integral_constant<int, Group::kMost>(), from, to);
      from += step * in;
      to += step * out;
    }
    with_count<Group>(left, [&](auto count) { body(count, from, to); });
  }
};

}  // namespace reidops::affine_sample
