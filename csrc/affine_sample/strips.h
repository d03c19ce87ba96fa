// strips.h - backward of large pictures with few maps: the image is read where it is, and so its gradient is added to,
// but for a colour picture with many samples, whose strip is laid out with the channels of a pixel side by side.
//
// A task of `spread` owns some rows of the gradient of an image, for a block of channels.  It clears them, goes over all
// samples that may touch them, in their order, and adds what lies in these rows.  So each number has one owner and one
// order of its sum, whatever the number of threads.  A task of `slopes` has the sums of theta over some tiles.
#pragma once

#include "sampler.h"

namespace reidops::REIDOPS_ISA {

template <class S, int kLanes>
class BackwardInStrips : Sampler<S, kLanes> {
  using Base = Sampler<S, kLanes>;
  using typename Base::Problem;
  using typename Base::T;
  using Base::block_, Base::blocks_, Base::channel_, Base::image_, Base::nearest_, Base::p_, Base::positions_,
      Base::samples, Base::taps_, Base::vectors_;
  using Place = affine_sample::Place;
  using Tile = affine_sample::Tile;

 public:
  explicit BackwardInStrips(const Problem& p) : Base(p), tiles_(p.h, p.w), strips_(p) {
    // In cycles, as measured: to add a number is 8; to add a pixel of four channels side by side is 8 as well, and to
    // lay one out and back is 3.
    const double samples = double(p.repeats.size) * double(p.pixels()), pixels = double(p.H) * double(p.W);
    lays_out_ = kLanes == 4 && 8 * double(p.C) * samples > 8 * samples + 3 * pixels;
  }

  void spread(int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t strip = task % strips_.count;
      set_owner(task / strips_.count);
      const int64_t first = strip * p_.H / strips_.count, last = (strip + 1) * p_.H / strips_.count;
      const int64_t step = p_.channels_last ? p_.C : 1, channel_step = p_.channels_last ? 1 : p_.H * p_.W;
      // Rows of the strip, of the block's first channel: what the numbering counts from.
      S* const rows = p_.grad_input + image_.number * p_.C * p_.H * p_.W + channel_ * channel_step + first * p_.W * step;
      const Numbering numbering{{first, 0, last - first, p_.W}, p_.W * step, step, -1};
      const bool lays_out = kLanes == 4 && lays_out_;
      T* laid_out = nullptr;
      if (lays_out) {
        this->region_ = {first, 0, last - first, p_.W};
        laid_out = memory_.reserve(this->plane());
        std::memset(laid_out, 0, size_t(this->plane()) * sizeof(T));
      } else {
        clear(rows, (last - first) * p_.W);
      }
      for (int64_t r = 0; r < p_.repeats.size; ++r) {
        const Place place = p_.repeats.at(r, image_);
        positions_.set_theta(p_.theta + place.theta);
        for (int64_t t = 0; t < tiles_.count(); ++t) {
          const Tile tile = tiles_.at(t);
          if (!touches(positions_.reach(tile), first, last)) continue;
          for_each_stretch(tile, [&](int64_t at, int64_t n) {
            if (!touches(positions_.reach({at / p_.w, at % p_.w, 1, n}), first, last)) return;
            positions_.find(at, n, lays_out ? this->numbering() : numbering, false, taps_);
            const S* grad = samples(p_.grad_output, place, 0, at);
            if (lays_out) {
              gather_pixels<T, kLanes>(grad, this->stride_of_channels(), p_.channels_last ? p_.C : 1, channels_, n,
                                       this->stretch_);
              Base::spread(laid_out, n);
            } else if (p_.channels_last) spread_pixels(grad, n, rows, numbering);
            else spread_planes(grad, n, rows, numbering);
          });
        }
      }
      if (lays_out) this->write_region(laid_out, 0);
    }
  }

  // The gradient of theta is that of the position (slope_along_x, slope_along_y) times d X / d theta = slope (x_j, y_i,
  // 1), and likewise for Y, summed over pixels and channels.
  void slopes(int64_t begin, int64_t end) {
    const int64_t bands = strips_.bands, repeats = p_.repeats.size;
    for (int64_t task = begin; task < end; ++task) {
      const int64_t band = task % bands, unit = task / bands;
      set_owner(unit / repeats);
      const Place place = p_.repeats.at(unit % repeats, image_);
      positions_.set_theta(p_.theta + place.theta);
      double sums[6] = {};
      const int64_t last = (band + 1) * tiles_.count() / bands;
      for (int64_t t = band * tiles_.count() / bands; t < last; ++t)
        for_each_stretch(tiles_.at(t), [&](int64_t at, int64_t n) {
          positions_.find(at, n, this->image_numbering(), true, taps_);
          const S* grad = samples(p_.grad_output, place, 0, at);
          if (p_.channels_last) slopes_of_pixels(grad, n);
          else slopes_of_planes(grad, n);
          add_by_theta(n, sums);
        });
      T* out = p_.grad_theta + ((place.sample * blocks_.count + block_) * bands + band) * 6;
      for (int i = 0; i < 6; ++i) out[i] = T(sums[i]);
    }
  }

 private:
  static constexpr int kWide = kLanes < kRun<T> ? kLanes : kRun<T>;  // no wider than a register

  void set_owner(int64_t owner) {
    Base::set_owner(owner);
    const int64_t left = p_.C - channel_, most = vectors_ * kLanes;
    channels_ = left < most ? left : most;
  }
  static bool touches(const Region& region, int64_t first, int64_t last) {
    return region.pixels() > 0 && region.y < last && region.y + region.rows > first;
  }
  // Parts of the tile's rows: `body(first pixel, count)`.
  template <class Body>
  void for_each_stretch(const Tile& tile, Body body) {
    for (int64_t i = tile.row; i < tile.row + tile.rows; ++i)
      for (int64_t j = 0; j < tile.columns; j += kStretch)
        body(i * p_.w + tile.column + j, tile.columns - j < kStretch ? tile.columns - j : int64_t(kStretch));
  }
  void clear(S* rows, int64_t pixels) const {
    const bool dense = p_.channels_last && channels_ == p_.C;
    const int64_t pieces = dense ? 1 : p_.channels_last ? pixels : channels_;
    const int64_t length = dense ? pixels * p_.C : p_.channels_last ? channels_ : pixels;
    const int64_t step = p_.channels_last ? p_.C : p_.H * p_.W;
    for (int64_t i = 0; i < pieces; ++i) std::memset(static_cast<void*>(rows + i * step), 0, size_t(length) * sizeof(S));
  }

  // Neighbours on a row add to the same pixels, one waiting for the other: places of the stretch take turns.
  template <class Body>
  static REIDOPS_INLINE void in_turns(int64_t n, Body body) {
    constexpr int64_t kTurns = 4;
    const int64_t length = (n + kTurns - 1) / kTurns;
    for (int64_t i = 0; i < length; ++i)
      for (int64_t q = i; q < n; q += length) body(q);
  }

  void spread_planes(const S* grad, int64_t n, S* rows, const Numbering& numbering) {
    if constexpr (sizeof(S) == sizeof(T)) {
      const int64_t plane = p_.H * p_.W, down = numbering.row;
      for (int64_t c = 0; c < channels_; ++c, grad += p_.pixels(), rows += plane) {
        if (!nearest_)
          for (int64_t q = 0; q < n; q += kRun<T>) {
            const Run<T> g = read<T>(grad + q, 1, n - q < kRun<T> ? n - q : kRun<T>);
            for (int k = 0; k < 4; ++k) put<kRun<T>>(share_[k] + q, g * take<kRun<T>>(taps_.weight[k] + q));
          }
        in_turns(n, [&](int64_t q) {
          if (nearest_) {
            if (taps_.pixel[0][q] >= 0) rows[taps_.pixel[0][q]] += grad[q];
          } else if (taps_.square[q]) {
            S* const at = rows + taps_.pixel[0][q];
            at[0] += share_[0][q], at[1] += share_[1][q], at[down] += share_[2][q], at[down + 1] += share_[3][q];
          } else {
            for (int k = 0; k < 4; ++k)
              if (taps_.pixel[k][q] >= 0) rows[taps_.pixel[k][q]] += share_[k][q];
          }
        });
      }
    }
  }

  void spread_pixels(const S* grad, int64_t n, S* rows, const Numbering& numbering) {
    if constexpr (sizeof(S) == sizeof(T)) {
      const int64_t whole = channels_ / kWide * kWide, rest = channels_ - whole;
      in_turns(n, [&](int64_t q) {
        const S* const g = grad + q * p_.C;
        const int32_t first = taps_.pixel[0][q];
        for (int k = 0; k < (nearest_ ? 1 : 4); ++k) {
          const bool square = !nearest_ && taps_.square[q];
          const int64_t pixel = square ? first + k / 2 * numbering.row + k % 2 * numbering.column : taps_.pixel[k][q];
          if (pixel < 0) continue;
          S* const to = rows + pixel;
          const T weight = nearest_ ? T(1) : taps_.weight[k][q];
          for (int64_t c = 0; c < whole; c += kWide)
            put<kWide>(to + c, take<kWide>(to + c) + weight * take<kWide>(g + c));
          if (rest > 0)
            put_some<kWide>(to + whole, take_some<kWide>(to + whole, rest) + weight * take_some<kWide>(g + whole, rest),
                            rest);
        }
      });
    }
  }

  // d loss / d X and d Y of every pixel of the stretch.
  void slopes_of_planes(const S* grad, int64_t n) {
    const S* from = this->p_.input + image_.image + channel_ * p_.channel_stride;
    for (int64_t q = 0; q < n; q += kRun<T>) {
      const int64_t count = n - q < kRun<T> ? n - q : kRun<T>;
      const Run<T> fx = take<kRun<T>>(taps_.fraction_x + q), fy = take<kRun<T>>(taps_.fraction_y + q);
      Run<T> dx{}, dy{};
      for (int64_t c = 0; c < channels_; ++c) {
        const Run<T> g = read<T>(grad + c * p_.pixels() + q, 1, count);
        Run<T> value[4];
        this->corners_of_run(from + c * p_.channel_stride, q, value);
        dx += g * affine_sample::slope_along_x(value, fy), dy += g * affine_sample::slope_along_y(value, fx);
      }
      put<kRun<T>>(slope_[0] + q, dx);
      put<kRun<T>>(slope_[1] + q, dy);
    }
  }
  void slopes_of_pixels(const S* grad, int64_t n) {
    if constexpr (sizeof(S) == sizeof(T)) {
      using W = typename Several<T, kWide>::Vector;
      const S* from = p_.input + image_.image + channel_;
      const int64_t whole = channels_ / kWide * kWide, rest = channels_ - whole;
      for (int64_t q = 0; q < n; ++q) {
        const S* tap[4];
        this->find_taps(from, q, tap);
        const T fx = taps_.fraction_x[q], fy = taps_.fraction_y[q];
        W dx{}, dy{};
        const auto add = [&](W g, auto take_at) {
          W value[4];
          for (int k = 0; k < 4; ++k) value[k] = tap[k] ? take_at(tap[k]) : W{};
          dx += g * affine_sample::slope_along_x(value, fy), dy += g * affine_sample::slope_along_y(value, fx);
        };
        const S* const g = grad + q * p_.C;
        for (int64_t c = 0; c < whole; c += kWide)
          add(take<kWide>(g + c), [&](const S* at) { return take<kWide>(at + c); });
        if (rest > 0)
          add(take_some<kWide>(g + whole, rest), [&](const S* at) { return take_some<kWide>(at + whole, rest); });
        slope_[0][q] = slope_[1][q] = 0;
        for (int i = 0; i < kWide; ++i) slope_[0][q] += dx[i], slope_[1][q] += dy[i];
      }
    }
  }

  void add_by_theta(int64_t n, double (&sums)[6]) {
    const int64_t end = (n + kRun<T> - 1) / kRun<T> * kRun<T>;
    for (int axis = 0; axis < 2; ++axis) {
      for (int64_t q = n; q < end; ++q) slope_[axis][q] = taps_.slope[axis][q] = taps_.base_x[q] = taps_.base_y[q] = 0;
      Run<T> total[3] = {};
      for (int64_t q = 0; q < end; q += kRun<T>) {
        const Run<T> d = take<kRun<T>>(slope_[axis] + q) * take<kRun<T>>(taps_.slope[axis] + q);
        total[0] += d * take<kRun<T>>(taps_.base_x + q);
        total[1] += d * take<kRun<T>>(taps_.base_y + q);
        total[2] += d;
      }
      for (int i = 0; i < 3; ++i)
        for (int k = 0; k < kRun<T>; ++k) sums[3 * axis + i] += double(total[i][k]);
    }
  }

  const affine_sample::Tiles tiles_;
  const affine_sample::Strips<S> strips_;
  bool lays_out_;
  int64_t channels_ = 0;
  Buffer<T> memory_;
  alignas(64) T share_[4][kRoom], slope_[2][kRoom];
};

}  // namespace reidops::REIDOPS_ISA
