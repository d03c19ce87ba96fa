// problem.h - what the kernels are handed: pointers, sizes, strides; nothing of torch.
#pragma once

#include <cstdint>

#include "../common/half.h"
#include "../common/sizes.h"
#include "../common/walk.h"
#include "affine_sample.h"

namespace reidops::affine_sample {

// Where something is: elements from the start of the images, elements from the start of the maps (theta), and the
// number of the sample and of the image, counted along their own tensors.
struct Place {
  int64_t image = 0, theta = 0, sample = 0, number = 0;

  REIDOPS_HOST_DEVICE void move(const Place& step, int64_t count) {
    image += count * step.image;
    theta += count * step.theta;
    sample += count * step.sample;
    number += count * step.number;
  }
};

// Images (C, H, W) of storage type S; every one of them is sampled once for each of `repeats`.
template <class S>
struct Problem {
  using T = typename Computing<S>::Type;

  const S* input;        // any strides
  const S* theta;        // 6 side by side
  S* output;             // forward: samples (C, h, w)
  const S* grad_output;  // backward: the same
  S* grad_input;         // backward: images (C, H, W); null: not wanted
  T* grad_theta;         // backward: for each sample, block of channels and band 6 sums; null: not wanted
  T* grad_parts;         // backward: see Backward; null: not needed
  Walk<Place> images, repeats;
  int64_t C, H, W, h, w;
  int64_t channel_stride, row_stride, column_stride;  // of an image, in elements
  bool channels_last;                                 // of output, grad_output and grad_input
  bool align_corners;
  Mode mode;
  Padding padding;

  REIDOPS_HOST_DEVICE int64_t pixels() const { return h * w; }
};

// Channels side by side in a pixel as the CPU kernel lays it out: all of a colour image, or some of a feature map.
constexpr int64_t kFewChannels = 4, kManyChannels = 16;
// Vectors of channels that share the positions once worked out, while what they sample fits into the cache.
constexpr int64_t kMostVectors = 4;
constexpr int64_t kCacheBytes = 512 << 10;

template <class S>
struct Blocks {
  int64_t lanes, vectors, count;

  explicit REIDOPS_HOST_DEVICE Blocks(const Problem<S>& p) {
    lanes = p.C <= kFewChannels ? kFewChannels : kManyChannels;
    const int64_t all = (p.C + lanes - 1) / lanes;
    const int64_t bytes = (p.H * p.W + 1) * lanes * int64_t(sizeof(typename Problem<S>::T));
    const int64_t fit = kCacheBytes / bytes;
    vectors = fit < 1 ? 1 : fit < kMostVectors ? fit : kMostVectors;
    count = (all + vectors - 1) / vectors;
  }
};

// Backward adds up an image's gradient in one place, sample by sample.  Where there are too few images and blocks of
// channels to share out, the samples of each are cut into `parts`, which are added in their order: a number that
// depends on sizes alone, so that no number of threads changes a result.
template <class S>
REIDOPS_HOST_DEVICE int64_t parts(const Problem<S>& p) {
  constexpr int64_t kTasksWanted = 16;
  const int64_t tasks = p.images.size * Blocks<S>(p).count;
  if (tasks == 0) return 1;
  const int64_t wanted = (kTasksWanted + tasks - 1) / tasks;
  return wanted < p.repeats.size ? wanted : (p.repeats.size > 0 ? p.repeats.size : 1);
}

// A rectangle of the output.
struct Tile {
  int64_t row, column, rows, columns;
};

// Forward cuts every sample into tiles, which share its work out, and whose pixels of the image lie close together.
struct Tiles {
  int64_t h, w, rows, columns, down, across;

  Tiles(int64_t h, int64_t w) : h(h), w(w) {
    constexpr int64_t kPixels = 4096, kColumns = 128, kMultiple = 16;
    const int64_t wanted = (w + kColumns - 1) / kColumns, even = (w + wanted - 1) / wanted;
    columns = wanted == 1 ? w : (even + kMultiple - 1) / kMultiple * kMultiple;
    rows = columns < kPixels ? kPixels / columns : 1;
    down = (h + rows - 1) / rows;
    across = (w + columns - 1) / columns;
  }
  int64_t count() const { return down * across; }
  Tile at(int64_t index) const {
    const int64_t row = index / across * rows, column = index % across * columns;
    return {row, column, h - row < rows ? h - row : rows, w - column < columns ? w - column : columns};
  }
};

// Whether pixels of an image can be numbered in 31 bits by how far they lie from its first.
template <class S>
REIDOPS_HOST_DEVICE bool reached_directly(const Problem<S>& p) {
  constexpr int64_t kMost = (int64_t(1) << 31) - 1;
  return times(p.H, p.row_stride) < kMost / 2 && times(p.W, p.column_stride) < kMost / 2;
}
// Where pixels of channels side by side are read from where they are, a task has all channels.
template <class S>
REIDOPS_HOST_DEVICE bool reads_pixels(const Problem<S>& p) {
  return sizeof(S) == sizeof(typename Problem<S>::T) && p.channels_last && reached_directly(p);
}

template <class S>
REIDOPS_HOST_DEVICE int64_t forward_blocks(const Problem<S>& p) {
  return reads_pixels(p) && p.C > 0 ? 1 : Blocks<S>(p).count;
}
template <class S>
REIDOPS_HOST_DEVICE int64_t forward_tasks(const Problem<S>& p) {
  return p.images.size * forward_blocks(p) * p.repeats.size * Tiles(p.h, p.w).count();
}
template <class S>
REIDOPS_HOST_DEVICE int64_t backward_tasks(const Problem<S>& p) {
  return p.images.size * Blocks<S>(p).count * parts(p);
}
// Large pictures with few maps have no parts: a task owns some rows of the gradient, a strip, and adds up in place what
// samples give to these rows; other tasks have the gradient of theta, each some tiles of a sample.  The image is read
// where it is.  Planes are added to number by number, which pays for few channels or few samples.
template <class S>
struct Strips {
  int64_t count = 0, bands = 0;  // of an image and block of channels; of a sample.  0: backward by parts

  REIDOPS_HOST_DEVICE explicit Strips(const Problem<S>& p) {
    constexpr int64_t kTasksWanted = 8, kPixels = 1 << 15, kRows = 64, kMost = (int64_t(1) << 31) - 1;
    const int64_t pixels = p.H * p.W, samples = times(p.repeats.size, p.pixels());
    const bool many = p.C >= kManyChannels;
    if (sizeof(S) != sizeof(typename Problem<S>::T) || !reached_directly(p)) return;
    if (times(pixels, p.channels_last ? p.C : 1) > kMost) return;  // the gradient's pixels are numbered as well
    if (p.channels_last ? !many && pixels < kPixels : pixels < kPixels || p.column_stride != 1) return;
    if (!p.channels_last && p.C > kFewChannels && times(samples, 8) > pixels) return;
    if (!p.channels_last && samples > times(pixels, 4)) return;
    const int64_t owners = times(p.images.size, Blocks<S>(p).count), tasks = times(owners, p.repeats.size);
    const int64_t most = (p.H + kRows - 1) / kRows, tiles = Tiles(p.h, p.w).count();
    if (tasks == 0) return;
    const int64_t strips = (kTasksWanted + owners - 1) / owners, cut = (kTasksWanted + tasks - 1) / tasks;
    count = strips < most ? strips : most;
    bands = cut < tiles ? cut : tiles;
  }
};

// Elements of `grad_parts`: one image, as the kernel lays it out, for each task of more than one part.
template <class S>
REIDOPS_HOST_DEVICE int64_t part_size(const Problem<S>& p) {
  const Blocks<S> blocks(p);
  return blocks.vectors * (p.H * p.W + kManyChannels) * blocks.lanes;
}

}  // namespace reidops::affine_sample

// For every instruction set, compiled from affine_sample_cpu_kernel.h: each runs tasks [begin, end).  Where there are
// strips, `spread` has images x blocks x strips tasks and `slopes` images x blocks x repeats x bands; else `backward` has
// backward_tasks, and `add_parts` as many, after all of it, where there is more than one part.
#define REIDOPS_DECLARE_STORAGE(S)                                                                 \
  void forward(const affine_sample::Problem<S>& problem, int64_t begin, int64_t end);              \
  void backward(const affine_sample::Problem<S>& problem, int64_t begin, int64_t end);             \
  void add_parts(const affine_sample::Problem<S>& problem, int64_t begin, int64_t end);            \
  void spread(const affine_sample::Problem<S>& problem, int64_t begin, int64_t end);               \
  void slopes(const affine_sample::Problem<S>& problem, int64_t begin, int64_t end);
#define REIDOPS_DECLARE_AFFINE_SAMPLE(isa)                                                         \
  namespace reidops::isa::affine_sample_kernels {                                                  \
  REIDOPS_DECLARE_STORAGE(float)                                                                   \
  REIDOPS_DECLARE_STORAGE(double)                                                                  \
  REIDOPS_DECLARE_STORAGE(Half)                                                                    \
  REIDOPS_DECLARE_STORAGE(BFloat16)                                                                \
  }
REIDOPS_DECLARE_AFFINE_SAMPLE(baseline)
REIDOPS_DECLARE_AFFINE_SAMPLE(avx2)
REIDOPS_DECLARE_AFFINE_SAMPLE(avx512)
#undef REIDOPS_DECLARE_AFFINE_SAMPLE
#undef REIDOPS_DECLARE_STORAGE
