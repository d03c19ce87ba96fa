// channels.cuh - the channels of a pixel that a thread loads, interpolates and stores together.
//
// All loads of a group come before its arithmetic and its stores, so that they are in flight at the same time.  There
// are two kinds of groups: channels one by one, with any strides, and the channels of one 16-byte vector.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "../common/launch.h"
#include "problem.h"

namespace reidops::affine_sample {

// Channels `in` elements apart in the input and `out` in the output; fewer than kMost where no more are left.
// kPlanes: each is a plane, whose columns lie side by side.
template <class S, bool kPlanes>
struct SeparateChannels {
  using T = typename Computing<S>::Type;
  static constexpr int kLeast = 1, kMost = 4;
  static constexpr int kWidest = 32;               // lanes of a pixel, where channels are side by side
  static constexpr bool kSideBySide = false;       // lanes take turns, so that a warp's are
  static constexpr int kBlocks = kPlanes ? 3 : 2;  // on a multiprocessor, with float32: registers of a thread
  int64_t in, out;

  __device__ __forceinline__ SeparateChannels(int64_t in, int64_t out) : in(in), out(out) {}

  // Elements to the next column.
  static __device__ __forceinline__ int right(int column_stride) { return kPlanes ? 1 : column_stride; }

  template <int kCount>
  __device__ __forceinline__ void load(const S* __restrict__ pixel, T (&value)[kCount]) const {
#pragma unroll
    for (int c = 0; c < kCount; ++c) value[c] = widen(pixel[c * in]);
  }
  template <int kCount>
  __device__ __forceinline__ void store(const T (&value)[kCount], S* __restrict__ to) const {
#pragma unroll
    for (int c = 0; c < kCount; ++c) narrow(value[c], to[c * out]);
  }
};

// As many channels as 16 bytes hold, side by side and aligned in the input and in the output.
template <class S>
struct ChannelVector {
  using T = typename Computing<S>::Type;
  static constexpr int kMost = 16 / sizeof(S), kLeast = kMost;
  static constexpr int kWidest = 8;  // 128 bytes; with fewer lanes a thread has more of the channels of a position
  static constexpr bool kSideBySide = true;
  static constexpr int kBlocks = 3;

  __device__ __forceinline__ ChannelVector(int64_t, int64_t) {}
  static __device__ __forceinline__ int right(int column_stride) { return column_stride; }

  template <int kCount>
  __device__ __forceinline__ void load(const S* __restrict__ pixel, T (&value)[kCount]) const {
    static_assert(kCount == kMost);
    const uint4 bits = *reinterpret_cast<const uint4*>(pixel);
    S channels[kMost];
    memcpy(channels, &bits, sizeof bits);
#pragma unroll
    for (int c = 0; c < kMost; ++c) value[c] = widen(channels[c]);
  }
  template <int kCount>
  __device__ __forceinline__ void store(const T (&value)[kCount], S* __restrict__ to) const {
    S channels[kMost];
#pragma unroll
    for (int c = 0; c < kMost; ++c) narrow(value[c], channels[c]);
    uint4 bits;
    memcpy(&bits, channels, sizeof bits);
    *reinterpret_cast<uint4*>(to) = bits;
  }
};

// Whether all channels are parts of aligned vectors.
template <class S>
bool has_vectors(const Problem<S>& p) {
  constexpr int64_t kMost = ChannelVector<S>::kMost;
  const auto aligned = [](const S* address) { return reinterpret_cast<std::uintptr_t>(address) % 16 == 0; };
  bool steps = (p.H == 1 || p.row_stride % kMost == 0) && (p.W == 1 || p.column_stride % kMost == 0);
  for (int d = 0; d < p.images.dims; ++d) steps = steps && p.images.step[d].image % kMost == 0;
  return steps && p.channels_last && p.channel_stride == 1 && p.C % kMost == 0 && aligned(p.input) && aligned(p.output);
}

// Whether columns of the image lie side by side, and channels are planes.
template <class S>
bool has_planes(const Problem<S>& p) {
  return !p.channels_last && p.column_stride == 1;
}

// Of a group's pixel that is there, else zeros.
template <bool kThere, class Group, class S, class T, int kCount>
__device__ __forceinline__ void load_where(const Group& group, bool there, const S* __restrict__ pixel,
                                           T (&value)[kCount]) {
  if (kThere || there) {
    group.load(pixel, value);
  } else {
    for (int c = 0; c < kCount; ++c) value[c] = 0;
  }
}

// Calls body(integral_constant) with `count` where it is 1 to less than a whole group: arrays have their size at compile
// time.
template <class Group, int kMost = Group::kMost - 1, class Body>
__device__ __forceinline__ void with_count(int count, const Body& body) {
  if constexpr (kMost >= Group::kLeast) {
    if (count == kMost) return body(std::integral_constant<int, kMost>());
    with_count<Group, kMost - 1>(count, body);
  }
}

}  // namespace reidops::affine_sample
