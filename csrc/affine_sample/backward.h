// backward.h - gradients of the image and of theta.
#pragma once

#include "sampler.h"

namespace reidops::REIDOPS_ISA {

template <class S, int kLanes>
class Backward : Sampler<S, kLanes> {
  using Base = Sampler<S, kLanes>;
  using typename Base::Problem;
  using typename Base::T;
  using typename Base::V;
  using Base::block_, Base::blocks_, Base::channel_, Base::channels, Base::corners, Base::image_, Base::nearest_,
      Base::p_, Base::pixels_, Base::plane, Base::positions_, Base::region_, Base::samples, Base::stretch_,
      Base::stride_of_channels, Base::taps_, Base::vectors_, Base::whole_plane;

 public:
  explicit Backward(const Problem& p) : Base(p) {
    slopes_[0] = slopes_memory_.reserve(2 * kRoom * kLanes);
    slopes_[1] = slopes_[0] + kRoom * kLanes;
  }

  void run(int64_t begin, int64_t end) {
    const int64_t parts = affine_sample::parts(p_), repeats = p_.repeats.size;
    for (int64_t task = begin; task < end; ++task) {
      const int64_t owner = task / parts, part = task % parts;
      const int64_t first = part * repeats / parts, last = (part + 1) * repeats / parts;
      this->set_owner(owner);
      region_ = parts > 1 && p_.grad_input ? Region{0, 0, p_.H, p_.W} : this->region_of(first, last);
      if (p_.grad_theta && !nearest_) this->lay_out(region_);
      T* gradient = nullptr;
      if (p_.grad_input) {
        const int64_t size = affine_sample::part_size(p_);
        gradient = parts > 1 ? p_.grad_parts + task * size : gradient_memory_.reserve(size);
        std::memset(gradient, 0, size_t(vectors_ * plane()) * sizeof(T));
      }
      for (int64_t r = first; r < last; ++r) differentiate(p_.repeats.at(r, image_), gradient);
      if (gradient && parts == 1) write_gradient(gradient);
    }
  }

  // The parts of an image's gradient, added up in their order; a task has some of the image's rows.
  void add_parts(int64_t begin, int64_t end) {
    const int64_t parts = affine_sample::parts(p_), size = affine_sample::part_size(p_);
    for (int64_t task = begin; task < end; ++task) {
      const int64_t owner = task / parts, share = task % parts;
      const int64_t first = share * p_.H / parts, last = (share + 1) * p_.H / parts;
      this->set_owner(owner);
      T* total = p_.grad_parts + owner * parts * size;
      for (int64_t v = 0; v < vectors_; ++v) {
        const int64_t from = v * whole_plane() + first * p_.W * kLanes, to = from + (last - first) * p_.W * kLanes;
        for (int64_t part = 1; part < parts; ++part)
          for (int64_t i = from; i < to; ++i) total[i] += total[part * size + i];
      }
      region_ = {first, 0, last - first, p_.W};
      for (int64_t v = 0; v < vectors_; ++v)
        this->write_region(total + v * whole_plane() + first * p_.W * kLanes, v);
    }
  }

 private:
  // The output is linear in the image, so its gradient goes back by the same weights.  The gradient of theta is that
  // of the position (slope_along_x, slope_along_y) times d X / d theta = slope (x_j, y_i, 1), and likewise for Y,
  // summed over pixels and channels.
  void differentiate(const affine_sample::Place& place, T* gradient) {
    positions_.set_theta(p_.theta + place.theta);
    const bool by_theta = p_.grad_theta != nullptr && !nearest_;
    double sums[6] = {};
    for (int64_t begin = 0; begin < p_.pixels(); begin += kStretch) {
      const int64_t n = p_.pixels() - begin < kStretch ? p_.pixels() - begin : kStretch;
      positions_.find(begin, n, this->numbering(), true, taps_);
      for (int64_t v = 0; v < vectors_; ++v) {
        gather_pixels<T, kLanes>(samples(p_.grad_output, place, v, begin), stride_of_channels(),
                                 p_.channels_last ? p_.C : 1, channels(v), n, stretch_);
        if (gradient) this->spread(gradient + v * plane(), n);
        if (by_theta) add_slopes(pixels_ + v * plane(), n, v == 0);
      }
      if (by_theta) add_by_theta(n, sums);
    }
    if (!p_.grad_theta) return;
    T* out = p_.grad_theta + (place.sample * blocks_.count + block_) * 6;
    for (int i = 0; i < 6; ++i) out[i] = T(sums[i]);
  }
  // d loss / d X and d Y of every pixel of the stretch, its channels still apart.
  void add_slopes(const T* plane, int64_t n, bool first) {
    for (int64_t q = 0; q < n; ++q) {
      const V g = take<kLanes>(stretch_ + q * kLanes);
      const T fx = taps_.fraction_x[q], fy = taps_.fraction_y[q];
      V value[4];
      corners(plane, q, value);
      const V dx = g * affine_sample::slope_along_x(value, fy), dy = g * affine_sample::slope_along_y(value, fx);
      T *x = slopes_[0] + q * kLanes, *y = slopes_[1] + q * kLanes;
      put<kLanes>(x, first ? dx : dx + take<kLanes>(x));
      put<kLanes>(y, first ? dy : dy + take<kLanes>(y));
    }
  }
  void add_by_theta(int64_t n, double (&sums)[6]) {
    constexpr int kAtOnce = kRun<T>;
    const int64_t whole = (n + kAtOnce - 1) / kAtOnce * kAtOnce;
    for (int axis = 0; axis < 2; ++axis) {
      for (int64_t q = n; q < whole; ++q) taps_.slope[axis][q] = taps_.base_x[q] = taps_.base_y[q] = 0;
      std::memset(slopes_[axis] + n * kLanes, 0, size_t((whole - n) * kLanes) * sizeof(T));
      Run<T> total[3] = {};
      for (int64_t q = 0; q < whole; q += kAtOnce) {
        Run<T> v[kLanes], slope{};
        for (int c = 0; c < kLanes; ++c) v[c] = take<kAtOnce>(slopes_[axis] + q * kLanes + c * kAtOnce);
        pixels_to_planes<T, kLanes>(v);
        for (int c = 0; c < kLanes; ++c) slope += v[c];
        slope *= take<kAtOnce>(taps_.slope[axis] + q);
        total[0] += slope * take<kAtOnce>(taps_.base_x + q);
        total[1] += slope * take<kAtOnce>(taps_.base_y + q);
        total[2] += slope;
      }
      for (int i = 0; i < 3; ++i)
        for (int k = 0; k < kAtOnce; ++k) sums[3 * axis + i] += double(total[i][k]);
    }
  }

  // Pixels of the region to where they belong in grad_input, and zeros around them.
  void write_gradient(const T* gradient) {
    for (int64_t v = 0; v < vectors_; ++v) {
      if (region_.pixels() < p_.H * p_.W) clear(this->gradient_of(v), v);
      this->write_region(gradient + v * plane(), v);
    }
  }
  void clear(S* to, int64_t v) const {
    const bool by_pixels = p_.channels_last;  // a pixel's channels lie together, else a channel's pixels
    const int64_t pieces = by_pixels ? p_.H * p_.W : channels(v), length = by_pixels ? channels(v) : p_.H * p_.W;
    const int64_t step = by_pixels ? this->pixel_step() : this->channel_step();
    for (int64_t i = 0; i < pieces; ++i) std::memset(to + i * step, 0, size_t(length) * sizeof(S));
  }

  Buffer<T> slopes_memory_, gradient_memory_;
  T* slopes_[2] = {};
};

}  // namespace reidops::REIDOPS_ISA
