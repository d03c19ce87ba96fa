// channel_product_cpu_kernel.h - the CPU kernel, compiled once for every instruction set.
//
// A block of channels of one right map stays in the nearer caches while all its partners' rows go by, a few at a time.
// A map whose locations lie side by side can be read as it is: the columns of a tile are registers of the right map,
// and its rows numbers of the left one.
//
// What comes next is asked for while a tile is made: maps that are read as they lie are in many places of memory, which
// no processor foresees, and those that are laid out come from the third cache, which is too slow for one tile to wait
// for all.
#pragma once

#include "panel.h"
#include "tasks.h"
#include "weighted_sums.h"

namespace reidops::REIDOPS_ISA {

template <class S>
class Multiplier {
  using Problem = channel_product::Problem<S>;
  using T = typename Problem::T;
  static constexpr int64_t kBlock = channel_product::kBlock;
  static constexpr int64_t kPanel = kTileVectors * Lanes<T>::kCount;  // columns of a tile
  static constexpr int64_t kMostColumns = 8 * kPanel;                 // that are multiplied one after another, at most
  static constexpr int64_t kLaidOut = int64_t(1) << 20;               // bytes of theirs, for half of the second cache
  static constexpr int64_t kTile = kTileRows * kPanel;                // values of a tile
  static constexpr int64_t kTiles = 64;                               // whose sums are held at once
  // Partners of a left map for which it is worth while to lay it out; and fewer where each channel is in another page of
  // memory, as in a map of many locations.
  static constexpr int64_t kPartners = 8, kPartnersFar = 2, kFar = 2048;
  // Strips that a panel serves for which it is worth while to lay it out: rows of a map lie a power of two apart, so that
  // few of a panel's fit into the nearest cache.
  static constexpr int64_t kServed = 24;
  static constexpr bool kAsStored = sizeof(S) == sizeof(T);

 public:
  explicit Multiplier(const Problem& p) : p_(p), tasks_(p, kTileRows, columns_at_once(p.C)) {}

  int64_t bytes_laid_out() const {
    const int64_t few = p_.left.channel * int64_t(sizeof(T)) > kFar ? kPartnersFar : kPartners;
    const bool in_place = kAsStored && p_.left.location == 1 && p_.pairs.partners < few;
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
    if (p_.C > kBlock) sums_ = sum_memory_.reserve(kTiles * kTile);
    tasks_.each_block(begin, end, [&](const Columns& columns, int64_t from, int64_t to) {
      multiply_columns(columns, from, to);
    });
  }

  void mirror(int64_t begin, int64_t end) const { tasks_.mirror(begin, end, kPanel); }

 private:
  // A block of channels of some columns, for some strips, after which come some others.
  struct Pass {
    const Columns& columns;
    int64_t channel, channels, strips, strips_after;
    bool last;  // block of channels
  };
  // A strip of a pair: its rows, and where their values go.
  struct Rows {
    const T* left;  // of channel 0
    int64_t left_step, count, left_out;
    T* out;
  };
  static int64_t panels_of(int64_t columns) { return (columns + kPanel - 1) / kPanel; }
  static int64_t columns_at_once(int64_t C) {
    const int64_t panels = kLaidOut / (std::max<int64_t>(1, C) * kPanel * int64_t(sizeof(T)));
    return kPanel * std::clamp<int64_t>(panels, 1, kMostColumns / kPanel);
  }

  // Some strips at a time, so that what all channels so far have come to stays in the second cache.
  void multiply_columns(const Columns& columns, int64_t from, int64_t to) {
    const int64_t at_once = kTiles / panels_of(columns.count);
    serves_many_ = to - from >= kServed;
    if (!is_in_place(columns.count % kPanel == 0 ? kPanel : 0))
      panels_ = panel_memory_.reserve(panels_of(columns.count) * kPanel * p_.C);
    find_rows(columns, from, std::min(from + at_once, to), after_);
    for (int64_t some = from; some < to; some += at_once) {
      std::swap(rows_, after_);
      const int64_t end = std::min(some + at_once, to);
      find_rows(columns, end, std::min(end + at_once, to), after_);
      for (int64_t c = 0; c == 0 || c < p_.C; c += kBlock) {
        const Pass pass{columns, c, std::min(kBlock, p_.C - c), end - some, std::min(end + at_once, to) - end,
                        c + kBlock >= p_.C};
        if (some == from) lay_out_columns(pass);
        // One panel for all strips, where it is laid out and stays in the nearest cache; else all panels for one strip.
        const int64_t width = serves_many_ ? kPanel : columns.count;
        for (int64_t m = 0; m < columns.count; m += width)
          for (int64_t i = 0; i < pass.strips; ++i)
            multiply_strip(pass, i, m, std::min(m + width, columns.count));
      }
    }
  }

  void find_rows(const Columns& columns, int64_t begin, int64_t end, Rows* to) const {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t pair = tasks_.pair(columns.map, i), map = tasks_.left_map(pair);
      const Strip strip = tasks_.strips[i % tasks_.strips.count];
      const bool as_it_lies = p_.laid_out == nullptr;
      *to++ = {.left = as_it_lies ? as_computed(p_.left.data + map * p_.left.map + strip.begin) : laid_out(map, strip),
               .left_step = as_it_lies ? p_.left.channel : strip.rows,
               .count = strip.rows,
               .left_out = tasks_.left_out(strip, kPanel) - columns.begin,
               .out = tasks_.out(pair, strip, columns.begin)};
    }
  }

  // Columns [begin, end) of strip i.
  void multiply_strip(const Pass& pass, int64_t i, int64_t begin, int64_t end) const {
    const Rows& rows = rows_[i];
    T* const sums = sums_ + i * panels_of(pass.columns.count) * kTile;
    const int64_t first = std::max(begin, rows.left_out);
    for (int64_t m = first; m < end; m += kPanel) {
      const int64_t count = std::min(kPanel, pass.columns.count - m);
      const bool in_place = is_in_place(count);
      const Operands<T> given{
          .left = rows.left + pass.channel * rows.left_step,
          .right = in_place ? as_computed(right_of(pass, m)) : panel_at(pass, m),
          .left_step = rows.left_step,
          .right_step = in_place ? p_.right.channel : kPanel,
          .channels = pass.channels,
          .next_left = p_.laid_out != nullptr ? laid_out_ahead(pass, i, m) : left_ahead(pass, i, m == first),
          .next_right = in_place ? right_ahead(pass, i, m) : panel_ahead(pass, i, m),
      };
      T* const tile = sums + m / kPanel * kTile;
      const T* const before = pass.channel == 0 ? nullptr : tile;
      multiply_rows(rows.count, count, given, pass.last ? Target<T>{rows.out + m, tasks_.row_step(), count, before}
                                                        : Target<T>{tile, kPanel, kPanel, before});
    }
  }

  // The same strip of the next block of channels, or a strip of the next group: every panel asks for its share.
  Ahead laid_out_ahead(const Pass& pass, int64_t i, int64_t m) const {
    if (pass.last && i >= pass.strips_after) return {this, 0};
    const Rows& rows = pass.last ? after_[i] : rows_[i];
    const int64_t share = shared(rows.count, panels_of(pass.columns.count));
    const int64_t channel = pass.last ? 0 : pass.channel + kBlock;
    return {bytes(rows.left + channel * rows.left_step) + m / kPanel * share * pass.channels, share};
  }
  // The next strip as it lies, a line per channel: one panel asks for all.
  Ahead left_ahead(const Pass& pass, int64_t i, bool first) const {
    if (!first) return {this, 0};
    const bool stays = i + 1 < pass.strips;
    const Rows& rows = rows_[stays ? i + 1 : 0];
    const int64_t channel = stays || pass.last ? pass.channel : pass.channel + kBlock;
    return {rows.left + channel * rows.left_step + rows.count - 1, rows.left_step * int64_t(sizeof(T))};
  }
  // The panel that comes next in memory: where one serves all strips, every strip asks for its share.
  Ahead panel_ahead(const Pass& pass, int64_t i, int64_t m) const {
    if (!serves_many_) return {this, 0};
    const int64_t share = shared(kPanel, pass.strips);
    const bool any = !pass.last || m + kPanel < pass.columns.count;
    const T* const next = any ? panel_at(pass, m) + kPanel * pass.channels : panels_;
    return {bytes(next) + i * share * pass.channels, share};
  }
  // The columns of the next block of channels as they lie: each tile asks for one register, until there are no more.
  Ahead right_ahead(const Pass& pass, int64_t i, int64_t m) const {
    const int64_t tile = i * panels_of(pass.columns.count) + m / kPanel;
    const int64_t column = pass.columns.begin + tile * Lanes<T>::kCount;
    const bool any = (!pass.last || pass.strips_after > 0) && column < p_.right.size;
    if (!any) return {this, 0};
    const int64_t channel = pass.last ? 0 : pass.channel + kBlock;
    return {p_.right.data + pass.columns.map * p_.right.map + channel * p_.right.channel + column,
            p_.right.channel * int64_t(sizeof(T))};
  }
  static const char* bytes(const T* at) { return reinterpret_cast<const char*>(at); }
  static int64_t shared(int64_t numbers, int64_t count) {
    return (numbers * int64_t(sizeof(T)) + count - 1) / count;
  }

  const S* right_of(const Pass& pass, int64_t m) const {
    return p_.right.data + pass.columns.map * p_.right.map + pass.channel * p_.right.channel +
           (pass.columns.begin + m) * p_.right.location;
  }
  // Where the columns of a pass are read as they lie, S is T.
  static const T* as_computed(const S* at) { return reinterpret_cast<const T*>(at); }
  bool is_in_place(int64_t count) const {
    return kAsStored && p_.right.location == 1 && count == kPanel && !serves_many_;
  }

  // Panels of a pass lie one after another, and after them those of the next block of channels.
  T* panel_at(const Pass& pass, int64_t m) const {
    return panels_ + pass.channel * kPanel * panels_of(pass.columns.count) + m * pass.channels;
  }
  // The panels that cannot be read in place.
  void lay_out_columns(const Pass& pass) const {
    for (int64_t m = 0; m < pass.columns.count; m += kPanel) {
      const int64_t count = std::min(kPanel, pass.columns.count - m);
      if (!is_in_place(count))
        lay_out_locations<T, true>(p_.right, right_of(pass, m), pass.channels, count, panel_at(pass, m), kPanel);
    }
  }

  T* laid_out(int64_t map, const Strip& strip) const {
    return static_cast<T*>(p_.laid_out) + (map * p_.left.size + strip.begin) * p_.C;
  }

  const Problem& p_;
  const Tasks<S> tasks_;
  Buffer<T> panel_memory_, sum_memory_;
  T *panels_ = nullptr, *sums_ = nullptr;
  bool serves_many_ = false;
  Rows found_[2][kTiles], *rows_ = found_[0], *after_ = found_[1];  // of these strips, and of the next
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
