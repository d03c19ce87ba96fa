// ways.h - which channels go side by side (correlator.h) and which one by one (by_plane.h): from sizes alone.
#pragma once

#include "by_fft.h"
#include "correlator.h"

namespace reidops::REIDOPS_ISA {

// The first channels of a problem, and the rest; or all of it by Fourier transforms (by_fft.h), whatever the batch is.
//
// The unit of a cost is a register's multiplications and additions; what stands beside their number was fitted to
// timings of a thousand shapes with AVX-512 and AVX2.
template <class S>
struct Ways {
  using Problem = depthwise_xcorr::Problem<S>;
  static constexpr int kLanes = kRun<typename Problem::T>;
  Problem side_by_side, by_plane;
  bool by_fft;  // all of it

  explicit Ways(const Problem& p) : side_by_side(p), by_plane(p) {
    const int64_t whole = p.C / kLanes * kLanes;
    const double of_block = block_cost(p), of_plane = plane_cost(p), direct = std::min(of_plane, of_block / kLanes);
    by_fft = ByFft<S>::cost(p, direct) < direct;
    // A block's memory is made ready once.
    const double once = 25 * double(p.H) * double(p.w + p.kw) / double(std::max<int64_t>(1, p.outputs.size));
    const double none = of_plane * double(p.C), all = once + of_block * double((p.C + kLanes - 1) / kLanes);
    const double some = once + of_block * double(whole / kLanes) + of_plane * double(p.C - whole);
    const int64_t first = none <= some && none <= all ? 0 : some <= all ? whole : p.C;
    side_by_side.C = first, by_plane.C = p.C - first;
    by_plane.search += first * p.of_search.channel;
    by_plane.templ += first * p.of_template.channel;
    by_plane.out += first * p.of_out.channel;
  }

 private:
  // An output of a register's channels: pixels are turned from planes and back, or copied.
  static double block_cost(const Problem& p) {
    const double of_map = double(p.H) * double(p.W), of_out = double(p.h) * double(p.w);
    const double pixel = p.of_search.channel == 1 ? 22 : 26, sums = double(p.sums.size);
    return sums * (of_out * double(p.kh) * double(p.kw) + pixel * of_map) + pixel * of_out;
  }
  // Of one channel: rows are copied, or fetched pixel by pixel where these do not follow one another.
  static double plane_cost(const Problem& p) {
    const double rows = double(std::min(p.H, p.h + p.kh - 1)), columns = double(std::min(p.W, p.w + p.kw - 1));
    const double of_map = (14.0 / kLanes + stride_cost(p.of_search.column)) * rows * columns;
    const double of_out = (14.0 / kLanes + stride_cost(p.of_out.column)) * double(p.h) * double(p.w);
    return double(p.sums.size) * (double(p.h) * ByPlane<S>::row_cost(p) + of_map) + of_out + 500;
  }
  // The further apart pixels lie, the fewer of those that come along are of use.
  static double stride_cost(int64_t stride) { return stride == 1 ? 0 : 0.6 * double(std::min<int64_t>(stride, 16)); }
};

}  // namespace reidops::REIDOPS_ISA
