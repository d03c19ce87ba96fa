// ways.h - which channels go side by side (correlator.h) and which one by one (by_plane.h): from sizes alone.
#pragma once

#include "by_fft.h"
#include "correlator.h"

namespace reidops::REIDOPS_ISA {

// The first channels of a problem, and the rest.  The unit of a cost is a register's multiplications and additions;
// what stands beside their number was fitted to timings.  Outputs are the same bits either way, unless taps are side by
// side, for they are summed in the same order.
template <class S>
struct Ways {
  using Problem = depthwise_xcorr::Problem<S>;
  static constexpr int kLanes = kRun<typename Problem::T>;
  Problem side_by_side, by_plane;
  bool by_fft;  // all of it

  explicit Ways(const Problem& p) : side_by_side(p), by_plane(p) {
    const int64_t whole = p.C / kLanes * kLanes;
    const double outputs = double(p.outputs.size);
    const double of_block = outputs * block_cost(p), of_plane = outputs * plane_cost(p), once = 25 * double(p.H) * double(p.w + p.kw);
    const double none = of_plane * double(p.C), all = once + of_block * double((p.C + kLanes - 1) / kLanes);
    const double some = once + of_block * double(whole / kLanes) + of_plane * double(p.C - whole);
    const int64_t first = none <= some && none <= all ? 0 : some <= all ? whole : p.C;
    by_fft = std::min({none, some, all}) > outputs * ByFft<S>::cost(p) * double(p.C);
    side_by_side.C = first, by_plane.C = p.C - first;
    by_plane.search += first * p.of_search.channel;
    by_plane.templ += first * p.of_template.channel;
    by_plane.out += first * p.of_out.channel;
  }

 private:
  // A register's channels: pixels of both maps are turned from planes to pixels and back, or copied.
  static double block_cost(const Problem& p) {
    const double pixels = double(p.H) * double(p.W) + double(p.h) * double(p.w);
    return double(p.h) * double(p.kh) * double(p.w) * double(p.kw) + (p.of_search.channel == 1 ? 22 : 26) * pixels;
  }
  // One channel: rows are copied, or fetched pixel by pixel where these do not follow one another.
  static double plane_cost(const Problem& p) {
    const double of_map = double(p.H) * double(p.W), of_out = double(p.h) * double(p.w);
    const double apart = stride_cost(p.of_search.column) * of_map + stride_cost(p.of_out.column) * of_out;
    return double(p.h) * ByPlane<S>::row_cost(p) + 14 * (of_map + of_out) / kLanes + apart + 500;
  }
  // The further apart pixels lie, the fewer of those that come along are of use.
  static double stride_cost(int64_t stride) { return stride == 1 ? 0 : 0.6 * double(std::min<int64_t>(stride, 16)); }
};

}  // namespace reidops::REIDOPS_ISA
