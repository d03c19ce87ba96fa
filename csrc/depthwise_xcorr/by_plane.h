// by_plane.h - channels one by one: rows of a channel are laid out, correlated along them, and written.
#pragma once

#include "across_taps.h"
#include "along_rows.h"

namespace reidops::REIDOPS_ISA {

template <class S>
class ByPlane {
  using Problem = depthwise_xcorr::Problem<S>;
  using T = typename Problem::T;
  static constexpr int kLanes = kRun<T>;
  static constexpr int64_t kBand = 96 * 1024;  // bytes of the map that are laid out at a time: they stay in the caches
  static constexpr int64_t kEnough = 16;       // tasks; fewer are cut up, so that threads have their share

 public:
  // What is laid out: the rows of the map that a band of outputs looks at, the taps, and the band's outputs where they
  // are not made where they belong.  With check_call's bounds every size here, in bytes, fits 63 bits.
  explicit ByPlane(const Problem& p)
      : p_(p), band_(band(p)), inner_(p.outputs.innermost()), bands_((p.h + band_ - 1) / band_), across_(across(p)),
        direct_(sizeof(S) == sizeof(T) && p.of_out.column == 1 && p.w >= kLanes && p.sums.size == 1 && !across_),
        tap_pitch_(across_ ? whole_runs(p.kw, kLanes) : p.kw), out_pitch_(whole_runs(p.w, kLanes)),
        map_(p, std::min(p.H, band_ + p.kh - 1)) {
    taps_ = tap_memory_.reserve(p.kh * tap_pitch_);
    if (!direct_) out_ = out_memory_.reserve(band_ * out_pitch_);
  }
  static int64_t tasks(const Problem& p) {
    return p.C == 0 ? 0 : p.outputs.size * p.C * ((p.h + band(p) - 1) / band(p));
  }

  // A row of outputs, were outputs side by side, and were taps, in the unit of ways.h.
  static double along_cost(const Problem& p) { return 1.2 * double(p.kh) * double((p.w + kLanes - 1) / kLanes * p.kw); }
  static double across_cost(const Problem& p) {
    const double runs = 1.4 * double(p.kw / kLanes) + (p.kw % kLanes == 0 ? 0 : 2);
    return double(p.w) * (double(p.kh) * runs + 16);
  }
  static bool across(const Problem& p) { return across_cost(p) < along_cost(p); }
  static double row_cost(const Problem& p) { return std::min(along_cost(p), across_cost(p)); }

  // Tasks are ordered (outer outputs, channels, bands, inner outputs), so that those that share a map or a template
  // follow one another, and it is laid out once; where all channels share a map, bands come before channels.
  void run(int64_t begin, int64_t end) {
    const S *map = nullptr, *taps = nullptr;
    int64_t laid_out = -1;  // the band
    for (int64_t task = begin; task < end; ++task) {
      const int64_t pair = task / inner_ % (p_.C * bands_), outer = task / inner_ / (p_.C * bands_);
      const bool shared = p_.of_search.channel == 0;
      const int64_t band = shared ? pair / p_.C : pair % bands_, channel = shared ? pair % p_.C : pair / bands_;
      const depthwise_xcorr::Place output = p_.outputs.at(outer * inner_ + task % inner_, {});
      // Rows y of the output look at rows [y - top, y - top + kh) of the map.
      const int64_t y = band * band_, rows = std::min(band_, p_.h - y), start = y - p_.top;
      const int64_t r0 = std::clamp<int64_t>(start, 0, p_.H), r1 = std::clamp(start + rows + p_.kh - 1, r0, p_.H);
      S* const to = p_.out + output.out + channel * p_.of_out.channel + y * p_.of_out.row;
      for (int64_t r = 0; r < p_.sums.size; ++r) {
        const depthwise_xcorr::Place place = p_.sums.at(r, output);
        const S* const search = p_.search + place.search + channel * p_.of_search.channel;
        const S* const templ = p_.templ + place.templ + channel * p_.of_template.channel;
        if (search != map || band != laid_out) map_.lay_out(map = search, r0, r1);
        laid_out = band;
        if (templ != taps) lay_out_taps(taps = templ);
        Plane<T> plane{.map = map_.rows(), .taps = taps_, .map_pitch = map_.pitch(), .tap_pitch = tap_pitch_,
                       .out = out_, .out_pitch = out_pitch_, .rows = rows, .width = p_.w, .kh = p_.kh, .kw = p_.kw,
                       .start = start, .r0 = r0, .r1 = r1, .first = r == 0, .padded = true};
        if constexpr (sizeof(S) == sizeof(T))
          if (direct_) plane.out = to, plane.out_pitch = p_.of_out.row, plane.padded = false;
        across_ ? AcrossTaps<T>::correlate(plane) : AlongRows<T>::correlate(plane);
      }
      if (!direct_) write(to, rows);
    }
  }

 private:
  // Rows of outputs in a task: from sizes alone, so that no sum depends on the threads.
  static int64_t band(const Problem& p) {
    const int64_t row = (p.w + p.kw) * int64_t(sizeof(T)), fit = std::max(p.kh, kBand / row - p.kh);
    const int64_t planes = std::max<int64_t>(1, times(p.outputs.size, p.C));
    const int64_t cuts = std::clamp<int64_t>(kEnough / planes, 1, std::max<int64_t>(1, p.h / (8 + p.kh)));
    return std::clamp<int64_t>(whole_runs(std::min(fit, (p.h + cuts - 1) / cuts), 8), 1, p.h);
  }

  void lay_out_taps(const S* from) {
    for (int64_t i = 0; i < p_.kh; ++i) {
      T* const to = taps_ + (p_.turned ? p_.kh - 1 - i : i) * tap_pitch_;
      PaddedRows<S>::copy(from + i * p_.of_template.row, p_.of_template.column, p_.kw, to);
      if (p_.turned)
        for (int64_t a = 0, b = p_.kw - 1; a < b; ++a, --b) {
          const T one = to[a];
          to[a] = to[b], to[b] = one;
        }
    }
  }
  void write(S* to, int64_t rows) const {
    for (int64_t y = 0; y < rows; ++y) write_row(out_ + y * out_pitch_, p_.w, to + y * p_.of_out.row, p_.of_out.column);
  }

  const Problem& p_;
  const int64_t band_, inner_, bands_;
  const bool across_, direct_;
  const int64_t tap_pitch_, out_pitch_;
  PaddedRows<S> map_;
  Buffer<T> tap_memory_, out_memory_;
  T *taps_, *out_ = nullptr;
};

}  // namespace reidops::REIDOPS_ISA
