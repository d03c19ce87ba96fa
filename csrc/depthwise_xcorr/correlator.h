// correlator.h - the CPU kernel's arithmetic, compiled once for every instruction set.
//
// Search map and template are laid out with the channels of a pixel side by side, a register of them.  Some rows of
// neighbouring outputs then stay in registers while the rows of the map go by: every pixel that is read serves all
// rows and every tap that is read all columns.  Rows outside the map are never visited; columns outside are zeros.
#pragma once

#include <algorithm>

#include "../common/pixels.h"
#include "problem.h"

namespace reidops::REIDOPS_ISA {

constexpr int kMostColumns = REIDOPS_VECTOR_BYTES == 64 ? 10 : 5;  // of outputs in registers, in each of two rows
constexpr int kTall = 16;  // rows of a template for which more than two rows of outputs are worth it
constexpr int kAhead = 24;  // cache lines, of the next map and of the output, to be asked for while some rows are made

// Memory that will be needed: it comes while other work is done.
class Ahead {
 public:
  // `channels` of rows x columns pixels.
  template <class S>
  void set(const S* maps, const Strides& by, int64_t channels, int64_t rows, int64_t columns) {
    const bool apart = by.channel == 1 && by.column > 1;  // a line for each pixel, else all of the memory
    if (apart && by.row != columns * by.column) return;
    at_ = reinterpret_cast<const char*>(maps);
    step_ = apart ? by.column * int64_t(sizeof(S)) : 64;
    left_ = apart ? rows * columns : channels * by.channel * int64_t(sizeof(S)) / 64;
  }
  template <bool kToWrite>
  REIDOPS_INLINE void ask() {
    for (int n = 0; n < kAhead && left_ > 0; ++n, --left_, at_ += step_) __builtin_prefetch(at_, kToWrite, 2);
  }

 private:
  const char* at_ = nullptr;
  int64_t step_ = 64, left_ = 0;
};

template <class S>
class Correlator {
 public:
  using Problem = depthwise_xcorr::Problem<S>;
  using T = typename Problem::T;
  using V = Run<T>;
  static constexpr int kLanes = kRun<T>;

  // What is laid out: every row of the map with the `width_` columns that some output looks at, the map as it is where
  // that is quicker, the taps and the outputs; after each a run, since gather_pixels writes whole runs of fewer pixels
  // than that, and scatter_pixels reads them.  What `rows` touches of them:
  //
  //     map_    rows r of [0, H); columns x + j + c <= (w - 1) + (kw - 1) = width - 1
  //     taps_   rows i - k of [0, kh), which it tests; columns j < kw
  //     out_    rows y + k < y + rows <= h; columns x + c < w
  //
  // check_call keeps these products, in bytes, below what 63 bits hold.
  explicit Correlator(const Problem& p) : p_(p), width_(p.w + p.kw - 1), inner_(p.outputs.innermost()) {
    map_ = map_memory_.reserve((p.H * width_ + kLanes) * kLanes);
    taps_ = tap_memory_.reserve((p.kh * p.kw + kLanes) * kLanes, false);
    out_ = out_memory_.reserve((p.h * p.w + kLanes) * kLanes, p.sums.size == 0);  // a sum of nothing is zero
  }
  static int64_t blocks(const Problem& p) { return (p.C + kLanes - 1) / kLanes; }
  static int64_t tasks(const Problem& p) { return p.outputs.size * blocks(p); }

  // Tasks are ordered (outer outputs, channels, inner outputs), so that those that share a map or a template follow one
  // another, and it is laid out once.
  void run(int64_t begin, int64_t end) {
    const S *map = nullptr, *taps = nullptr;
    int64_t laid_out = 0;  // channels of both: with a stride of 0, one pointer stands for any number
    for (int64_t task = begin; task < end; ++task) {
      const Part part = part_of(task);
      for (int64_t r = 0; r < p_.sums.size; ++r) {
        const depthwise_xcorr::Place place = p_.sums.at(r, part.output);
        const S* const search = p_.search + place.search + part.channel * p_.of_search.channel;
        const S* const templ = p_.templ + place.templ + part.channel * p_.of_template.channel;
        const bool fewer = laid_out < part.channels;
        if (search != map || fewer) lay_out(map = search, part.channels);
        if (task + 1 < end && r + 1 == p_.sums.size) look_ahead(part_of(task + 1), map);
        if (r == 0) output_.set(p_.out + part.output.out + part.channel * p_.of_out.channel, p_.of_out, part.channels,
                                p_.h, p_.w);
        if (templ != taps || fewer) lay_out_taps(taps = templ, part.channels);
        laid_out = part.channels;
        correlate(r == 0);
      }
      write(p_.out + part.output.out + part.channel * p_.of_out.channel, part.channels);
    }
  }

  // One map and one template, of `channels` channels from the pointers on; null for the map of the last call.  The
  // result is `correlated`, (h, w, kLanes), which may be overwritten.
  void run(const S* search, const S* templ, int64_t channels) {
    if (search != nullptr) lay_out(search, channels);
    lay_out_taps(templ, channels);
    correlate(true);
  }
  T* correlated() { return out_; }

 private:
  // What a task makes: a register's channels of an output.
  struct Part {
    depthwise_xcorr::Place output;
    int64_t channel, channels;
  };
  Part part_of(int64_t task) const {
    const int64_t block = task / inner_ % blocks(p_), outer = task / inner_ / blocks(p_);
    return {p_.outputs.at(outer * inner_ + task % inner_, {}), block * kLanes,
            std::min<int64_t>(kLanes, p_.C - block * kLanes)};
  }

  // The next map, where it is another, is on its way from memory while this one is worked on.
  void look_ahead(const Part& next, const S* map) {
    const S* const search = p_.search + p_.sums.at(0, next.output).search + next.channel * p_.of_search.channel;
    if (search != map) next_.set(search, p_.of_search, next.channels, p_.H, p_.W);
  }

  // The columns that some output looks at, -left to w + kw - 2 - left.  Those outside the map are zero, as the buffer
  // is at first; they are made so again only where runs of pixels reach into them.
  void lay_out(const S* from, int64_t channels) {
    //
    // before + count + after = width: with first >= 0 and first >= -left, before is in [0, width], and count is 0 or
    // last - first <= width - left - first, which is width - before.  Where count is 0, `first` may lie beyond the map.
    const int64_t first = std::max<int64_t>(0, -p_.left), last = std::min(p_.W, width_ - p_.left);
    const int64_t before = std::min(first + p_.left, width_), count = std::max<int64_t>(0, last - first);
    const int64_t after = width_ - before - count, column = count > 0 ? first * p_.of_search.column : 0;
    // Rows of less than a run are quicker to gather together.
    const bool together = count < kLanes && p_.of_search.row == p_.W * p_.of_search.column;
    const bool spoilt = !together && count < kLanes;
    if (together) {
      whole_ = whole_memory_.reserve((p_.H * p_.W + kLanes) * kLanes, false);
      gather(from, p_.of_search, channels, p_.H, p_.W, whole_);
    }
    for (int64_t y = 0; y < p_.H; ++y) {
      T* row = map_ + y * width_ * kLanes;
      if (spoilt) std::memset(row, 0, size_t(before * kLanes) * sizeof(T));
      T* to = row + before * kLanes;
      if (together) std::memcpy(to, whole_ + (y * p_.W + first) * kLanes, size_t(count * kLanes) * sizeof(T));
      else
        gather_pixels<T, kLanes>(from + y * p_.of_search.row + column, p_.of_search.channel, p_.of_search.column,
                                 channels, count, to);
      if (spoilt) std::memset(to + count * kLanes, 0, size_t(after * kLanes) * sizeof(T));
    }
  }
  // A map as pixels; all at once where its rows follow one another.
  static void gather(const S* from, const Strides& strides, int64_t channels, int64_t rows,
                     int64_t columns, T* to) {
    const bool run = strides.row == columns * strides.column;
    const int64_t calls = run ? 1 : rows, count = run ? rows * columns : columns;
    for (int64_t y = 0; y < calls; ++y)
      gather_pixels<T, kLanes>(from + y * strides.row, strides.channel, strides.column, channels, count,
                               to + y * columns * kLanes);
  }
  void lay_out_taps(const S* from, int64_t channels) {
    gather(from, p_.of_template, channels, p_.kh, p_.kw, taps_);
    if (!p_.turned) return;
    for (int64_t a = 0, b = p_.kh * p_.kw - 1; a < b; ++a, --b) {
      const V one = take<kLanes>(taps_ + a * kLanes), other = take<kLanes>(taps_ + b * kLanes);
      put<kLanes>(taps_ + a * kLanes, other);
      put<kLanes>(taps_ + b * kLanes, one);
    }
  }

  void correlate(bool first) {
    // Under a small template all strips go down together, so that the rows of the map that they share stay in the
    // nearest cache.
    const bool tall = p_.kh >= kTall && p_.h > 2;
    const int64_t step = tall ? p_.h : 2;
    for (int64_t y = 0; y < p_.h; y += step)
      in_parts<kMostColumns>(p_.w, [&](int64_t x, auto columns) {
        if (tall) strip<columns, rows_of(columns)>(x, first);
        else rows<columns, 2>(x, y, first);
      });
  }
  // Up to five rows of the output at a time where the template is much taller than that.
  static constexpr int rows_of(int columns) { return std::clamp((5 * kMostColumns / 2) / columns, 2, 5); }

  template <int kColumns, int kRows>
  void strip(int64_t x, bool first) {
    for (int64_t y = 0; y < p_.h; y += kRows) rows<kColumns, kRows>(x, y, first);
  }
  template <int kColumns, int kRows>
  void rows(int64_t x, int64_t y, bool first) {
    const int64_t rows = std::min<int64_t>(kRows, p_.h - y);
    next_.ask<false>();
    output_.ask<true>();
    V sums[kRows][kColumns];
    for (int k = 0; k < kRows; ++k)
      for (int c = 0; c < kColumns; ++c)
        sums[k][c] = first || k >= rows ? V{} : take<kLanes>(out_ + ((y + k) * p_.w + x + c) * kLanes);
    // Rows r of the map and i of the template meet in output row y + k where i = r - (y - top) - k.
    const int64_t start = y - p_.top, r0 = std::max<int64_t>(0, start);
    const int64_t r1 = std::min(p_.H, start + p_.kh + rows - 1);
    for (int64_t r = r0; r < r1; ++r) {
      const int64_t i = r - start;
      const T* map = map_ + (r * width_ + x) * kLanes;
      const T* taps = taps_ + i * p_.kw * kLanes;
      if (rows == kRows && i >= kRows - 1 && i < p_.kh) {
        add_row(map, taps, sums);
      } else {
        add_some(map, taps, i, rows, sums, std::make_integer_sequence<int, kRows>());
      }
    }
    for (int k = 0; k < kRows; ++k)
      for (int c = 0; c < kColumns && k < rows; ++c)
        put<kLanes>(out_ + ((y + k) * p_.w + x + c) * kLanes, sums[k][c]);
  }
  // Where row i of the template does not meet all rows of sums: those that it does.  (A fold, because a loop would have
  // the sums in memory.)
  template <int kRows, int kColumns, int... kRow>
  REIDOPS_INLINE void add_some(const T* map, const T* taps, int64_t i, int64_t rows, V (&sums)[kRows][kColumns],
                               std::integer_sequence<int, kRow...>) {
    ((kRow < rows && i >= kRow && i - kRow < p_.kh ? add_row(map, taps - kRow * p_.kw * kLanes, sums[kRow]) : void()),
     ...);
  }
  // A row of the map: to every row of sums by its own row of taps, and to one.
  template <int kRows, int kColumns>
  REIDOPS_INLINE void add_row(const T* map, const T* taps, V (&sums)[kRows][kColumns]) {
    for (int64_t j = 0; j < p_.kw; ++j, map += kLanes, taps += kLanes) {
      V tap[kRows];
      for (int k = 0; k < kRows; ++k) tap[k] = take<kLanes>(taps - k * p_.kw * kLanes);
      for (int c = 0; c < kColumns; ++c) {
        const V pixel = take<kLanes>(map + c * kLanes);
        for (int k = 0; k < kRows; ++k) sums[k][c] += tap[k] * pixel;
      }
    }
  }
  template <int kColumns>
  REIDOPS_INLINE void add_row(const T* map, const T* taps, V (&sums)[kColumns]) {
    for (int64_t j = 0; j < p_.kw; ++j, map += kLanes, taps += kLanes) {
      const V tap = take<kLanes>(taps);
      for (int c = 0; c < kColumns; ++c) sums[c] += tap * take<kLanes>(map + c * kLanes);
    }
  }

  void write(S* to, int64_t channels) {
    const bool run = p_.of_out.row == p_.w * p_.of_out.column;
    const int64_t calls = run ? 1 : p_.h, count = run ? p_.h * p_.w : p_.w;
    for (int64_t y = 0; y < calls; ++y)
      scatter_pixels<T, kLanes>(out_ + y * p_.w * kLanes, channels, count, to + y * p_.of_out.row, p_.of_out.channel,
                                p_.of_out.column);
  }

  const Problem& p_;
  const int64_t width_, inner_;
  Buffer<T> whole_memory_, map_memory_, tap_memory_, out_memory_;
  T *whole_ = nullptr, *map_, *taps_, *out_;
  Ahead next_, output_;
};

}  // namespace reidops::REIDOPS_ISA
