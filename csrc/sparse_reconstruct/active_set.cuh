// active_set.cuh - the lasso of one column by an active set of at most 32 atoms, one warp a column, one lane an atom.
//
// Lane p holds the p-th active atom: its weight, its sign and row p of the inverse of G_AA (inverse.cuh).  What all
// lanes must see (a vector over the set) goes through 32 elements of shared memory and is read four at a time.
//
//   join j:   u = G_AA^-1 g,  g = G_Aj,  S = G_jj - g.u  (squared distance of y_j from the span of the active atoms)
//             G_AA^-1 += (u, -1)(u, -1)' / S
//   move:     d = G_AA^-1 (r_A - t s), for then G_AA d takes r_A to t s; as far as no weight changes its sign
//   leave p:  G_AA^-1 -= v v' / v_p,  v the p-th column
//
// Up to four violators join before a move.  With d for those that have joined, r_j - g.d is what the move would leave
// of the next one's r_j: it joins where that still violates, and d grows by (u, -1) (t s_j - (r_j - g.d)) / S.
//
// r = c - G w of all atoms is computed afresh from c and the active rows after every move, and the next move starts
// from it: what rounding leaves in the inverse costs a little speed and never accuracy.
#pragma once

#include "column.cuh"
#include "inverse.cuh"

namespace reidops::sparse_reconstruct {

// A warp's shared memory: vectors over the active set, and the place of its column, which would otherwise hold on to
// registers while the solver runs.
template <class T>
struct alignas(16) Scratch {
  T x[kCapacity];
  T y[kCapacity];
  int atom[kCapacity];
  int row, last, g;
  T energy;   // ||x||^2
  T largest;  // energy of the dictionary's largest atom
};

template <class T, int kRounds, class Stored = T>
class ActiveSet {
 public:
  __device__ __forceinline__ ActiveSet(const Column<T, kRounds, Stored>& column, Scratch<T>& scratch)
      : column_(column), scratch_(scratch) {
    scratch_.atom[lane_index()] = 0;
  }

  // Minimises, from w = 0 and r = c, until the certificate reaches the tolerance; false where it has not: the set is
  // full, or `max_iterations` moves were made, or rounding allows no more.
  __device__ __forceinline__ bool solve(LaneVector<T, kRounds>& r, T tolerance, int max_iterations, bool feature_sign,
                                        Sums<T>& sums) {
#pragma unroll 1
    for (int moves = 0, idle = 0;;) {
      const Peak<T> peak = lane_peak(r);
      const T worst = warp_max_nonnegative(peak.size());
      if (may_be_certified(worst, tolerance) && certified(r, worst, tolerance, sums)) return true;
      if (moves >= max_iterations) return false;

      T excess = 0, step = 0;
      if (join_violators(peak, worst, excess, step)) {
        idle = 0;
      } else {  // no atom is missing: take out what the inverse has drifted
        if (++idle > kPolishes) return false;
        excess = look_up(r) - column_.t * sign_;
        step = apply_inverse(excess);
      }
      moves = move(step, excess, feature_sign, moves, max_iterations);
      refresh(r);
    }
  }

  // w over all atoms.
  __device__ __forceinline__ void scatter(LaneVector<T, kRounds>& w) {
    fill(w, T(0));
    for (int p = 0; p < size_; ++p) {
      const int atom = __shfl_sync(kAllLanes, atom_, p);
      const T value = __shfl_sync(kAllLanes, w_, p);
#pragma unroll
      for (int i = 0; i < w.rounds(); ++i)
#pragma unroll
        for (int k = 0; k < 4; ++k)
          w.at(i, k) = atom == atom_of(i, lane_index(), k) ? value : w.at(i, k);
    }
  }

 private:
  static constexpr T kSlack = sizeof(T) == 4 ? T(1e-6) : T(1e-14);  // what rounding alone makes a violation
  static constexpr int kPolishes = 3;
  static constexpr int kJoins = 4;       // before a move
  static constexpr T kShare = T(0.125);  // of the worst violation, that another one has to be

  __device__ __forceinline__ bool used() const { return lane_index() < size_; }
  __device__ __forceinline__ bool holds(int atom) const {
    return __any_sync(kAllLanes, used() && atom_ == atom);
  }

  // r of this lane's own atom.
  __device__ __forceinline__ T look_up(LaneVector<T, kRounds>& r) const {
    const T gathered = gather(r, atom_);
    return used() ? gathered : T(0);
  }

  // The relative gap is no less than (1 - t / r_max)^2.
  __device__ __forceinline__ bool may_be_certified(T r_max, T tolerance) const {
    const T over = r_max - column_.t;
    return over <= T(0) || over * over <= tolerance * (r_max * r_max);
  }

  __device__ __forceinline__ bool certified(LaneVector<T, kRounds>& r, T r_max, T tolerance, Sums<T>& sums) const {
    sums.wc = used() ? w_ * column_.correlation[atom_] : T(0);
    sums.wr = w_ * look_up(r);
    sums.l1 = w_ < T(0) ? -w_ : w_;
    sums.r_max = r_max;
    sums = warp_sums(sums);
    return certify(expanded_error(*column_.energy, sums), sums, column_.t).gap <= tolerance;
  }

  // G_AA^-1 v, v given by its elements.
  __device__ __forceinline__ T apply_inverse(T v) {
    scratch_.x[lane_index()] = v;
    __syncwarp();
    const T sum = inverse_.product(size_, scratch_.x);
    __syncwarp();
    return sum;
  }

  // Takes in the worst violator, and others that the move would leave as violators, no two of one lane's atoms: these
  // are neighbours in a map, and alike.  False where there is none to take, or no room.  `excess` and `step` become
  // r_A - t s, which is zero for those that were there before, and G_AA^-1 excess.
  __device__ __forceinline__ bool join_violators(Peak<T> mine, T worst, T& excess, T& step) {
    const T t = column_.t, share = kShare * (worst - t), slack = kSlack * t, least = share > slack ? share : slack;
    int n = 0;
#pragma unroll 1
    for (bool apart = true; apart && n < kJoins; ++n) {
      const T size = warp_max_nonnegative(mine.size());
      if (!(size - t > least)) break;
      const int owner = __ffs(static_cast<int>(__ballot_sync(kAllLanes, mine.size() == size))) - 1;
      const int atom = __shfl_sync(kAllLanes, mine.atom, owner);
      const T value = __shfl_sync(kAllLanes, mine.value, owner);
      if (lane_index() == owner) mine.value = 0;
      const T energy = column_.energy_of(atom);
      if (size_ == kCapacity || holds(atom) || !(energy > T(0))) break;

      const T g = used() ? T(column_.row(atom)[atom_]) : T(0);
      const T left = value - warp_sum(g * step);
      if ((value < T(0) ? -left : left) - t > least) apart = join({value, atom}, left, g, energy, n == 0, excess, step);
    }
    return n > 0;
  }

  // Takes the atom in, with weight zero; g = G_Aj, and `left` is what the step as it is would leave of its r_j.
  //
  // An atom in the span of the others has S = 0.  It joins only where it is the `first`, false is returned, and no other
  // joins: it is treated as if it stood a little out of the span.  The move then is long, along a line on which the
  // reconstruction hardly changes and |w|_1 falls, and ends where another one leaves.
  __device__ __forceinline__ bool join(Peak<T> joining, T left, T g, T energy, bool first, T& excess, T& step) {
    scratch_.x[lane_index()] = g;
    __syncwarp();
    T u = inverse_.product(size_, scratch_.x);
    // In a rounded Gram, S below its roundings says nothing.
    const T floor = column_.kRounded ? T(2 * unit_roundoff<Stored>()) : pivot_floor<T>();
    const T lowest = floor * energy, s = energy - warp_sum(g * u);
    const bool apart = s > lowest;
    if (!apart && !first) {
      __syncwarp();
      return false;
    }

    const T sign = joining.value < T(0) ? T(-1) : T(1), threshold = column_.t * sign;
    if (lane_index() == size_) {
      scratch_.atom[lane_index()] = atom_ = joining.atom;
      sign_ = sign;
      excess = joining.value - threshold;
      u = -1;
    }
    ++size_;
    scratch_.y[lane_index()] = u;
    __syncwarp();
    const T scale = u * (T(1) / (apart ? s : lowest));
    inverse_.grow(size_, scale, scratch_.y);
    step += scale * (threshold - left);
    return apart;
  }

  // Goes along `step`, through as many changes of sign as there are on the way; G_AA step = excess = r_A - t s.
  __device__ __forceinline__ int move(T step, T excess, bool feature_sign, int moves, int max_iterations) {
#pragma unroll 1
    while (moves++ < max_iterations) {
      const T target = w_ + step;
      T until = 1;
      if (__any_sync(kAllLanes, target * sign_ < T(0))) {
        until = crossing(w_, target, sign_);
        until = until < T(0) ? T(0) : until < T(1) ? until : T(1);
      }
      if (!__any_sync(kAllLanes, until < T(1))) {
        w_ = target;
        break;
      }
      const T reach = feature_sign ? search(until, step, excess) : warp_min_nonnegative(until);
      w_ += reach * step;
      excess -= reach * excess;
      if (until < reach) excess += 2 * column_.t * sign_, sign_ = -sign_;
      const bool arrived = until == reach && reach < T(1);
      if (arrived) w_ = 0;
      const unsigned leavers = __ballot_sync(kAllLanes, arrived);
      if (leavers != 0) leave(__ffs(static_cast<int>(leavers)) - 1, excess);
      step = apply_inverse(excess);
    }
    return moves;
  }

  // The line search of feature-sign search: of the step's end and the points on it where a weight is zero, the one with
  // the lowest objective.  Every lane values the point at its own `until`; d'G_AA d = d . excess.
  __device__ __forceinline__ T search(T until, T step, T excess) {
    const T slope = warp_sum(step * (excess + column_.t * sign_)), curve = warp_sum(step * excess);
    __syncwarp();  // a join may still be read
    scratch_.x[lane_index()] = w_;
    scratch_.y[lane_index()] = step;
    __syncwarp();
    T l1 = 0;
#pragma unroll 1
    for (int q = 0; q < size_; ++q) {
      const T w = scratch_.x[q] + until * scratch_.y[q];
      l1 += w < T(0) ? -w : w;
    }
    __syncwarp();
    const T value = until * (until * curve - 2 * slope) + 2 * column_.t * l1;
    const T lowest = warp_min(value);
    const unsigned best = __ballot_sync(kAllLanes, value == lowest);
    return __shfl_sync(kAllLanes, until, best != 0 ? __ffs(static_cast<int>(best)) - 1 : 0);
  }

  // The p-th member leaves, and the last one takes its slot.
  __device__ __forceinline__ void leave(int p, T& excess) {
    __syncwarp();  // a join may still be read
    inverse_.leave(p, size_, scratch_.x, scratch_.y);
    const int last = --size_, source = lane_index() == p ? last : lane_index();
    atom_ = __shfl_sync(kAllLanes, atom_, source);
    sign_ = __shfl_sync(kAllLanes, sign_, source);
    w_ = __shfl_sync(kAllLanes, w_, source);
    excess = __shfl_sync(kAllLanes, excess, source);
    if (lane_index() == p) scratch_.atom[p] = atom_;
    if (lane_index() == last) w_ = sign_ = excess = 0;
  }

  // r = c - G w from scratch.
  __device__ __forceinline__ void refresh(LaneVector<T, kRounds>& r) {
    scratch_.x[lane_index()] = w_;
    __syncwarp();
#pragma unroll
    for (int i = 0; i < r.rounds(); ++i) {
      Four<T> rest = correlation_at(column_, i);
#pragma unroll 1
      for (int q = 0; q < size_; q += 4) {  // a slot that is free has weight zero
        const Four<T> w = load_four(scratch_.x + q);
        const Four<int> atom = load_four(scratch_.atom + q);
#pragma unroll
        for (int n = 0; n < 4; ++n) {
          const Four<T> g = gram_at(column_, atom.at[n], i);
#pragma unroll
          for (int k = 0; k < 4; ++k) rest.at[k] -= w.at[n] * g.at[k];
        }
      }
#pragma unroll
      for (int k = 0; k < 4; ++k) r.at(i, k) = rest.at[k];
    }
    __syncwarp();
  }

  const Column<T, kRounds, Stored>& column_;
  Scratch<T>& scratch_;
  int size_ = 0;  // slots that are used: the first ones, and the same number in all lanes
  int atom_ = 0;  // this lane's own; weight and sign are zero where it has none
  T w_ = 0, sign_ = 0;
  LaneInverse<T> inverse_;
};

}  // namespace reidops::sparse_reconstruct
