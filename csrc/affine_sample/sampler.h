// sampler.h - what forward and backward share: an image with the channels of a pixel side by side, in the thread's own
// memory and only where it is sampled.  Then a bilinear sample is four loads and four multiplications for all channels
// of a vector, and the samples are turned back into planes sixteen pixels at a time.
#pragma once

#include "../common/pixels.h"
#include "gather.h"
#include "problem.h"
#include "taps.h"

namespace reidops::REIDOPS_ISA {

template <class S, int kLanes>
class Sampler {
 protected:
  using Problem = affine_sample::Problem<S>;
  using T = typename Problem::T;
  using V = typename Several<T, kLanes>::Vector;

  explicit Sampler(const Problem& p)
      : p_(p), blocks_(p), positions_(p), nearest_(p.mode == affine_sample::Mode::kNearest) {
    stretch_ = stretch_memory_.reserve(kRoom * kLanes);
  }

  // Elements of one vector of channels for all pixels of the region, the pixel of zeros, and room for a run.
  int64_t plane() const { return (region_.pixels() + kRun<T>) * kLanes; }
  int64_t whole_plane() const { return (p_.H * p_.W + kRun<T>) * kLanes; }
  int64_t channels(int64_t v) const {
    const int64_t left = p_.C - channel_ - v * kLanes;
    return left < kLanes ? left : kLanes;
  }

  // Image and channels of an owner: one block of an image.
  void set_owner(int64_t owner) {
    image_ = p_.images.at(owner / blocks_.count, {});
    block_ = owner % blocks_.count;
    channel_ = block_ * blocks_.vectors * kLanes;
    const int64_t left = (p_.C - channel_ + kLanes - 1) / kLanes;
    vectors_ = left < blocks_.vectors ? left : blocks_.vectors;
  }
  // What samples [first, last) of the image touch.
  Region region_of(int64_t first, int64_t last) {
    Region region;
    for (int64_t r = first; r < last; ++r) {
      positions_.set_theta(p_.theta + p_.repeats.at(r, image_).theta);
      region.merge(positions_.reach());
    }
    return region;
  }

  // Pixels of our own layout: one after the other, and one of zeros after the last.
  Numbering numbering() const { return {region_, region_.columns, 1, region_.pixels()}; }

  void lay_out(const Region& region) {
    region_ = region;
    pixels_ = pixel_memory_.reserve(vectors_ * plane());
    const S* corner = p_.input + image_.image + region_.y * p_.row_stride + region_.x * p_.column_stride;
    const bool run = region_.columns * p_.column_stride == p_.row_stride;  // the rows follow one another
    const int64_t rows = run ? 1 : region_.rows, columns = run ? region_.pixels() : region_.columns;
    for (int64_t v = 0; v < vectors_; ++v) {
      T* plane_of = pixels_ + v * plane();
      const S* from = corner + (channel_ + v * kLanes) * p_.channel_stride;
      for (int64_t y = 0; y < rows; ++y)
        gather_pixels<T, kLanes>(from + y * p_.row_stride, p_.channel_stride, p_.column_stride, channels(v), columns,
                                 plane_of + y * columns * kLanes);
      std::memset(plane_of + region_.pixels() * kLanes, 0, kLanes * sizeof(T));
    }
  }

  // The four pixels of a sample.  Those of a square are found from the first.
  REIDOPS_INLINE void corners(const T* plane, int64_t q, V (&value)[4]) const {
    if (taps_.square[q]) {
      const T* low = plane + taps_.pixel[0][q] * int64_t(kLanes);
      const T* high = low + region_.columns * kLanes;
      value[0] = take<kLanes>(low), value[1] = take<kLanes>(low + kLanes);
      value[2] = take<kLanes>(high), value[3] = take<kLanes>(high + kLanes);
    } else {
      for (int k = 0; k < 4; ++k) value[k] = pixel(plane, k, q);
    }
  }
  REIDOPS_INLINE V pixel(const T* plane, int k, int64_t q) const {
    return take<kLanes>(plane + taps_.pixel[k][q] * int64_t(kLanes));
  }

  // Pixels of the image itself, where they are.
  Numbering image_numbering() const { return {{0, 0, p_.H, p_.W}, p_.row_stride, p_.column_stride, -1}; }

  // Of a run of samples, the four pixels in one plane of the image.  A square's pixels are all in the image, so what
  // follows one in its row, and what follows a row below it, is there.
  REIDOPS_INLINE void corners_of_run(const S* from, int64_t q, Run<T> (&value)[4]) const {
    if (taps_.square[q]) {
      gather_pairs<T>(from, taps_.pixel[0] + q, value[0], value[1]);
      gather_pairs<T>(from + p_.row_stride, taps_.pixel[0] + q, value[2], value[3]);
    } else {
      for (int k = 0; k < 4; ++k) value[k] = gather<T>(from, taps_.pixel[k] + q);
    }
  }
  // The pixels of a sample, null where there is none; whether all are there.
  REIDOPS_INLINE bool find_taps(const S* from, int64_t q, const S* (&tap)[4]) const {
    const S* const first = taps_.pixel[0][q] < 0 ? nullptr : from + taps_.pixel[0][q];
    tap[0] = first, tap[1] = tap[2] = tap[3] = nullptr;
    if (nearest_) return false;
    if (taps_.square[q]) {
      tap[1] = first + p_.column_stride, tap[2] = first + p_.row_stride, tap[3] = tap[2] + p_.column_stride;
      return true;
    }
    for (int k = 1; k < 4; ++k)
      if (taps_.pixel[k][q] >= 0) tap[k] = from + taps_.pixel[k][q];
    return false;
  }

  // What the stretch gives to the gradient of the pixels of the region, laid out like the image.
  // Neighbours on a row add to the same pixels, one waiting for the other: places of the stretch take turns.
  void spread(T* plane, int64_t n) {
    constexpr int64_t kTurns = 4;
    const int64_t length = (n + kTurns - 1) / kTurns, row = region_.columns * kLanes, nothing = region_.pixels();
    for (int64_t i = 0; i < length; ++i) {
      for (int64_t q = i; q < n; q += length) {
        const V g = take<kLanes>(stretch_ + q * kLanes);
        T* at = plane + taps_.pixel[0][q] * int64_t(kLanes);
        if (nearest_) {
          add(at, g);
        } else if (taps_.square[q]) {
          for (int k = 0; k < 4; ++k) add(at + k / 2 * row + k % 2 * kLanes, g * taps_.weight[k][q]);
        } else {
          for (int k = 0; k < 4; ++k)
            if (taps_.pixel[k][q] < nothing) add(plane + taps_.pixel[k][q] * int64_t(kLanes), g * taps_.weight[k][q]);
        }
      }
    }
  }
  static REIDOPS_INLINE void add(T* to, V value) { put<kLanes>(to, take<kLanes>(to) + value); }

  // Pixels of the region to where they belong in grad_input.
  void write_region(const T* from, int64_t v) {
    const bool run = region_.columns == p_.W;  // the rows follow one another
    const int64_t rows = run ? region_.rows > 0 : region_.rows, columns = run ? region_.pixels() : region_.columns;
    S* to = gradient_of(v) + (region_.y * p_.W + region_.x) * pixel_step();
    for (int64_t y = 0; y < rows; ++y)
      scatter_pixels<T, kLanes>(from + y * columns * kLanes, channels(v), columns, to + y * p_.W * pixel_step(),
                                channel_step(), pixel_step());
  }
  S* gradient_of(int64_t v) const {
    return p_.grad_input + image_.number * p_.C * p_.H * p_.W + (channel_ + v * kLanes) * channel_step();
  }
  int64_t pixel_step() const { return p_.channels_last ? p_.C : 1; }
  int64_t channel_step() const { return p_.channels_last ? 1 : p_.H * p_.W; }

  template <class P>
  P* samples(P* start, const affine_sample::Place& place, int64_t v, int64_t pixel) const {
    const int64_t channel = channel_ + v * kLanes;
    return start + place.sample * p_.C * p_.pixels() +
           (p_.channels_last ? pixel * p_.C + channel : channel * p_.pixels() + pixel);
  }
  int64_t stride_of_channels() const { return p_.channels_last ? 1 : p_.pixels(); }

  const Problem& p_;
  affine_sample::Blocks<S> blocks_;
  Positions<S> positions_;
  const bool nearest_;
  Taps<T> taps_;
  Buffer<T> stretch_memory_, pixel_memory_;
  T *stretch_ = nullptr, *pixels_ = nullptr;
  affine_sample::Place image_;
  int64_t block_ = 0, channel_ = 0, vectors_ = 0;
  Region region_;
};

}  // namespace reidops::REIDOPS_ISA
