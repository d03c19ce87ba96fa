// feature_sign.h - the line search of feature-sign search (Lee, Battle, Raina, Ng, NIPS 2007), the paper's solver.
//
// Between the weights and the optimum of the active set with its signs held, the objective is looked at wherever a
// weight is zero, and at the end; the best of these points is taken.  (The default solver stops at the first of them.)
#pragma once

#include "residual.h"

namespace reidops::REIDOPS_ISA {

template <class T>
struct Step {
  T reach;     // how far towards the target, in (0, 1]
  int leaver;  // whose weight is zero there, -1: nobody's
};

template <class T>
struct Members {
  const int32_t* index;
  const T* weight;
  const T* target;
  const T* sign;
  int size;
};

// With d = target - w along the way w + a d,
//     ||x - Y(w + a d)||^2 = ||x - Yw||^2 - 2a d.r_A + a^2 d.G_AA d.
template <class T>
Step<T> best_crossing(const Column<T>& column, const Members<T>& m) {
  const auto absolute = [](T w) { return w < 0 ? -w : w; };
  T slope = 0, curve = 0;
  for (int p = 0; p < m.size; ++p) {
    const T* row = column.row(m.index[p]);
    T r = column.correlation[m.index[p]], moved = 0;
    for (int q = 0; q < m.size; ++q) {
      r -= row[m.index[q]] * m.weight[q];
      moved += row[m.index[q]] * (m.target[q] - m.weight[q]);
    }
    slope += (m.target[p] - m.weight[p]) * r;
    curve += (m.target[p] - m.weight[p]) * moved;
  }

  Step<T> best{1, -1};
  T best_value = 0;
  for (int k = -1; k < m.size; ++k) {
    const T reach = k < 0 ? T(1) : crossing(m.weight[k], m.target[k], m.sign[k]);
    if (reach > 1) continue;
    T l1 = 0;
    for (int p = 0; p < m.size; ++p)
      l1 += (p == k ? T(0) : absolute(m.weight[p] + reach * (m.target[p] - m.weight[p]))) - absolute(m.weight[p]);
    const T value = reach * (reach * curve - 2 * slope) + 2 * column.t * l1;
    if (k < 0 || value < best_value) best = {reach, k}, best_value = value;
  }
  return best;
}

}  // namespace reidops::REIDOPS_ISA
