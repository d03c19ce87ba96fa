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
    const double of_block = block_cost(p), of_plane = plane_cost(p);
    const double none = of_plane * double(p.C), all = of_block * double((p.C + kLanes - 1) / kLanes);
    const double some = of_block * double(whole / kLanes) + of_plane * double(p.C - whole);
    const int64_t first = none <= some && none <= all ? 0 : some <= all ? whole : p.C;
    by_fft = std::min({none, some, all}) > ByFft<S>::cost(p) * double(p.C);
    side_by_side.C = first, by_plane.C = p.C - first;
    by_plane.search += first * p.of_search.channel;
    by_plane.templ += first * p.of_template.channel;
    by_plane.out += first * p.of_out.channel;
  }

 private:
  // A register's channels: every pixel of both maps is turned from planes to pixels or back, unless it lies so.
  static double block_cost(const Problem& p) {
    const double pixels = double(p.H) * double(p.W) + double(p.h) * double(p.w);
    return double(p.h) * double(p.kh) * double(p.w) * double(p.kw) + (p.of_search.channel == 1 ? 3 : 8) * pixels;
  }
  // One channel: pixels that do not follow one another are fetched one by one.
  static double plane_cost(const Problem& p) {
    const double registers = double(std::min(ByPlane<S>::along_cost(p), ByPlane<S>::across_cost(p)));
    const double apart = (p.of_search.column == 1 ? 0 : 2) * double(p.H) * double(p.W) +
                         (p.of_out.column == 1 ? 0 : 2) * double(p.h) * double(p.w);
    return 1.2 * double(p.h) * double(p.kh) * registers + 4 * double(p.H + p.h) + apart + 100;
  }
};

}  // namespace reidops::REIDOPS_ISA
