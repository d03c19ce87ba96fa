// weighted_sums.h - sums of maps' locations by weights that are mostly zeros, compiled once for every instruction set.
//
// The zeros are left out once, not once per channel: a block of rows has lists of its weights, and all channels go by.
// A few channels of one map's locations, the panel, lie in the nearer caches meanwhile.  A sum is made map by map, in
// the order of the locations, the even and the odd numbers of a list apart.
#pragma once

#include "panel.h"
#include "problem.h"

namespace reidops::REIDOPS_ISA {

template <class T>
class Summer {
  using Sums = channel_product::Sums<T>;
  static constexpr int kVectors = kVectorBytes == 64 ? 8 : 4;         // of a row: twice as many fit the registers
  static constexpr int64_t kChannels = kVectors * Lanes<T>::kCount;  // of a panel
  static constexpr int64_t kRows = 128;                              // that are summed together
  static constexpr int64_t kTogether = 64;                           // whose weights are read together
  static constexpr int64_t kColumns = 1024;  // of weights whose lists are held at once, or those of one map

  struct Entry {
    T weight;
    int32_t location;
  };

 public:
  explicit Summer(const Sums& s) : s_(s), J_(s.maps.size), blocks_((s.C + kChannels - 1) / kChannels) {}

  int64_t numbers_laid_out() const { return s_.B * blocks_ * J_ * kChannels; }
  int64_t tasks() const { return (s_.A * s_.I + kRows - 1) / kRows; }

  // Map b: panels of all its locations, one after another, filled up with zeros.
  void lay_out(int64_t begin, int64_t end) const {
    channel_product::Side<T> turned = s_.maps;  // locations take the place of channels
    std::swap(turned.channel, turned.location);
    for (int64_t b = begin; b < end; ++b)
      for (int64_t k = 0; k < blocks_; ++k) {
        const int64_t channel = k * kChannels, count = std::min(kChannels, s_.C - channel);
        T* const to = panel(b, k);
        if (count < kChannels) std::memset(to, 0, size_t(J_ * kChannels) * sizeof(T));
        lay_out_locations<T, true>(turned, s_.maps.data + b * s_.maps.map + channel * s_.maps.channel, J_, count, to,
                                   kChannels);
      }
  }

  void sum(int64_t begin, int64_t end) {
    const int64_t maps = std::clamp<int64_t>(kColumns / std::max<int64_t>(1, J_), 1, std::max<int64_t>(1, s_.B));
    sums_ = sum_memory_.reserve(blocks_ * kRows * kChannels);
    entries_ = entry_memory_.reserve(kRows * maps * J_);
    ends_ = end_memory_.reserve(kRows * maps);
    copied_ = copy_memory_.reserve(J_ * kTogether);
    for (int64_t task = begin; task < end; ++task) {
      const int64_t first = task * kRows, rows = std::min(kRows, s_.A * s_.I - first);
      std::memset(sums_, 0, size_t(blocks_ * kRows * kChannels) * sizeof(T));
      for (int64_t b = 0; b < s_.B; b += maps) {
        const int64_t some = std::min(maps, s_.B - b);
        list(first, rows, b, some);
        for (int64_t k = 0; k < blocks_; ++k) add(rows, b, some, k);
      }
      put(first, rows);
    }
  }

 private:
  // The weights of maps [b, b + some) that are not zero, map by map and row by row; ends_ says where each list ends.
  // An entry is written for every weight and kept if it is not zero, so no more than there are weights are touched.
  // Weights of rows that lie side by side are copied first: one by one, each would be far from the next.
  void list(int64_t first, int64_t rows, int64_t b, int64_t some) {
    const bool side_by_side = s_.row == 1 && s_.column != 1;
    Entry* to = entries_;
    int64_t* ends = ends_;
    for (int64_t m = b; m < b + some; ++m)
      for (int64_t r = 0; r < rows;) {
        const int64_t a = (first + r) / s_.I, i = (first + r) % s_.I, together = std::min({kTogether, rows - r, s_.I - i});
        const T* from = s_.weights + a * s_.map + i * s_.row + m * s_.of;
        int64_t row = s_.row, column = s_.column;
        if (side_by_side) {
          for (int64_t j = 0; j < J_; ++j)
            std::memcpy(copied_ + j * kTogether, from + j * column, size_t(together) * sizeof(T));
          from = copied_, row = 1, column = kTogether;
        }
        for (int64_t q = 0; q < together; ++q, from += row) {
          for (int64_t j = 0; j < J_; ++j) {
            *to = {from[j * column], int32_t(j)};
            to += to->weight != 0;
          }
          *ends++ = to - entries_;
        }
        r += together;
      }
  }

  // To the sums of block k of channels.
  void add(int64_t rows, int64_t b, int64_t some, int64_t k) const {
    const Entry* from = entries_;
    const int64_t* end = ends_;
    for (int64_t m = b; m < b + some; ++m) {
      const T* const locations = panel(m, k);
      T* sums = sums_ + k * kRows * kChannels;
      for (int64_t r = 0; r < rows; ++r, sums += kChannels, ++end) {
        const Entry* const to = entries_ + *end;
        add_list(from, to, locations, sums);
        from = to;
      }
    }
  }

  static void add_list(const Entry* from, const Entry* to, const T* locations, T* sums) {
    constexpr int64_t kLanes = Lanes<T>::kCount;
    Vector<T> even[kVectors], odd[kVectors] = {};
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) even[v] = load(sums + v * kLanes);
    for (; from + 1 < to; from += 2) {
      const T *const a = locations + from[0].location * kChannels, *const b = locations + from[1].location * kChannels;
      const Vector<T> p = from[0].weight - Vector<T>{}, q = from[1].weight - Vector<T>{};  // in all lanes
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) even[v] = fused(p, load(a + v * kLanes), even[v]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) odd[v] = fused(q, load(b + v * kLanes), odd[v]);
    }
    if (from < to) {
      const Vector<T> p = from->weight - Vector<T>{};
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v)
        even[v] = fused(p, load(locations + from->location * kChannels + v * kLanes), even[v]);
    }
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) store(sums + v * kLanes, even[v] + odd[v]);
  }

  // Rows [first, first + rows) of the result, those of one map after another.
  void put(int64_t first, int64_t rows) const {
    for (int64_t r = 0; r < rows;) {
      const int64_t a = (first + r) / s_.I, i = (first + r) % s_.I, some = std::min(rows - r, s_.I - i);
      for (int64_t k = 0; k < blocks_; ++k) {
        const channel_product::Side<T> sums{nullptr, 1, some, 0, 1, kChannels};
        const int64_t channel = k * kChannels, count = std::min(kChannels, s_.C - channel);
        lay_out_locations<T, false>(sums, sums_ + (k * kRows + r) * kChannels, count, some,
                                    s_.out + (a * s_.C + channel) * s_.I + i, s_.I);
      }
      r += some;
    }
  }

  T* panel(int64_t b, int64_t k) const { return s_.laid_out + (b * blocks_ + k) * J_ * kChannels; }

  const Sums& s_;
  const int64_t J_, blocks_;
  Buffer<T> sum_memory_, copy_memory_;
  Buffer<Entry> entry_memory_;
  Buffer<int64_t> end_memory_;
  T *sums_ = nullptr, *copied_ = nullptr;
  Entry* entries_ = nullptr;
  int64_t* ends_ = nullptr;
};

namespace channel_product_kernels {

#define REIDOPS_DEFINE_TYPE(T)                                                                            \
  int64_t numbers_laid_out(const channel_product::Sums<T>& s) { return Summer<T>(s).numbers_laid_out(); } \
  int64_t sum_tasks(const channel_product::Sums<T>& s) { return Summer<T>(s).tasks(); }                   \
  void lay_out_maps(const channel_product::Sums<T>& s, int64_t begin, int64_t end) {                      \
    Summer<T>(s).lay_out(begin, end);                                                                     \
  }                                                                                                       \
  void sum(const channel_product::Sums<T>& s, int64_t begin, int64_t end) { Summer<T>(s).sum(begin, end); }
REIDOPS_DEFINE_TYPE(float)
REIDOPS_DEFINE_TYPE(double)
#undef REIDOPS_DEFINE_TYPE

}  // namespace channel_product_kernels
}  // namespace reidops::REIDOPS_ISA
