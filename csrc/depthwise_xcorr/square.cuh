// square.cuh - the kernel for templates of K x K taps, K a template parameter.
#pragma once

#include "load.cuh"
#include "store.cuh"
#include "taps.cuh"
#include "tiling.cuh"

namespace reidops::depthwise_xcorr {

// A block makes `s.together` outputs of one search map, one after another: the next template's taps arrive in the other
// buffer while it works on the last.  Where outputs are sums over batch dimensions, it makes one.
template <class S, int K, int Rows>
__global__ void __launch_bounds__(kMostThreads, kBlocksAtOnce<S>)
    depthwise_xcorr_square_kernel(const Problem<S> p, const Tiling s) {
  using T = typename Problem<S>::T;
  T* const taps = dynamic_shared<T>();
  T* const map = taps + s.all_taps();
  const Tile<int> tile = tile_of<int>(p, s, blockIdx.x);
  const int lane = threadIdx.x, channel = threadIdx.y, row = threadIdx.z * Rows;
  const bool works = lane < s.pairs && channel < tile.channels;
  const T* const own_map = map + channel * s.map_size + kColumns * row + lane * s.pair_pitch;
  const T* const own_taps = taps + channel * K * K;

  Place output = p.outputs.descend(tile.output, {});
  bool asked = false;  // for this template's taps
  for (int n = 0; n < s.together; ++n) {
    const int buffer = n % 2 * s.buffer;
    T sums[kColumns][Rows] = {};
    for (unsigned r = 0; r < static_cast<unsigned>(p.sums.size); ++r) {
      const Place place = p.sums.descend(r, output);
      const S* const templ = p.templ + place.templ + p.of_template.channel * tile.channel;
      if (!asked) {
        __syncthreads();  // what was in shared memory has been used
        if (n == 0) load_map(p, s, tile, p.search + place.search + p.of_search.channel * tile.channel, 0, 0, map);
        load_squares_of_taps<K>(p, s, tile, templ, taps + buffer);
        commit_copies();
      }
      wait_for_copies();
      __syncthreads();
      asked = n + 1 < s.together;
      if (asked) {
        const S* const next = templ + p.outputs.step[p.outputs.dims - 1].templ;
        load_squares_of_taps<K>(p, s, tile, next, taps + (s.buffer - buffer));
        commit_copies();
      }
      if (works) add_square_of_taps<K>(own_map, s.pair_pitch, own_taps + buffer, sums);
    }
    if (works) store(p, s, tile, lane, channel, row, p.out + output.out, sums);
    if (asked) output.move(p.outputs.step[p.outputs.dims - 1], 1);
  }
}

}  // namespace reidops::depthwise_xcorr
