// forward_tiling.cuh - how the forward kernel's blocks and threads share out the pixels and channels of one map.
#pragma once

#include <algorithm>

#include "../common/launch.h"
#include "problem.h"

namespace reidops::affine_sample {

inline constexpr int64_t kEnoughBlocks = 4096;

// A thread has one column of a block's pixels, `rows` of it one below the other, and `groups` groups of channels.
// A block has columns x lanes x row_lanes threads: what a warp writes is one stretch of memory, so threads side by side
// have columns side by side where channels are planes, and groups side by side where a pixel's channels are.
struct ForwardTiling {
  static constexpr int kThreads = 256;                                  // of a block, or fewer
  static constexpr int kMostColumns = kThreads, kMostRows = kThreads;  // of a block
  static constexpr int kMostRowLanes = 64;                              // CUDA's limit
  static constexpr int kFewRows = 4, kManyRows = 32;                    // of a thread
  static constexpr int kFewChannels = 16, kManyChannels = 64;

  bool channels_last;
  int columns, lanes, row_lanes;
  int rows, groups;               // of a thread
  unsigned across, down, chunks;  // blocks of a map: columns of them, rows, and parts of the channels

  unsigned blocks() const { return across * down * chunks; }
  dim3 block() const {
    return channels_last ? dim3(lanes, columns, row_lanes) : dim3(columns, lanes, row_lanes);
  }

  // `together` channels are a group; `widest` lanes of channels are enough where channels are side by side.
  template <class S>
  static ForwardTiling of(const Problem<S>& p, int together, int widest, int64_t maps, int64_t enough) {
    ForwardTiling tiling{};
    const int64_t all = groups_of(p.C, together);
    tiling.channels_last = p.channels_last;
    tiling.groups = std::max(1, kFewChannels / together);
    if (p.channels_last) {
      tiling.lanes = static_cast<int>(std::min<int64_t>(widest, all));
      tiling.groups = static_cast<int>(std::min<int64_t>(tiling.groups, groups_of(all, tiling.lanes)));
      tiling.set_columns(p.w, kThreads / tiling.lanes);
    } else {
      tiling.set_columns(p.w, kThreads / 2);
    }
    tiling.set_lanes(all);
    const int64_t fit = kThreads / (tiling.columns * tiling.lanes);
    tiling.row_lanes = static_cast<int>(std::min({fit, groups_of(p.h, kFewRows), int64_t(kMostRowLanes)}));
    tiling.set_rows(p.h, kFewRows);
    return tiling.thicker(p, all, maps, enough);
  }

 private:
  static int64_t groups_of(int64_t count, int64_t size) { return (count + size - 1) / size; }

  void set_columns(int64_t w, int most) {
    constexpr int64_t kSector = 8;  // columns of a block start where 32 bytes do, as rows of a whole map may
    across = static_cast<unsigned>(groups_of(w, most));
    const int64_t even = groups_of(w, across);
    columns = static_cast<int>(across == 1 || most % kSector != 0 ? even : groups_of(even, kSector) * kSector);
  }
  void set_lanes(int64_t all) {
    lanes = static_cast<int>(std::min<int64_t>(kThreads / columns, groups_of(all, groups)));
    chunks = static_cast<unsigned>(groups_of(all, int64_t(lanes) * groups));
  }
  void set_rows(int64_t h, int64_t wanted) {
    const int64_t most = std::min<int64_t>(wanted, kMostRows / row_lanes);
    down = static_cast<unsigned>(groups_of(h, most * row_lanes));
    rows = static_cast<int>(groups_of(h, int64_t(down) * row_lanes));
  }

  // The same with more work for a thread, which pays once for its map and its positions, while `enough` blocks are left.
  template <class S>
  ForwardTiling thicker(const Problem<S>& p, int64_t all, int64_t maps, int64_t enough) const {
    ForwardTiling tiling = *this;
    const auto halved = [&] { return int64_t(tiling.blocks()) / 2 * maps >= enough; };
    while (tiling.chunks > 1 && 2 * tiling.groups * kFewChannels <= groups * kManyChannels && halved()) {
      tiling.groups *= 2;
      tiling.set_lanes(all);
    }
    while (tiling.down > 1 && 2 * tiling.rows <= kManyRows && halved()) tiling.set_rows(p.h, 2 * tiling.rows);
    return tiling;
  }
};

}  // namespace reidops::affine_sample
