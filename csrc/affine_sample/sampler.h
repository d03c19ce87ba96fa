// sampler.h - what forward and backward share: an image with the channels of a pixel side by side, in the thread's own
// memory and only where it is sampled.  Then a bilinear sample is four loads and four multiplications for all channels
// of a vector, and the samples are turned back into planes sixteen pixels at a time.
#pragma once

#include "../common/pixels.h"
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
