// any_size.cuh - the kernel for templates of any size, and for sizes and strides of more than 31 bits.
#pragma once

#include <type_traits>

#include "load.cuh"
#include "store.cuh"
#include "taps.cuh"
#include "tiling.cuh"

namespace reidops::depthwise_xcorr {

// A part of the `rows` x `columns` taps that are in shared memory, four rows of them at a time.
template <int Rows, class T>
__device__ __forceinline__ void add_part_of_taps(const Tiling& s, int part, int rows, int columns, const T* map,
                                             const T* taps, T (&sums)[kColumns][Rows]) {
  int i = part * s.part_rows;
  const int end = min(rows, i + s.part_rows);
  const auto add = [&](auto count) {
    add_taps<count, Rows>(map + kColumns * i, s.pair_pitch, taps + i, s.tap_pitch, columns, sums);
    i += count;
  };
#pragma unroll 1
  while (i + 4 <= end) add(std::integral_constant<int, 4>());
  if (i + 2 <= end) add(std::integral_constant<int, 2>());
  if (i < end) add(std::integral_constant<int, 1>());
}

// The first part's threads add what the others have, part after part.
template <int Rows, class T>
__device__ __forceinline__ void add_parts(const Tiling& s, int part, T* shared, T (&sums)[kColumns][Rows]) {
  const int threads = s.lanes * s.channels * s.groups;  // of a part
  const int thread = threadIdx.x + s.lanes * (threadIdx.y + s.channels * (threadIdx.z - part * s.groups));
  __syncthreads();  // the last taps have been used
#pragma unroll
  for (int k = 0; k < kColumns * Rows; ++k)
    if (part > 0) shared[((part - 1) * kColumns * Rows + k) * threads + thread] = sums[k % kColumns][k / kColumns];
  __syncthreads();
  if (part > 0) return;
  for (int other = 1; other < s.parts; ++other) {
#pragma unroll
    for (int k = 0; k < kColumns * Rows; ++k)
      sums[k % kColumns][k / kColumns] += shared[((other - 1) * kColumns * Rows + k) * threads + thread];
  }
}

// Templates of which not all taps fit are gone through in pieces.  Index is 64 bits wide where sizes, strides or the
// number of sums ask for it.
template <class S, int Rows, class Index>
__global__ void __launch_bounds__(kMostThreads, kBlocksAtOnce<S>)
    depthwise_xcorr_kernel(const Problem<S> p, const Tiling s) {
  using T = typename Problem<S>::T;
  T* const taps = dynamic_shared<T>();
  T* const map = taps + s.all_taps();
  const Tile<Index> tile = tile_of<Index>(p, s, blockIdx.x);
  const int part = threadIdx.z / s.groups;
  const int lane = threadIdx.x, channel = threadIdx.y, row = (threadIdx.z - part * s.groups) * Rows;
  const bool works = lane < s.pairs && channel < tile.channels;
  const T* const own_map = map + channel * s.map_size + kColumns * row + lane * s.pair_pitch;

  Place output = p.outputs.descend(tile.output, {});
  bool asked = false;  // for this template's taps
  for (int n = 0; n < s.together; ++n) {
    T* const some_taps = taps + n % 2 * s.buffer;
    T sums[kColumns][Rows] = {};
    for (Index r = 0; r < static_cast<Index>(p.sums.size); ++r) {
      const Place place = p.sums.descend(static_cast<std::make_unsigned_t<Index>>(r), output);
      const S* const search = p.search + place.search + int64_t(tile.channel) * p.of_search.channel;
      const S* const templ = p.templ + place.templ + int64_t(tile.channel) * p.of_template.channel;
      for (Index i = 0; i < static_cast<Index>(p.kh); i += s.taps_h)
        for (Index j = 0; j < static_cast<Index>(p.kw); j += s.taps_w) {
          if (!asked) {
            __syncthreads();  // what was in shared memory has been used
            if (n == 0) load_map(p, s, tile, search, i, j, map);
            load_taps(p, s, tile, templ, i, j, some_taps);
            commit_copies();
          }
          wait_for_copies();
          __syncthreads();
          asked = n + 1 < s.together;
          if (asked) {
            const S* const next = templ + p.outputs.step[p.outputs.dims - 1].templ;
            load_taps(p, s, tile, next, i, j, taps + (n + 1) % 2 * s.buffer);
            commit_copies();
          }
          if (works)
            add_part_of_taps(s, part, static_cast<int>(min(Index(s.taps_h), Index(p.kh) - i)),
                            static_cast<int>(min(Index(s.taps_w), Index(p.kw) - j)), own_map,
                            some_taps + channel * s.taps_size, sums);
        }
    }
    if (s.parts > 1) add_parts(s, part, taps, sums);
    if (works && part == 0) store(p, s, tile, lane, channel, row, p.out + output.out, sums);
    if (asked) output.move(p.outputs.step[p.outputs.dims - 1], 1);
  }
}

}  // namespace reidops::depthwise_xcorr
