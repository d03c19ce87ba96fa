// memory.h - what the calls of every operator share: operands and results in heap buffers of their exact size, and the
// counts of calls and failures.
//
// An operator's calls are in the file of its name; memory.cpp has main.
#pragma once

#include <cstdint>
#include <memory>

#include "common/half.h"

// The kernels' functions of one instruction set.
namespace reidops::REIDOPS_TESTED {}
namespace tested = reidops::REIDOPS_TESTED;

inline int failures = 0, calls = 0;

// Exactly `count` elements on the heap: a vector may have room for more.
template <class S>
class Exact {
 public:
  explicit Exact(int64_t count, double value = 0) : count_(count), data_(new S[size_t(count)]) {
    for (int64_t i = 0; i < count; ++i) set(i, value);
  }
  void set(int64_t i, double value) { reidops::narrow(typename reidops::Computing<S>::Type(value), data_[i]); }
  double operator[](int64_t i) const { return double(reidops::widen(data_[i])); }
  S* get() { return data_.get(); }
  int64_t size() const { return count_; }

 private:
  int64_t count_;
  std::unique_ptr<S[]> data_;
};

void test_affine_sample();
void test_depthwise_xcorr();  // and projected_xcorr, on the same maps
void test_large_templates();   // of depthwise_xcorr
void test_channel_product();
void test_weighted_sums();
void test_sparse_reconstruct();
