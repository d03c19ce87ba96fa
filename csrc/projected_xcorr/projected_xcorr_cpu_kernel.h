// projected_xcorr_cpu_kernel.h - the CPU kernel, compiled once for every instruction set.
//
// A register's channels of a score map are made by depthwise_xcorr's kernel, pooled where they lie, turned to planes,
// and multiplied into the sums of all outputs, which stay in the caches: a small matrix product for each.
#pragma once

#include "../depthwise_xcorr/correlator.h"
#include "pool.h"
#include "problem.h"

namespace reidops::REIDOPS_ISA {

template <class S>
class Projector {
  using Problem = projected_xcorr::Problem<S>;
  using T = typename depthwise_xcorr::Problem<S>::T;
  using V = Run<T>;
  static constexpr int kLanes = kRun<T>;
  static constexpr int kOutputs = REIDOPS_VECTOR_BYTES == 64 ? 8 : 4;  // of the sums, in registers
  static constexpr int kRuns = 2;                                      // of pixels, for each of them

 public:
  explicit Projector(const Problem& p)
      : p_(p), correlator_(p.maps), runs_((p.ph * p.pw + kLanes - 1) / kLanes), pitch_(runs_ * kLanes) {
    planes_ = plane_memory_.reserve(kLanes * pitch_);
    sums_ = sum_memory_.reserve(p.O * pitch_);
    weight_ = weight_memory_.reserve(p.O * p.templates * p.maps.C);
    for (int64_t i = 0; i < p.O * p.templates * p.maps.C; ++i) weight_[i] = widen(p.weight[i]);
  }

  void run(int64_t begin, int64_t end) {
    const auto& maps = p_.maps;
    for (int64_t n = begin; n < end; ++n) {
      const depthwise_xcorr::Place place = maps.outputs.at(n, {});
      std::memset(sums_, 0, size_t(p_.O * pitch_) * sizeof(T));
      for (int64_t channel = 0; channel < maps.C; channel += kLanes) {
        const int64_t channels = std::min<int64_t>(kLanes, maps.C - channel);
        const S* const search = maps.search + place.search + channel * maps.of_search.channel;
        const S* const templ = maps.templ + place.templ + channel * maps.of_template.channel;
        for (int64_t t = 0; t < p_.templates; ++t) {
          correlator_.run(t == 0 ? search : nullptr, templ + t * p_.template_step, channels);
          if (p_.pooled) pool(correlator_.correlated());
          scatter_pixels<T, kLanes>(correlator_.correlated(), channels, p_.ph * p_.pw, planes_, pitch_, 1);
          multiply(weight_ + t * maps.C + channel, channels);
        }
      }
      S* to = maps.out + place.out;
      for (int64_t o = 0; o < p_.O; ++o)
        for (int64_t i = 0; i < p_.ph * p_.pw; ++i) narrow(sums_[o * pitch_ + i], *to++);
    }
  }

 private:
  // 2x2, a last row or column of its own where there is one; NaN stays.
  void pool(T* maps) const {
    using projected_xcorr::larger_or_nan;
    const int64_t h = p_.maps.h, w = p_.maps.w;
    for (int64_t y = 0; y < p_.ph; ++y)
      for (int64_t x = 0; x < p_.pw; ++x) {
        const int64_t right = 2 * x + 1 < w ? 1 : 0, down = 2 * y + 1 < h ? w : 0, at = 2 * y * w + 2 * x;
        const V above = larger_or_nan(pixel(maps, at), pixel(maps, at + right));
        const V below = larger_or_nan(pixel(maps, at + down), pixel(maps, at + down + right));
        put<kLanes>(maps + (y * p_.pw + x) * kLanes, larger_or_nan(above, below));
      }
  }
  static V pixel(const T* maps, int64_t i) { return take<kLanes>(maps + i * kLanes); }

  // sums += weight planes.
  void multiply(const T* weight, int64_t channels) {
    int64_t o = 0;
    for (; o + kOutputs <= p_.O; o += kOutputs) multiply_rows<kOutputs>(weight, o, channels);
    for (; o < p_.O; ++o) multiply_rows<1>(weight, o, channels);
  }
  template <int kRows>
  void multiply_rows(const T* weight, int64_t o, int64_t channels) {
    int64_t run = 0;
    for (; run + kRuns <= runs_; run += kRuns) multiply_tile<kRows, kRuns>(weight, o, run, channels);
    for (; run < runs_; ++run) multiply_tile<kRows, 1>(weight, o, run, channels);
  }
  template <int kRows, int kColumns>
  void multiply_tile(const T* weight, int64_t o, int64_t run, int64_t channels) {
    T* const to = sums_ + o * pitch_ + run * kLanes;
    const T* const from = planes_ + run * kLanes;
    const int64_t step = p_.templates * p_.maps.C;
    V sums[kRows][kColumns];
    for (int i = 0; i < kRows; ++i)
      for (int j = 0; j < kColumns; ++j) sums[i][j] = take<kLanes>(to + i * pitch_ + j * kLanes);
    for (int64_t c = 0; c < channels; ++c) {
      V plane[kColumns];
      for (int j = 0; j < kColumns; ++j) plane[j] = take<kLanes>(from + c * pitch_ + j * kLanes);
      for (int i = 0; i < kRows; ++i)
        for (int j = 0; j < kColumns; ++j) sums[i][j] += weight[(o + i) * step + c] * plane[j];
    }
    for (int i = 0; i < kRows; ++i)
      for (int j = 0; j < kColumns; ++j) put<kLanes>(to + i * pitch_ + j * kLanes, sums[i][j]);
  }

  const Problem& p_;
  Correlator<S> correlator_;
  const int64_t runs_, pitch_;
  Buffer<T> plane_memory_, sum_memory_, weight_memory_;
  T *planes_, *sums_, *weight_;
};

namespace projected_xcorr_kernels {

#define REIDOPS_DEFINE_STORAGE(S) \
  void project(const projected_xcorr::Problem<S>& p, int64_t begin, int64_t end) { Projector<S>(p).run(begin, end); }
REIDOPS_DEFINE_STORAGE(float)
REIDOPS_DEFINE_STORAGE(double)
REIDOPS_DEFINE_STORAGE(Half)
REIDOPS_DEFINE_STORAGE(BFloat16)
#undef REIDOPS_DEFINE_STORAGE

}  // namespace projected_xcorr_kernels
}  // namespace reidops::REIDOPS_ISA
