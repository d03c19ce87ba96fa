// depthwise_xcorr.cuh - the CUDA kernels: a tile of some channels of an output map to a block.
//
// Search map and template lie in shared memory as far as the tile needs them (load.cuh), the map with its zeros, so
// that nothing is tested in the inner loop (taps.cuh).  Outputs of one search map follow one another in a block, which
// then reads the map once, and the next template while it works on the last.  Sums have one owner and one order.
#pragma once

#include "any_size.cuh"
#include "square.cuh"

namespace reidops::depthwise_xcorr {

template <class S>
void launch_kernel(void (*kernel)(Problem<S>, Tiling), const Problem<S>& p, const Tiling& s, Stream stream) {
  const std::size_t shared = s.shared_bytes<typename Problem<S>::T>();
  launch(kernel, dim3(static_cast<unsigned>(s.blocks)), s.threads(), shared, stream, p, s);
}

template <class S, int K>
void launch_square(const Problem<S>& p, const Tiling& s, Stream stream) {
  launch_kernel(s.rows == 8 ? depthwise_xcorr_square_kernel<S, K, 8> : depthwise_xcorr_square_kernel<S, K, 10>, p, s,
                stream);
}

template <class S>
void launch_halves(const Problem<S>& p, Stream stream, int64_t enough, int64_t most);

// `enough` blocks: with fewer a block makes more outputs of a search map.  `most`: a launch has no more.
template <class S>
void launch_xcorr(const Problem<S>& p, Stream stream, int64_t enough = kEnoughBlocks, int64_t most = kMostBlocks) {
  if (p.outputs.size == 0 || p.C == 0) return;
  const Tiling s = Tiling::of(p, enough);
  if (s.blocks > most && p.outputs.size > 1) return launch_halves(p, stream, enough, most);
  if constexpr (!std::is_same_v<S, double>) {
    if (s.square == 3) return launch_square<S, 3>(p, s, stream);
    if (s.square == 5) return launch_square<S, 5>(p, s, stream);
    if (s.square == 7) return launch_square<S, 7>(p, s, stream);
    if (s.square == 10) return launch_square<S, 10>(p, s, stream);
    if (!s.wide) {
      return launch_kernel(s.rows == 8 ? depthwise_xcorr_kernel<S, 8, int> : depthwise_xcorr_kernel<S, 10, int>, p, s,
                           stream);
    }
  }
  launch_kernel(depthwise_xcorr_kernel<S, 8, int64_t>, p, s, stream);
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
