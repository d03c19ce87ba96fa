// depthwise_xcorr.cuh - the CUDA kernel: a tile of some channels of an output map to a block.
//
// Search map and template lie in shared memory as far as the tile needs them (load.cuh), the map with its zeros, so that
// nothing is tested in the inner loop (taps.cuh).  Outputs of one search map follow one another in a block, which then
// reads the map once, and the next template while it works on the last.  Sums have one owner and one order.
#pragma once

#include "load.cuh"
#include "taps.cuh"
#include "tiling.cuh"

namespace reidops::depthwise_xcorr {

// All `rows` x `columns` taps that are in shared memory: K rows, or as many as there are.
template <int K, int Rows, class T>
__device__ __forceinline__ void add_all_taps(const Tiling& s, int rows, int columns, const T* map, const T* taps,
                                             T (&sums)[kColumns][Rows]) {
  if constexpr (K > 0) {
    add_taps<K, Rows>(map, s.pair_pitch, taps, s.tap_pitch, columns, sums);
  } else {
    int i = 0;
#pragma unroll 1
    for (; i + 4 <= rows; i += 4)
      add_taps<4, Rows>(map + kColumns * i, s.pair_pitch, taps + i, s.tap_pitch, columns, sums);
    if (rows % 4 >= 2) {
      add_taps<2, Rows>(map + kColumns * i, s.pair_pitch, taps + i, s.tap_pitch, columns, sums);
      i += 2;
    }
    if (rows % 2 == 1) add_taps<1, Rows>(map + kColumns * i, s.pair_pitch, taps + i, s.tap_pitch, columns, sums);
  }
}

// Writes a thread's outputs, as far as the map goes.
template <int Rows, class S, class T, class Index>
__device__ __forceinline__ void store(const Problem<S>& p, const Tile<Index>& tile, int lane, int channel, int row,
                                      S* out, const T (&sums)[kColumns][Rows]) {
  const Index y = tile.y + row, x = tile.x + kColumns * lane, rows = Index(p.h) - y;
  const int64_t next_row = p.of_out.row, next_column = p.of_out.column;
  const bool both = x + 1 < Index(p.w);
  if (x >= Index(p.w)) return;
  out += int64_t(Index(p.of_out.channel)) * (tile.channel + channel) + int64_t(Index(next_row)) * y +
         int64_t(Index(next_column)) * x;
#pragma unroll
  for (int k = 0; k < Rows; ++k, out += next_row) {
    if (k >= rows) break;
    narrow(sums[0][k], *out);
    if (both) narrow(sums[1][k], out[next_column]);
  }
}

// The kernel for K rows of taps, any number where K is 0, and Rows rows of the output a thread.  Index is 64 bits wide
// where sizes, strides or the number of sums ask for it.
template <class S, int K, int Rows, class Index>
__global__ void __launch_bounds__(kMostThreads, 2) depthwise_xcorr_kernel(const Problem<S> p, const Tiling s) {
  using T = typename Problem<S>::T;
  T* const taps = dynamic_shared<T>();
  T* const map = taps + s.buffers * s.channels * s.taps_size;
  const Tile<Index> tile = tile_of<Index>(p, s, blockIdx.x);
  const int lane = threadIdx.x, channel = threadIdx.y, row = threadIdx.z * Rows;
  const bool works = lane < s.pairs && channel < tile.channels;
  const T* const own_map = map + channel * s.map_size + kColumns * row + lane * s.pair_pitch;

  Place output = p.outputs.descend(tile.output, {});
  bool asked = false;  // for this template's taps
  for (int n = 0; n < s.together; ++n) {
    T* const some_taps = taps + n % 2 * s.channels * s.taps_size;
    T sums[kColumns][Rows] = {};
    for (Index r = 0; r < static_cast<Index>(p.sums.size); ++r) {
      const Place place = p.sums.descend(static_cast<std::make_unsigned_t<Index>>(r), output);
      const S* const search = p.search + place.search + int64_t(tile.channel) * p.of_search.channel;
      const S* const templ = p.templ + place.templ + int64_t(tile.channel) * p.of_template.channel;
      for (Index i = 0; i < static_cast<Index>(p.kh); i += s.taps_h)
        for (Index j = 0; j < static_cast<Index>(p.kw); j += s.taps_w) {
          if (!asked) {
            __syncthreads();  // the last taps have been used
            if (n == 0) load_map(p, s, tile, search, i, j, map);
            load_taps(p, s, tile, templ, i, j, some_taps);
            commit_copies();
          }
          wait_for_copies();
          __syncthreads();
          asked = n + 1 < s.together;
          if (asked) {
            const S* const next = templ + p.outputs.step[p.outputs.dims - 1].templ;
            load_taps(p, s, tile, next, i, j, taps + (n + 1) % 2 * s.channels * s.taps_size);
            commit_copies();
          }
          if (works)
            add_all_taps<K>(s, static_cast<int>(min(Index(s.taps_h), Index(p.kh) - i)),
                            static_cast<int>(min(Index(s.taps_w), Index(p.kw) - j)), own_map,
                            some_taps + channel * s.taps_size, sums);
        }
    }
    if (works) store(p, tile, lane, channel, row, p.out + output.out, sums);
    if (asked) output.move(p.outputs.step[p.outputs.dims - 1], 1);
  }
}

template <class S, int K, int Rows, class Index>
void launch_kernel(const Problem<S>& p, const Tiling& s, Stream stream) {
  launch(depthwise_xcorr_kernel<S, K, Rows, Index>, dim3(static_cast<unsigned>(s.blocks)), s.threads(),
         s.shared_bytes<typename Problem<S>::T>(), stream, p, s);
}

template <class S, int K>
void launch_rows(const Problem<S>& p, const Tiling& s, Stream stream) {
  s.rows == 8 ? launch_kernel<S, K, 8, int>(p, s, stream) : launch_kernel<S, K, 10, int>(p, s, stream);
}

template <class S>
void launch_halves(const Problem<S>& p, Stream stream, int64_t enough, int64_t most);

// `enough` blocks: with fewer a block makes more outputs of a search map.  `most`: a launch has no more.
template <class S>
void launch_xcorr(const Problem<S>& p, Stream stream, int64_t enough = kEnoughBlocks, int64_t most = kMostBlocks) {
  if (p.outputs.size == 0 || p.C == 0) return;
  const Tiling s = Tiling::of(p, enough);
  if (s.blocks > most && p.outputs.size > 1) return launch_halves(p, stream, enough, most);
  if (s.wide) return launch_kernel<S, 0, 8, int64_t>(p, s, stream);
  if constexpr (!std::is_same_v<S, double>) {
    switch (s.rows_of_taps) {
      case 3: return launch_rows<S, 3>(p, s, stream);
      case 5: return launch_rows<S, 5>(p, s, stream);
      case 7: return launch_rows<S, 7>(p, s, stream);
      case 10: return launch_rows<S, 10>(p, s, stream);
      default: return launch_rows<S, 0>(p, s, stream);
    }
  }
}

// More outputs than a grid has blocks for: half of them after the other, along the first dimension that has two.
template <class S>
void launch_halves(const Problem<S>& p, Stream stream, int64_t enough, int64_t most) {
  int d = 0;
  while (p.outputs.extent[d] < 2) ++d;
  const int64_t all = p.outputs.extent[d], first = all / 2;
  Problem<S> half = p;
  half.outputs.extent[d] = first;
  half.outputs.size = p.outputs.size / all * first;
  launch_xcorr(half, stream, enough, most);
  Place start;
  start.move(p.outputs.step[d], first);
  half.search += start.search, half.templ += start.templ, half.out += start.out;
  half.outputs.extent[d] = all - first;
  half.outputs.size = p.outputs.size / all * (all - first);
  launch_xcorr(half, stream, enough, most);
}

}  // namespace reidops::depthwise_xcorr
