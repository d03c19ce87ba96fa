// depthwise_xcorr_cpu_kernel.h - the CPU kernel, compiled once for every instruction set.
//
// Search map and template are laid out with the channels of a pixel side by side, a register of them.  Two rows of
// neighbouring outputs then stay in registers while the rows of the map go by: every pixel that is read serves both
// rows and every tap that is read all columns.  Rows outside the map are never visited; columns outside are zeros.
#pragma once

#include <algorithm>

#include "../common/pixels.h"
#include "problem.h"

namespace reidops::REIDOPS_ISA {

constexpr int kMostColumns = REIDOPS_VECTOR_BYTES == 64 ? 10 : 5;  // of outputs in registers, in each of two rows

template <class S>
class Correlator {
  using Problem = depthwise_xcorr::Problem<S>;
  using T = typename Problem::T;
  using V = Run<T>;
  static constexpr int kLanes = kRun<T>;

 public:
  explicit Correlator(const Problem& p) : p_(p), width_(p.w + p.kw - 1) {
    map_ = map_memory_.reserve((p.H * width_ + kLanes) * kLanes);
    whole_ = whole_memory_.reserve((p.H * p.W + kLanes) * kLanes);
    taps_ = tap_memory_.reserve((p.kh * p.kw + kLanes) * kLanes);
    out_ = out_memory_.reserve((p.h * p.w + kLanes) * kLanes);
  }
  static int64_t blocks(const Problem& p) { return (p.C + kLanes - 1) / kLanes; }

  void run(int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t channel = task % blocks(p_) * kLanes, n = std::min<int64_t>(kLanes, p_.C - channel);
      const depthwise_xcorr::Place output = p_.outputs.at(task / blocks(p_), {});
      for (int64_t r = 0; r < p_.sums.size; ++r) {
        const depthwise_xcorr::Place place = p_.sums.at(r, output);
        lay_out(p_.search + place.search + channel * p_.of_search.channel, n);
        lay_out_taps(p_.templ + place.templ + channel * p_.of_template.channel, n);
        correlate(r == 0);
      }
      write(p_.out + output.out + channel * p_.of_out.channel, n);
    }
  }

 private:
  // The columns that some output looks at, -left to w + kw - 2 - left, those outside the map zero.
  void lay_out(const S* from, int64_t channels) {
    const int64_t first = std::max<int64_t>(0, -p_.left), last = std::min(p_.W, width_ - p_.left);
    const int64_t before = std::min(first + p_.left, width_), count = std::max<int64_t>(0, last - first);
    const int64_t after = width_ - before - count;
    // Rows of less than a run are quicker to gather together.
    const bool together = count < kLanes && p_.of_search.row == p_.W * p_.of_search.column;
    if (together) gather(from, p_.of_search, channels, p_.H, p_.W, whole_);
    for (int64_t y = 0; y < p_.H; ++y) {
      T* row = map_ + y * width_ * kLanes;
      std::memset(row, 0, size_t(before * kLanes) * sizeof(T));
      T* to = row + before * kLanes;
      if (together) std::memcpy(to, whole_ + (y * p_.W + first) * kLanes, size_t(count * kLanes) * sizeof(T));
      else
        gather_pixels<T, kLanes>(from + y * p_.of_search.row + first * p_.of_search.column, p_.of_search.channel,
                                 p_.of_search.column, channels, count, to);
      std::memset(to + count * kLanes, 0, size_t(after * kLanes) * sizeof(T));
    }
  }
  // A map as pixels; all at once where its rows follow one another.
  static void gather(const S* from, const depthwise_xcorr::Strides& strides, int64_t channels, int64_t rows,
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
    const int64_t parts = (p_.w + kMostColumns - 1) / kMostColumns;
    for (int64_t part = 0; part < parts; ++part) {
      const int64_t begin = part * p_.w / parts, end = (part + 1) * p_.w / parts;
      columns(begin, end - begin, first, std::make_integer_sequence<int, kMostColumns>());
    }
  }
  template <int... kColumns>
  void columns(int64_t begin, int64_t count, bool first, std::integer_sequence<int, kColumns...>) {
    ((count == kColumns + 1 ? strip<kColumns + 1>(begin, first) : void()), ...);
  }

  // A strip of the output, two rows at a time.
  template <int kColumns>
  void strip(int64_t x, bool first) {
    for (int64_t y = 0; y < p_.h; y += 2) {
      const bool both = y + 1 < p_.h;
      V low[kColumns], high[kColumns];
      for (int k = 0; k < kColumns; ++k) {
        low[k] = first ? V{} : take<kLanes>(out_ + (y * p_.w + x + k) * kLanes);
        high[k] = first || !both ? V{} : take<kLanes>(out_ + ((y + 1) * p_.w + x + k) * kLanes);
      }
      // Rows r of the map and i of the template meet in output row y = r - i + top.
      const int64_t start = y - p_.top, r0 = std::max<int64_t>(0, start), r1 = std::min(p_.H, start + p_.kh + both);
      for (int64_t r = r0; r < r1; ++r) {
        const int64_t i = r - start;
        const T* map = map_ + (r * width_ + x) * kLanes;
        const T* taps = taps_ + i * p_.kw * kLanes;
        if (i < p_.kh && i > 0 && both) row<kColumns, true, true>(map, taps, low, high);
        else if (i < p_.kh) row<kColumns, true, false>(map, taps, low, high);
        else row<kColumns, false, true>(map, taps, low, high);
      }
      for (int k = 0; k < kColumns; ++k) {
        put<kLanes>(out_ + (y * p_.w + x + k) * kLanes, low[k]);
        if (both) put<kLanes>(out_ + ((y + 1) * p_.w + x + k) * kLanes, high[k]);
      }
    }
  }
  template <int kColumns, bool kLow, bool kHigh>
  REIDOPS_INLINE void row(const T* map, const T* taps, V (&low)[kColumns], V (&high)[kColumns]) {
    for (int64_t j = 0; j < p_.kw; ++j, map += kLanes, taps += kLanes) {
      const V a = kLow ? take<kLanes>(taps) : V{}, b = kHigh ? take<kLanes>(taps - p_.kw * kLanes) : V{};
      for (int k = 0; k < kColumns; ++k) {
        const V pixel = take<kLanes>(map + k * kLanes);
        if constexpr (kLow) low[k] += a * pixel;
        if constexpr (kHigh) high[k] += b * pixel;
      }
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
  const int64_t width_;
  Buffer<T> whole_memory_, map_memory_, tap_memory_, out_memory_;
  T *whole_, *map_, *taps_, *out_;
};

namespace depthwise_xcorr_kernels {

#define REIDOPS_DEFINE_STORAGE(S)                                                                              \
  int64_t tasks(const depthwise_xcorr::Problem<S>& p) { return p.outputs.size * Correlator<S>::blocks(p); }    \
  void correlate(const depthwise_xcorr::Problem<S>& p, int64_t begin, int64_t end) { Correlator<S>(p).run(begin, end); }
REIDOPS_DEFINE_STORAGE(float)
REIDOPS_DEFINE_STORAGE(double)
REIDOPS_DEFINE_STORAGE(Half)
REIDOPS_DEFINE_STORAGE(BFloat16)
#undef REIDOPS_DEFINE_STORAGE

}  // namespace depthwise_xcorr_kernels
}  // namespace reidops::REIDOPS_ISA
