// channel_product_cpu_kernel.h - the CPU kernel, compiled once for every instruction set.
//
// A block of channels of one right map stays in the nearer caches while all its partners' rows go by, a few at a time.
// A map whose locations lie side by side is read as it is: the columns of a tile are registers of the right map, and
// its rows numbers of the left one.
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
    panels_ = memory_.reserve(kPanels * kPanel * std::min(p_.C, channel_product::kBlock));
    const int64_t of_pair = blocks_ * strips_;
    const int64_t* const first = p_.pairs.first;
    int64_t g = std::upper_bound(first, first + p_.right.count + 1, begin / of_pair) - first - 1;
    while (begin < end) {
      while (first[g + 1] * of_pair <= begin) ++g;
      const int64_t of_block = (first[g + 1] - first[g]) * strips_, rest = begin - first[g] * of_pair;
      const int64_t block = rest / of_block, from = rest % of_block, to = std::min(of_block, from + end - begin);
      multiply_block(g, block, from, to);
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

  // Units [from, to) of one right map's and column block's: its pairs, and the strips of each.
  void multiply_block(int64_t g, int64_t block, int64_t from, int64_t to) {
    const int64_t column = block * kPanels * kPanel, columns = std::min(kPanels * kPanel, p_.right.size - column);
    for (int64_t c = 0; c == 0 || c < p_.C; c += channel_product::kBlock) {
      const int64_t channels = std::min(channel_product::kBlock, p_.C - c);
      const S* const right = p_.right.data + g * p_.right.map + c * p_.right.channel + column * p_.right.location;
      for (int64_t m = 0; m < columns; m += kPanel)
        if (!in_place(columns - m))
          lay_out_locations<T, true>(p_.right, right + m * p_.right.location, channels, std::min(kPanel, columns - m),
                                     panels_ + m * channels, kPanel);
      for (int64_t unit = from; unit < to; ++unit) {
        const int64_t pair = p_.pairs.place[p_.pairs.first[g] + unit / strips_];
        const Strip strip = strip_of(unit % strips_);
        Operands<T> given{.left = nullptr, .right = nullptr, .left_step = 0, .right_step = 0, .channels = channels};
        rows_of(pair / p_.pairs.partners, strip, c, given);
        const int64_t step = p_.pairs.partners * p_.right.size;
        T* const out = p_.out + (pair / p_.pairs.partners * p_.left.size + strip.begin) * step +
                       pair % p_.pairs.partners * p_.right.size + column;
        const int64_t skipped = left_out(strip) - column;
        for (int64_t m = skipped > 0 ? skipped : 0; m < columns; m += kPanel) {
          columns_of(right, m, columns - m, given);
          multiply_rows(strip.rows, given, {out + m, step, std::min(kPanel, columns - m), c == 0});
        }
      }
    }
  }

  bool in_place(int64_t columns) const { return kAsStored && p_.right.location == 1 && columns >= kPanel; }

  void rows_of(int64_t map, const Strip& strip, int64_t channel, Operands<T>& given) const {
    if constexpr (kAsStored) {
      if (p_.laid_out == nullptr) {
        given.left = p_.left.data + map * p_.left.map + channel * p_.left.channel + strip.begin;
        given.left_step = p_.left.channel;
        return;
      }
    }
    given.left = laid_out(map, strip) + channel * strip.rows;
    given.left_step = strip.rows;
  }
  void columns_of(const S* right, int64_t column, int64_t columns, Operands<T>& given) const {
    if constexpr (kAsStored) {
      if (in_place(columns)) {
        given.right = right + column;
        given.right_step = p_.right.channel;
        return;
      }
    }
    given.right = panels_ + column * given.channels;
    given.right_step = kPanel;
  }

  const Problem& p_;
  const int64_t strips_, blocks_;
  Buffer<T> memory_;
  T* panels_ = nullptr;
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
