// forward.h - samples of images, tile by tile, by the way that costs least.  All ways make the same bits.
//
// - Pixels of channels side by side (channels-last) are read where they are.
// - Planes are read where they are, a run of samples at a time, for few channels or few samples: that costs a gathered
//   load for every number.
// - Else the part of the image that is sampled is laid out, as pixels of channels side by side, and then read at the
//   cost of a load for a vector of channels: all of it where the cache holds it, else what a tile needs.
#pragma once

#include "gather.h"
#include "sampler.h"

namespace reidops::REIDOPS_ISA {

template <class S, int kLanes>
class Forward : Sampler<S, kLanes> {
  using Base = Sampler<S, kLanes>;
  using typename Base::Problem;
  using typename Base::T;
  using typename Base::V;
  using Base::blocks_, Base::channel_, Base::channels, Base::corners, Base::image_, Base::nearest_, Base::p_,
      Base::pixel, Base::pixels_, Base::plane, Base::positions_, Base::region_, Base::samples, Base::stretch_,
      Base::stride_of_channels, Base::taps_, Base::vectors_;
  using Tile = affine_sample::Tile;

 public:
  explicit Forward(const Problem& p)
      : Base(p), tiles_(p.h, p.w), reads_pixels_(affine_sample::reads_pixels(p)) {
    if (reads_pixels_) blocks_.count = 1, blocks_.vectors = (p.C + kLanes - 1) / kLanes;
  }

  // Tasks are numbered by images, blocks of channels, samples and tiles, the last fastest.
  void run(int64_t begin, int64_t end) {
    const int64_t tiles = tiles_.count(), units = p_.repeats.size * tiles;
    for (int64_t task = begin; task < end;) {
      const int64_t owner = task / units, first = task - owner * units;
      const int64_t last = end - owner * units < units ? end - owner * units : units;
      this->set_owner(owner);
      const Way way = choose(first, last);
      for (int64_t unit = first; unit < last; ++unit) sample(way, p_.repeats.at(unit / tiles, image_), unit % tiles);
      task += last - first;
    }
  }

 private:
  enum class Way { kPixels, kPlanes, kLaidOut, kLaidOutByTile };

  // In cycles, as measured: a number gathered from a plane, or picked from a window of it; a pixel laid out, and a
  // sample made from such pixels and turned back into planes, for each vector of channels.
  static constexpr double kGathered = 2.2, kPicked = 0.6;
  static constexpr double kPixelLaidOut = kLanes == 4 ? 1.2 : 5, kSampled = kLanes == 4 ? 3.5 : 7;
  static constexpr int64_t kRegionBytes = 1 << 20;  // what stays in a core's cache while it is sampled

  Way choose(int64_t first, int64_t last) {
    if (reads_pixels_) return Way::kPixels;
    const int64_t tiles = tiles_.count(), first_sample = first / tiles, last_sample = (last - 1) / tiles + 1;
    const Region region = this->region_of(first_sample, last_sample);  // leaves the last theta
    const int64_t bytes = vectors_ * region.pixels() * kLanes * int64_t(sizeof(T));
    const double outputs = double(last - first) / double(tiles) * double(p_.pixels());
    const double samples = double(last - first) / double(tiles);
    const bool whole = bytes <= kRegionBytes;
    if (p_.column_stride == 1 && !p_.channels_last && affine_sample::reached_directly(p_)) {
      const bool picked = kPicksFromWindows && positions_.separable() && positions_.step() < 1.9;
      const int64_t most = vectors_ * kLanes, left = p_.C - channel_;
      const double vectors = double(vectors_), channels = double(left < most ? left : most);
      const double planes = outputs * channels * (picked ? kPicked : kGathered);
      const double laid_out = double(region.pixels()) * (whole ? 1 : samples);
      if (planes < vectors * (laid_out * kPixelLaidOut + outputs * kSampled)) return Way::kPlanes;
    }
    if (!whole) return Way::kLaidOutByTile;
    this->lay_out(region);
    return Way::kLaidOut;
  }

  void sample(Way way, const affine_sample::Place& place, int64_t tile_number) {
    const Tile tile = tiles_.at(tile_number);
    positions_.set_theta(p_.theta + place.theta);
    if (way == Way::kLaidOutByTile) this->lay_out(positions_.reach(tile));
    // Rows of a tile as wide as the output follow one another; a window lies in one row.
    const bool boxes = way == Way::kPlanes && positions_.separable() && !nearest_;
    if (boxes) positions_.find_windows(tile.column, tile.columns);
    const bool rows = tile.columns == p_.w && way != Way::kPlanes;
    const int64_t lines = rows ? 1 : tile.rows, length = rows ? tile.rows * p_.w : tile.columns;
    for (int64_t line = 0; line < lines; ++line) {
      const int64_t start = (tile.row + line) * p_.w + tile.column;
      if (boxes) {
        read_box(place, tile.row + line, tile.column, tile.columns);
        continue;
      }
      for (int64_t begin = start; begin < start + length; begin += kStretch) {
        const int64_t left = start + length - begin, n = left < kStretch ? left : kStretch;
        if (way == Way::kPixels) read_pixels(place, begin, n);
        else if (way == Way::kPlanes) read_planes(place, begin, n);
        else read_layout(place, begin, n);
      }
    }
  }

  void read_layout(const affine_sample::Place& place, int64_t begin, int64_t n) {
    positions_.find(begin, n, this->numbering(), false, taps_);
    for (int64_t v = 0; v < vectors_; ++v) {
      const T* plane_of = pixels_ + v * plane();
      for (int64_t q = 0; q < n;) {
        if (kGroups && n - q >= kGroup<T> && squares<kGroup<T>>(q)) {
          if constexpr (kGroups) put<kRun<T>>(stretch_ + q * 4, group(plane_of, region_.columns * 4, 4, 4, q));
          q += kGroup<T>;
        } else {
          put<kLanes>(stretch_ + q * kLanes, nearest_ ? pixel(plane_of, 0, q) : interpolated(plane_of, q));
          ++q;
        }
      }
      scatter_pixels<T, kLanes>(stretch_, channels(v), n, samples(p_.output, place, v, begin), stride_of_channels(),
                                p_.C);
    }
  }
  REIDOPS_INLINE V interpolated(const T* plane_of, int64_t q) const {
    V value[4];
    corners(plane_of, q, value);
    const T weight[4] = {taps_.weight[0][q], taps_.weight[1][q], taps_.weight[2][q], taps_.weight[3][q]};
    return affine_sample::interpolate(value, weight);
  }

  // Pixels of up to four channels, a group of samples at a time: `row` and `column` numbers to the next, `scale`
  // numbers for each that taps count.
  static constexpr bool kGroups = kLanes == 4 && kRun<T> >= 4;
  template <int kCount>
  REIDOPS_INLINE bool squares(int64_t q) const {
    if (nearest_) return false;
    bool all = true;
    for (int i = 0; i < kCount; ++i) all &= taps_.square[q + i];
    return all;
  }
  REIDOPS_INLINE Run<T> group(const T* from, int64_t row, int64_t column, int64_t scale, int64_t q) const {
    Run<T> value[4], weight[4];
    for (int k = 0; k < 4; ++k) {
      value[k] = take_group<T>(from + k / 2 * row + k % 2 * column, taps_.pixel[0] + q, scale);
      weight[k] = for_each_channel<T>(taps_.weight[k] + q);
    }
    return affine_sample::interpolate(value, weight);
  }

  // Samples from planes.
  void read_planes(const affine_sample::Place& place, int64_t begin, int64_t n) {
    positions_.find(begin, n, this->image_numbering(), false, taps_);
    const int64_t last = channel_ + vectors_ * kLanes < p_.C ? channel_ + vectors_ * kLanes : p_.C;
    for (int64_t c = channel_; c < last; ++c) {
      const S* from = p_.input + image_.image + c * p_.channel_stride;
      S* to = samples(p_.output, place, 0, begin) + (c - channel_) * p_.pixels();
      for (int64_t q = 0; q < n; q += kRun<T>) {
        const Run<T> value = nearest_ ? gather<T>(from, taps_.pixel[0] + q) : interpolated_run(from, q);
        write<T>(value, to + q, n - q < kRun<T> ? n - q : kRun<T>);
      }
    }
  }
  REIDOPS_INLINE Run<T> interpolated_run(const S* from, int64_t q) const {
    Run<T> value[4], weight[4];
    this->corners_of_run(from, q, value);
    for (int k = 0; k < 4; ++k) weight[k] = take<kRun<T>>(taps_.weight[k] + q);
    return affine_sample::interpolate(value, weight);
  }

  // Samples of a row of a box from planes: a run of them is picked from a window of two rows, or gathered.
  void read_box(const affine_sample::Place& place, int64_t i, int64_t j, int64_t n) {
    const RowOfBox<T> row = positions_.row_of_box(i);
    const int64_t begin = i * p_.w + j, pixels = p_.pixels();
    const int64_t left = p_.C - channel_, channels = left < vectors_ * kLanes ? left : vectors_ * kLanes;
    const int64_t channel_stride = p_.channel_stride, row_stride = p_.row_stride;
    const S* const corner = p_.input + image_.image + channel_ * channel_stride + row.first * row_stride;
    S* const to = samples(p_.output, place, 0, begin);
    const T* const fraction_x = positions_.fraction_x(j);
    const auto* const low_x = positions_.low_x(j);
    const int32_t* const windows = positions_.window(j);
    const Run<T> fraction_y = Run<T>{} + row.fraction;
    for (int64_t q = 0; q < n; q += kRun<T>) {
      const int64_t window = windows[q];
      if (!row.there || window == kOutside) {
        int64_t end = q;  // of the runs that reach outside
        while (end < n && end < q + kStretch && (!row.there || windows[end] == kOutside)) end += kRun<T>;
        read_planes(place, begin + q, (end < n ? end : n) - q);
        q = end - kRun<T>;
        continue;
      }
      const int64_t count = n - q < kRun<T> ? n - q : kRun<T>;
      const RunIndex<T> low = take<kRun<T>>(low_x + q);
      const Run<T> fraction = take<kRun<T>>(fraction_x + q);
      Run<T> value[4], weight[4];
      for (int k = 0; k < 4; ++k) weight[k] = affine_sample::bilinear_weight(fraction, fraction_y, k);
      if (window == kFarApart) {
        int32_t offset[kRun<T>];
        put<kRun<T>>(offset, __builtin_convertvector(low, RunInt<T>));
        for (int64_t c = 0; c < channels; ++c) {
          const S* const from = corner + c * channel_stride;
          gather_pairs<T>(from, offset, value[0], value[1]);
          gather_pairs<T>(from + row_stride, offset, value[2], value[3]);
          write<T>(affine_sample::interpolate(value, weight), to + c * pixels + q, count);
        }
      } else {
        const RunIndex<T> at = low - typename Lanes<T>::Bits(window);
        for (int64_t c = 0; c < channels; ++c) {
          const S* const from = corner + c * channel_stride + window;
          pick_pairs<T>(from, at, value[0], value[1]);
          pick_pairs<T>(from + row_stride, at, value[2], value[3]);
          write<T>(affine_sample::interpolate(value, weight), to + c * pixels + q, count);
        }
      }
    }
  }

  // Samples from pixels of channels side by side.
  void read_pixels(const affine_sample::Place& place, int64_t begin, int64_t n) {
    if constexpr (sizeof(S) == sizeof(T)) {
      constexpr int kWide = kLanes < kRun<T> ? kLanes : kRun<T>;  // no wider than a register
      positions_.find(begin, n, this->image_numbering(), false, taps_);
      const S* from = p_.input + image_.image;
      S* to = samples(p_.output, place, 0, begin);
      const int64_t whole = p_.C / kWide * kWide, rest = p_.C - whole, C = p_.C;
      for (int64_t q = 0; q < n; ++q) {
        if constexpr (kGroups)
          if ((C == 3 || C == 4) && q + kGroup<T> <= n && squares<kGroup<T>>(q) && fours_lie_within(q)) {
            const Run<T> v = this->group(from, p_.row_stride, p_.column_stride, 1, q);
            if (C == 4) put<kRun<T>>(to + q * 4, v);
            else put_some<kRun<T>>(to + q * 3, three_channels<T>(v), 3 * kGroup<T>);
            q += kGroup<T> - 1;
            continue;
          }
        S* const at_sample = to + q * C;
        const S* tap[4];
        const bool there = this->find_taps(from, q, tap);
        const T weight[4] = {taps_.weight[0][q], taps_.weight[1][q], taps_.weight[2][q], taps_.weight[3][q]};
        for (int64_t c = 0; c < whole; c += kWide)
          put<kWide>(at_sample + c, blend<kWide>(tap, weight, there, [&](const S* at) { return take<kWide>(at + c); }));
        if (rest > 0) {
          const auto take_rest = [&](const S* at) { return take_some<kWide>(at + whole, rest); };
          put_some<kWide>(at_sample + whole, blend<kWide>(tap, weight, there, take_rest), rest);
        }
      }
    }
  }
  // Whether four numbers may be read of each pixel of a group of squares, so of three channels one that is the next
  // pixel's.  The highest of them is 3 behind the fourth pixel of a square, which is pixel[0] + row + column, and the
  // image's last number is (H - 1) row + (W - 1) column + C - 1.  (Strides are not negative.)
  REIDOPS_INLINE bool fours_lie_within(int64_t q) const {
    const int64_t most = (p_.H - 2) * p_.row_stride + (p_.W - 2) * p_.column_stride + p_.C - 4;
    bool within = true;
    for (int i = 0; i < kGroup<T>; ++i) within &= taps_.pixel[0][q + i] <= most;
    return within;
  }
  template <int kWide, class Take>
  REIDOPS_INLINE auto blend(const S* const (&tap)[4], const T (&weight)[4], bool there, Take take_at) const {
    using W = typename Several<T, kWide>::Vector;
    const W nothing{};
    if (there) {
      const W value[4] = {take_at(tap[0]), take_at(tap[1]), take_at(tap[2]), take_at(tap[3])};
      return affine_sample::interpolate(value, weight);
    }
    if (nearest_) return tap[0] ? take_at(tap[0]) : nothing;
    W value[4];
    for (int k = 0; k < 4; ++k) value[k] = tap[k] ? take_at(tap[k]) : nothing;
    return affine_sample::interpolate(value, weight);
  }

  const affine_sample::Tiles tiles_;
  const bool reads_pixels_;
};

}  // namespace reidops::REIDOPS_ISA
