// channel_product_cpu_kernel.h - the CPU kernel, compiled once for every instruction set.
//
// A block of channels of one right map stays in the nearer caches while all its partners' rows go by, a few at a time.
// A map whose locations lie side by side can be read as it is: the columns of a tile are registers of the right map,
// and its rows numbers of the left one.  What comes next is asked for while a tile is made, since a strip of such a map
// lies in many places of memory, which no processor foresees.
#pragma once

#include "panel.h"
#include "tasks.h"

namespace reidops::REIDOPS_ISA {

template <class S>
class Multiplier {
  using Problem = channel_product::Problem<S>;
  using T = typename Problem::T;
  static constexpr int64_t kBlock = channel_product::kBlock;
  static constexpr int64_t kPanel = kTileVectors * Lanes<T>::kCount;  // columns of a tile
  static constexpr int64_t kColumns = 16 * kPanel;                    // that are multiplied one after another
  static constexpr int64_t kTile = kTileRows * kPanel;                // values of a tile
  static constexpr int64_t kTiles = 128;                              // whose sums are held at once
  static constexpr int64_t kPartners = 8;  // of a left map for which it is worth while to lay it out
  // Strips that a panel serves for which it is worth while to lay it out: rows of a map lie a power of two apart, so that
  // few of a panel's fit into the nearest cache.
  static constexpr int64_t kServed = 24;
  static constexpr bool kAsStored = sizeof(S) == sizeof(T);

 public:
  explicit Multiplier(const Problem& p) : p_(p), tasks_(p, kTileRows, kColumns) {}

  int64_t bytes_laid_out() const {
    const bool in_place = kAsStored && p_.left.location == 1 && p_.pairs.partners < kPartners;
    return in_place ? 0 : p_.left.count * p_.left.size * p_.C * int64_t(sizeof(T));
  }
  int64_t strips() const { return p_.left.count * tasks_.strips.count; }
  int64_t tasks() const { return tasks_.count(); }

  void lay_out(int64_t begin, int64_t end) const {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t map = i / tasks_.strips.count;
      const Strip strip = tasks_.strips[i % tasks_.strips.count];
      const S* const from = p_.left.data + map * p_.left.map + strip.begin * p_.left.location;
      lay_out_locations<T, false>(p_.left, from, p_.C, strip.rows, laid_out(map, strip), strip.rows);
    }
  }

  void multiply(int64_t begin, int64_t end) {
    panels_ = panel_memory_.reserve(kColumns * std::min(p_.C, kBlock));
    if (p_.C > kBlock) sums_ = sum_memory_.reserve(kTiles * kTile);
    tasks_.each_block(begin, end, [&](const Columns& columns, int64_t from, int64_t to) {
      multiply_columns(columns, from, to);
    });
  }

  void mirror(int64_t begin, int64_t end) const { tasks_.mirror(begin, end, kPanel); }

 private:
  // A block of channels of some columns, and where they are to be found next; null where there is no next.
  struct Block {
    int64_t channel, channels;
    const S *right, *next_right;
    int64_t tiles;  // made so far
  };
  // Rows for them.
  struct Rows {
    int64_t pair;
    Strip strip;
  };
  Rows rows_of(const Columns& columns, int64_t i) const {
    return {tasks_.pair(columns.map, i), tasks_.strips[i % tasks_.strips.count]};
  }

  // Some strips at a time, so that what all channels so far have come to stays in the second cache.
  void multiply_columns(const Columns& columns, int64_t from, int64_t to) {
    const int64_t panels = (columns.count + kPanel - 1) / kPanel, at_once = kTiles / panels;
    serves_many_ = to - from >= kServed;
    for (int64_t some = from; some < to; some += at_once)
      for (int64_t c = 0; c == 0 || c < p_.C; c += kBlock) {
        const int64_t end = std::min(some + at_once, to);
        const bool last = c + kBlock >= p_.C;
        Block block{c, std::min(kBlock, p_.C - c), right_of(columns, c), nullptr, 0};
        if (!last || end < to) block.next_right = right_of(columns, last ? 0 : c + kBlock);
        lay_out_columns(columns, block);
        // One panel for all strips, where it is laid out and stays in the nearest cache; else all panels for one strip.
        const int64_t width = serves_many_ ? kPanel : columns.count;
        for (int64_t m = 0; m < columns.count; m += width)
          for (int64_t i = some; i < end; ++i) {
            const bool stays = i + 1 < end;
            const Rows after = rows_of(columns, stays ? i + 1 : some);
            const T* const next_left = left_of(after, stays || last ? c : c + kBlock) + after.strip.rows - 1;
            T* const sums = sums_ + (i - some) * panels * kTile;
            multiply_strip(columns, block, rows_of(columns, i), next_left, sums, m, std::min(m + width, columns.count));
          }
      }
  }

  // Columns [begin, end).
  void multiply_strip(const Columns& columns, Block& block, const Rows& rows, const T* next_left, T* sums,
                      int64_t begin, int64_t end) const {
    T* const out = tasks_.out(rows.pair, rows.strip, columns.begin);
    const bool first = block.channel == 0, last = block.channel + block.channels == p_.C;
    Operands<T> given{left_of(rows, block.channel), nullptr, next_left, nullptr, left_step(rows), 0, block.channels};
    for (int64_t m = std::max(begin, tasks_.left_out(rows.strip, kPanel) - columns.begin); m < end; m += kPanel) {
      const int64_t count = std::min(kPanel, columns.count - m);
      set_columns(block, m, count, given);
      T* const tile = sums + m / kPanel * kTile;
      const T* const before = first ? nullptr : tile;
      multiply_rows(rows.strip.rows, count, given, last ? Target<T>{out + m, tasks_.row_step(), count, before}
                                                        : Target<T>{tile, kPanel, kPanel, before});
      given.next_left = given.left;  // one tile has asked for all
    }
  }

  const S* right_of(const Columns& columns, int64_t channel) const {
    return p_.right.data + columns.map * p_.right.map + channel * p_.right.channel +
           columns.begin * p_.right.location;
  }
  bool in_place(int64_t count) const {
    return kAsStored && p_.right.location == 1 && count == kPanel && !serves_many_;
  }

  // The panels that cannot be read in place.
  void lay_out_columns(const Columns& columns, const Block& block) const {
    for (int64_t m = 0; m < columns.count; m += kPanel) {
      const int64_t count = std::min(kPanel, columns.count - m);
      if (!in_place(count))
        lay_out_locations<T, true>(p_.right, block.right + m * p_.right.location, block.channels, count,
                                   panels_ + m * block.channels, kPanel);
    }
  }
  // Panel m.  Each tile asks for one register of the next block's columns, until there are no more.
  void set_columns(Block& block, int64_t m, int64_t count, Operands<T>& given) const {
    given.right = given.next_right = panels_ + m * block.channels;
    given.right_step = kPanel;
    if constexpr (kAsStored) {
      if (!in_place(count)) return;
      const int64_t ahead = block.tiles++ * Lanes<T>::kCount;
      given.right = given.next_right = block.right + m;
      given.right_step = p_.right.channel;
      if (block.next_right != nullptr && ahead < p_.right.size) given.next_right = block.next_right + ahead;
    }
  }

  const T* left_of(const Rows& rows, int64_t channel) const {
    const int64_t map = tasks_.left_map(rows.pair);
    if constexpr (kAsStored) {
      if (p_.laid_out == nullptr)
        return p_.left.data + map * p_.left.map + channel * p_.left.channel + rows.strip.begin;
    }
    return laid_out(map, rows.strip) + channel * rows.strip.rows;
  }
  int64_t left_step(const Rows& rows) const { return p_.laid_out == nullptr ? p_.left.channel : rows.strip.rows; }
  T* laid_out(int64_t map, const Strip& strip) const {
    return static_cast<T*>(p_.laid_out) + (map * p_.left.size + strip.begin) * p_.C;
  }

  const Problem& p_;
  const Tasks<S> tasks_;
  Buffer<T> panel_memory_, sum_memory_;
  T *panels_ = nullptr, *sums_ = nullptr;
  bool serves_many_ = false;
};

namespace channel_product_kernels {

#define REIDOPS_DEFINE_STORAGE(S) REIDOPS_DEFINE_CHANNEL_PRODUCT(S, Multiplier<S>)
REIDOPS_DEFINE_STORAGE(float)
REIDOPS_DEFINE_STORAGE(double)
REIDOPS_DEFINE_STORAGE(Half)
REIDOPS_DEFINE_STORAGE(BFloat16)
#undef REIDOPS_DEFINE_STORAGE

}  // namespace channel_product_kernels
}  // namespace reidops::REIDOPS_ISA
