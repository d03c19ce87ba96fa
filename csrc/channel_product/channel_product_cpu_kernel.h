// channel_product_cpu_kernel.h - the CPU kernel, compiled once for every instruction set.
//
// A block of channels of one right map stays in the nearer caches while all its partners' rows go by, a few at a time.
// A map whose locations lie side by side is read as it is: the columns of a tile are registers of the right map, and
// its rows numbers of the left one.  What comes next is asked for while a tile is made, since a strip of such a map
// lies in many places of memory, which no processor foresees.
#pragma once

#include <algorithm>

#include "panel.h"

namespace reidops::REIDOPS_ISA {

template <class S>
class Multiplier {
  using Problem = channel_product::Problem<S>;
  using T = typename Problem::T;
  static constexpr int64_t kPanel = kTileVectors * Lanes<T>::kCount;  // columns of a tile
  static constexpr int64_t kPanels = 16;                              // in a block of columns
  static constexpr int64_t kTile = kTileRows * kPanel;                // values of a tile
  static constexpr int64_t kTiles = 256;                              // whose sums are held at once
  static constexpr bool kAsStored = sizeof(S) == sizeof(T);

 public:
  explicit Multiplier(const Problem& p)
      : p_(p), strips_((p.left.size + kTileRows - 1) / kTileRows),
        blocks_((p.right.size + kPanel * kPanels - 1) / (kPanel * kPanels)) {}

  bool reads_in_place() const { return kAsStored && p_.left.location == 1; }
  int64_t strips() const { return p_.left.count * strips_; }
  int64_t tasks() const { return p_.pairs.first[p_.right.count] * blocks_ * strips_; }

  void lay_out(int64_t begin, int64_t end) const {
    for (int64_t i = begin; i < end; ++i) {
      const Strip strip = strip_of(i % strips_);
      const S* const from = p_.left.data + i / strips_ * p_.left.map + strip.begin * p_.left.location;
      lay_out_locations<T, false>(p_.left, from, p_.C, strip.rows, laid_out(i / strips_, strip), strip.rows);
    }
  }

  // Tasks are ordered (right map, block of columns, pair, strip), so that those that share columns follow one another.
  void multiply(int64_t begin, int64_t end) {
    panels_ = panel_memory_.reserve(kPanels * kPanel * std::min(p_.C, channel_product::kBlock));
    if (p_.C > channel_product::kBlock) sums_ = sum_memory_.reserve(kTiles * kTile);
    const int64_t of_pair = blocks_ * strips_;
    const int64_t* const first = p_.pairs.first;
    int64_t g = std::upper_bound(first, first + p_.right.count + 1, begin / of_pair) - first - 1;
    while (begin < end) {
      while (first[g + 1] * of_pair <= begin) ++g;
      const int64_t of_block = (first[g + 1] - first[g]) * strips_, rest = begin - first[g] * of_pair;
      const int64_t from = rest % of_block, to = std::min(of_block, from + end - begin);
      const int64_t column = rest / of_block * kPanels * kPanel;
      multiply_columns({g, column, std::min(kPanels * kPanel, p_.right.size - column)}, from, to);
      begin += to - from;
    }
  }

  void mirror(int64_t begin, int64_t end) const {
    const int64_t M = p_.right.size;
    for (int64_t i = begin; i < end; ++i) {
      const Strip strip = strip_of(i % strips_);
      T* const gram = p_.out + i / strips_ * M * M;
      for (int64_t n = strip.begin; n < strip.begin + strip.rows; ++n)
        for (int64_t m = 0; m < left_out(strip); ++m) gram[n * M + m] = gram[m * M + n];
    }
  }

 private:
  // Rows of a map that are multiplied together: all about alike many, at most kTileRows.
  struct Strip {
    int64_t begin, rows;
  };
  Strip strip_of(int64_t i) const {
    const int64_t begin = i * p_.left.size / strips_, end = (i + 1) * p_.left.size / strips_;
    return {begin, end - begin};
  }
  T* laid_out(int64_t map, const Strip& strip) const {
    return p_.laid_out + (map * p_.left.size + strip.begin) * p_.C;
  }
  // Columns of a Gram matrix in panels that end where the strip begins, or before.  A strip that begins at m of these
  // has begun before each of the strip's rows, so `mirror` finds value (m, n) made.
  int64_t left_out(const Strip& strip) const { return p_.gram ? strip.begin / kPanel * kPanel : 0; }

  // Columns of one right map that are multiplied one after another.
  struct Columns {
    int64_t map, begin, count;
  };
  // A block of channels of them, and where it is to be found next.
  struct Block {
    int64_t channel, channels;
    const S *right, *next_right;
    int64_t tiles;  // made so far
  };
  // A strip of rows for them.
  struct Rows {
    int64_t pair;
    Strip strip;
  };
  Rows rows_of(const Columns& columns, int64_t unit) const {
    return {p_.pairs.place[p_.pairs.first[columns.map] + unit / strips_], strip_of(unit % strips_)};
  }

  // Strips [from, to) of the partners of a map, counted over all of them.  Some at a time, so that what all channels
  // so far have come to stays in the second cache, one tile after another.
  void multiply_columns(const Columns& columns, int64_t from, int64_t to) {
    const int64_t panels = (columns.count + kPanel - 1) / kPanel, at_once = kTiles / panels;
    for (int64_t some = from; some < to; some += at_once)
      for (int64_t c = 0; c == 0 || c < p_.C; c += channel_product::kBlock) {
        const int64_t end = std::min(some + at_once, to), next = c + channel_product::kBlock;
        const bool last = next >= p_.C;
        Block block{c, std::min(channel_product::kBlock, p_.C - c), right_of(columns, c), nullptr, 0};
        if (!last || end < to) block.next_right = right_of(columns, last ? 0 : next);
        lay_out_columns(block, columns);
        for (int64_t unit = some; unit < end; ++unit) {
          const bool stays = unit + 1 < end;
          const Rows after = rows_of(columns, stays ? unit + 1 : some);
          const T* const next_left = left_of(after, stays || last ? c : next) + after.strip.rows - 1;
          multiply_strip(columns, block, rows_of(columns, unit), next_left, sums_ + (unit - some) * panels * kTile);
        }
      }
  }

  void multiply_strip(const Columns& columns, Block& block, const Rows& rows, const T* next_left, T* sums) const {
    const int64_t K = p_.pairs.partners, M = p_.right.size, row = rows.pair / K * p_.left.size + rows.strip.begin;
    T* const out = p_.out + (row * K + rows.pair % K) * M + columns.begin;
    const bool first = block.channel == 0, last = block.channel + block.channels == p_.C;
    Operands<T> given{left_of(rows, block.channel), nullptr, next_left, nullptr, left_step(rows), 0, block.channels};
    for (int64_t m = std::max<int64_t>(0, left_out(rows.strip) - columns.begin); m < columns.count; m += kPanel) {
      const int64_t count = std::min(kPanel, columns.count - m);
      set_columns(block, m, count, given);
      T* const tile = sums + m / kPanel * kTile;
      const T* const before = first ? nullptr : tile;
      multiply_rows(rows.strip.rows, count, given, last ? Target<T>{out + m, K * M, count, before}
                                                        : Target<T>{tile, kPanel, kPanel, before});
      given.next_left = given.left;  // one tile has asked for all
    }
  }

  // A column block's first element, of a channel.
  const S* right_of(const Columns& columns, int64_t channel) const {
    return p_.right.data + columns.map * p_.right.map + channel * p_.right.channel +
           columns.begin * p_.right.location;
  }
  bool in_place(int64_t count) const { return kAsStored && p_.right.location == 1 && count == kPanel; }
  // The panels that cannot be read in place.
  void lay_out_columns(const Block& block, const Columns& columns) const {
    for (int64_t m = 0; m < columns.count; m += kPanel) {
      const int64_t count = std::min(kPanel, columns.count - m);
      if (!in_place(count))
        lay_out_locations<T, true>(p_.right, block.right + m * p_.right.location, block.channels, count,
                                   panels_ + m * block.channels, kPanel);
    }
  }
  // Panel m.  Each tile asks for a register of the next block's columns, until there are no more.
  void set_columns(Block& block, int64_t m, int64_t count, Operands<T>& given) const {
    given.right = panels_ + m * block.channels;
    given.right_step = kPanel;
    if constexpr (kAsStored) {
      if (in_place(count)) {
        given.right = block.right + m;
        given.right_step = p_.right.channel;
      }
    }
    given.next_right = given.right;
    if constexpr (kAsStored) {
      const int64_t ahead = block.tiles++ * Lanes<T>::kCount;
      if (in_place(count) && block.next_right != nullptr && ahead < p_.right.size) given.next_right = block.next_right + ahead;
    }
  }

  const T* left_of(const Rows& rows, int64_t channel) const {
    const int64_t map = rows.pair / p_.pairs.partners;
    if constexpr (kAsStored) {
      if (p_.laid_out == nullptr)
        return p_.left.data + map * p_.left.map + channel * p_.left.channel + rows.strip.begin;
    }
    return laid_out(map, rows.strip) + channel * rows.strip.rows;
  }
  int64_t left_step(const Rows& rows) const { return p_.laid_out == nullptr ? p_.left.channel : rows.strip.rows; }

  const Problem& p_;
  const int64_t strips_, blocks_;
  Buffer<T> panel_memory_, sum_memory_;
  T *panels_ = nullptr, *sums_ = nullptr;
};

namespace channel_product_kernels {

#define REIDOPS_DEFINE_STORAGE(S)                                                                              \
  bool reads_in_place(const channel_product::Problem<S>& p) { return Multiplier<S>(p).reads_in_place(); }      \
  int64_t strips(const channel_product::Problem<S>& p) { return Multiplier<S>(p).strips(); }                   \
  int64_t tasks(const channel_product::Problem<S>& p) { return Multiplier<S>(p).tasks(); }                     \
  void lay_out(const channel_product::Problem<S>& p, int64_t begin, int64_t end) {                             \
    Multiplier<S>(p).lay_out(begin, end);                                                                      \
  }                                                                                                            \
  void multiply(const channel_product::Problem<S>& p, int64_t begin, int64_t end) {                            \
    Multiplier<S>(p).multiply(begin, end);                                                                     \
  }                                                                                                            \
  void mirror(const channel_product::Problem<S>& p, int64_t begin, int64_t end) {                              \
    Multiplier<S>(p).mirror(begin, end);                                                                       \
  }
REIDOPS_DEFINE_STORAGE(float)
REIDOPS_DEFINE_STORAGE(double)
REIDOPS_DEFINE_STORAGE(Half)
REIDOPS_DEFINE_STORAGE(BFloat16)
#undef REIDOPS_DEFINE_STORAGE

}  // namespace channel_product_kernels
}  // namespace reidops::REIDOPS_ISA
