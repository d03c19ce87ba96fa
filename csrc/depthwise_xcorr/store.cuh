// store.cuh - a thread's outputs to global memory.
#pragma once

#include "../common/half.h"
#include "taps.cuh"
#include "tiling.cuh"

namespace reidops::depthwise_xcorr {

// Two neighbours at once where `paired`; the second is there where `both`.
template <class S, class T>
__device__ __forceinline__ void store_columns(S* to, int64_t next_column, bool paired, bool both, T left, T right) {
  if (paired) {
    Pack<S, 2> two;
    narrow(left, two.of[0]), narrow(right, two.of[1]);
    *reinterpret_cast<Pack<S, 2>*>(to) = two;
  } else {
    narrow(left, *to);
    if (both) narrow(right, to[next_column]);
  }
}

// The sums of rows `row` ... of columns 2 `lane` and 2 `lane` + 1 of a tile, as far as the map goes.  `out` is output
// (0, 0, 0) of the map.
template <int Rows, class S, class T, class Index>
__device__ __forceinline__ void store(const Problem<S>& p, const Tiling& s, const Tile<Index>& tile, int lane,
                                      int channel, int row, S* out, const T (&sums)[kColumns][Rows]) {
  const Index y = tile.y + row, x = tile.x + kColumns * lane, rows = Index(p.h) - y;
  const Index next_row = Index(p.of_out.row), next_column = Index(p.of_out.column);
  if (x >= Index(p.w)) return;
  const bool both = x + 1 < Index(p.w);
  out += int64_t(Index(p.of_out.channel)) * (tile.channel + channel) + int64_t(next_row) * y + int64_t(next_column) * x;
  if (rows >= Rows) {
#pragma unroll
    for (int k = 0; k < Rows; ++k, out += next_row)
      store_columns(out, next_column, s.paired, both, sums[0][k], sums[1][k]);
  } else {
#pragma unroll
    for (int k = 0; k < Rows - 1; ++k, out += next_row)
      if (k < rows) store_columns(out, next_column, s.paired, both, sums[0][k], sums[1][k]);
  }
}

}  // namespace reidops::depthwise_xcorr
