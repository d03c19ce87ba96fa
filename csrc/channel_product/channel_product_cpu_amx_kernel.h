// channel_product_cpu_amx_kernel.h - the CPU kernel for bfloat16 on machines with a matrix unit.
//
// Both sides are laid out as the unit's tiles, each once: the left one for all threads, the columns of a right map by
// the thread that multiplies them.  A block of channels of a strip stays in the nearest cache while the columns go by.
#pragma once

#include "matrix_tile.h"
#include "tasks.h"

namespace reidops::REIDOPS_ISA {

class MatrixMultiplier {
  using Problem = channel_product::Problem<BFloat16>;
  static constexpr int64_t kPanel = 2 * kTileSide;                             // rows of a strip, columns of a panel
  static constexpr int64_t kBoth = 2 * kTileBytes / int64_t(sizeof(uint32_t));  // two tiles, a strip's or a panel's
  static constexpr int64_t kSteps = 16;                                        // of 32 channels, in a block
  static constexpr int64_t kBytes = 1 << 20;                                   // of columns laid out, about
  static constexpr int64_t kMostColumns = 512;

 public:
  explicit MatrixMultiplier(const Problem& p)
      : p_(p), steps_((p.C + kTileChannels - 1) / kTileChannels), columns_(columns(steps_)),
        tasks_(p, kPanel, columns_) {}

  int64_t bytes_laid_out() const { return strips() * steps_ * 2 * kTileBytes; }
  int64_t strips() const { return p_.left.count * tasks_.strips.count; }
  int64_t tasks() const { return tasks_.count(); }

  void lay_out(int64_t begin, int64_t end) const {
    for (int64_t i = begin; i < end; ++i) {
      const Strip strip = tasks_.strips[i % tasks_.strips.count];
      const BFloat16* const map = p_.left.data + i / tasks_.strips.count * p_.left.map;
      lay_out_steps<true>(p_.left, map + strip.begin * p_.left.location, strip.rows, strip_at(i));
    }
  }

  void multiply(int64_t begin, int64_t end) {
    panels_ = panel_memory_.reserve(columns_ / kPanel * steps_ * kBoth);
    sums_ = sum_memory_.reserve(columns_ * kPanel);
    const MatrixUnit unit;
    tasks_.each_block(begin, end, [&](const Columns& columns, int64_t from, int64_t to) {
      const BFloat16* const right = p_.right.data + columns.map * p_.right.map;
      for (int64_t m = 0; m < columns.count; m += kPanel)
        lay_out_steps<false>(p_.right, right + (columns.begin + m) * p_.right.location,
                             std::min(kPanel, columns.count - m), panel_at(m));
      for (int64_t i = from; i < to; ++i) multiply_strip(columns, i);
    });
  }

  void mirror(int64_t begin, int64_t end) const { tasks_.mirror(begin, end, kPanel); }

 private:
  static int64_t columns(int64_t steps) {
    const int64_t panels = kBytes / (2 * kTileBytes * std::max<int64_t>(1, steps));
    return kPanel * std::clamp<int64_t>(panels, 1, kMostColumns / kPanel);
  }

  // Up to 32 locations as two tiles for each 32 channels.
  template <bool kLeft>
  void lay_out_steps(const channel_product::Side<BFloat16>& side, const BFloat16* from, int64_t count,
                     uint32_t* to) const {
    for (int64_t step = 0; step < steps_; ++step)
      for (int64_t i = 0; i < kPanel; i += kTileSide, to += kBoth / 2) {
        const int64_t channel = step * kTileChannels, locations = std::clamp<int64_t>(count - i, 0, kTileSide);
        lay_out_tile<kLeft>(side, from + channel * side.channel + (locations > 0 ? i * side.location : 0),
                            std::min(kTileChannels, p_.C - channel), locations, to);
      }
  }

  void multiply_strip(const Columns& columns, int64_t i) const {
    const int64_t pair = tasks_.pair(columns.map, i), number = i % tasks_.strips.count;
    const Strip strip = tasks_.strips[number];
    const uint32_t* const left = strip_at(tasks_.left_map(pair) * tasks_.strips.count + number);
    const int64_t begin = std::max<int64_t>(0, tasks_.left_out(strip, kPanel) - columns.begin);
    asm volatile("" ::: "memory");  // what is laid out is in memory before the unit, unseen by the compiler, reads it
    for (int64_t step = 0; step == 0 || step < steps_; step += kSteps)
      for (int64_t m = begin; m < columns.count; m += kPanel)
        multiply_tiles(left + step * kBoth, panel_at(m) + step * kBoth, std::min(kSteps, steps_ - step), step == 0,
                       sums_ + m * kPanel);
    float* const out = tasks_.out(pair, strip, columns.begin);
    for (int64_t m = begin; m < columns.count; m += kPanel) {
      const size_t bytes = size_t(std::min(kPanel, columns.count - m)) * sizeof(float);
      for (int64_t n = 0; n < strip.rows; ++n)
        std::memcpy(out + n * tasks_.row_step() + m, sums_ + m * kPanel + n * kPanel, bytes);
    }
  }

  uint32_t* strip_at(int64_t i) const { return static_cast<uint32_t*>(p_.laid_out) + i * steps_ * kBoth; }
  uint32_t* panel_at(int64_t column) const { return panels_ + column / kPanel * steps_ * kBoth; }

  const Problem& p_;
  const int64_t steps_, columns_;
  const Tasks<BFloat16> tasks_;
  Buffer<uint32_t> panel_memory_;
  Buffer<float> sum_memory_;
  uint32_t* panels_ = nullptr;
  float* sums_ = nullptr;
};

namespace channel_product_kernels {

REIDOPS_DEFINE_CHANNEL_PRODUCT(BFloat16, MatrixMultiplier)

}  // namespace channel_product_kernels
}  // namespace reidops::REIDOPS_ISA
