// sparse_reconstruct.cuh - the CUDA kernel: a warp solves a column from its correlations to its certificate.
//
// A block takes one dictionary and a run of columns.  A warp that is done with a column takes the next that nobody has.
// The Gram of up to 128 float atoms is first copied to shared memory, so that every row of it is read from there.
// Nothing is shared between columns and nothing is added up across warps: the result does not depend on the launch.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "../common/launch.h"
#include "../common/preload.h"
#include "../common/warp.cuh"
#include "active_set.cuh"
#include "column.cuh"
#include "coordinate_descent.cuh"
#include "data.cuh"
#include "in_double.cuh"
#include "problem.h"

namespace reidops::sparse_reconstruct {

// Threads of a block and blocks of a multiprocessor: as many warps as the registers of a column allow without a spill
// (docs/gpu/sparse_reconstruct.md).  Where the Gram is staged, one block has all 24 of them: two blocks would need two
// copies of the Gram, more than the 100 KB that a small GPU's multiprocessor has.
template <class T, int kRounds>
struct Shape {
  static constexpr bool kStaged = Column<T, kRounds>::kStaged;
  static constexpr int kThreads = kStaged ? 768 : 128;
  static constexpr int kWarps = kThreads / kWarp;
  static constexpr int blocks() {
    if (kStaged) return 1;
    if (sizeof(T) == 4) return kRounds <= 2 ? 4 : 3;
    return kRounds == 1 ? 3 : 2;
  }
};

// What the kernel needs beyond the problem itself.
template <class T>
struct Plan {
  int gram_stride;  // of the Gram's rows: M rounded up to 4, zero beyond M
  T* memory;        // kLaneVectors vectors for every warp of the grid, where registers do not hold them
  T t;              // beta / 2
  int fours;        // M where every column's correlations can be read 16 bytes at a time, else 0
  int run;          // columns that a block solves against one dictionary
  T rounding;       // relative, of c and G; that of float64 is left out: some 1e-12 of a gap
};

inline constexpr int kLaneVectors = 3;

// Copies a Gram to shared memory, every row one round long.
template <class T>
__device__ __forceinline__ void stage(const T* gram, int atoms, int stride, T* staged) {
#pragma unroll 1
  for (int i = static_cast<int>(threadIdx.x); i < atoms * kWarp; i += static_cast<int>(blockDim.x)) {
    const int row = i / kWarp, first = i % kWarp * 4;
    *reinterpret_cast<Four<T>*>(staged + row * kRoundAtoms + first) =
        first < stride ? load_four(gram + row * stride + first) : Four<T>{};
  }
}

// Copies a column's correlations to the warp's shared memory.
template <class T, int kRounds>
__device__ __forceinline__ const T* copy_correlation(const T* correlation, int atoms, int fours, T* shared) {
#pragma unroll
  for (int i = 0; i < kRounds; ++i) {
    const int first = atom_of(i, lane_index(), 0);
    *reinterpret_cast<Four<T>*>(shared + first) = load_padded(correlation, first, atoms, fours);
  }
  __syncwarp();
  return shared;
}

// The rest of the tolerance is for rounding.
template <class T>
__device__ __forceinline__ T inner_tolerance(const Problem<T>& p) {
  return p.tolerance * T(0.9375);
}

// Solves the column that the scratch names and writes what is asked for.
template <class T, int kRounds>
__device__ __forceinline__ void solve_column(const Problem<T>& p, const Plan<T>& plan, const T* gram,
                                             Scratch<T>& scratch, T* memory) {
  const int rounds = rounds_of(p.M);
  Column<T, kRounds> column;
  column.gram = gram;
  column.gram_stride = plan.gram_stride;
  column.correlation = p.correlation + scratch.row * p.correlation_stride[0] + scratch.g * p.correlation_stride[1];
  if constexpr (kRounds != kInMemory) {
    column.correlation = copy_correlation<T, kRounds>(column.correlation, static_cast<int>(p.M), plan.fours, memory);
  }
  column.fours = plan.fours;
  column.atoms = static_cast<int>(p.M);
  if (lane_index() == 0)
    scratch.energy = p.energy[scratch.row * p.energy_stride[0] + scratch.g * p.energy_stride[1]];
  __syncwarp();
  column.energy = &scratch.energy;
  column.t = plan.t;

  LaneVector<T, kRounds> r(memory, 0, rounds), w(memory, 1, rounds);
  load_correlation(column, r);
  Sums<T> sums;
  T error;
  if (__all_sync(kAllLanes, *column.energy * 0 + zero_if_finite(r) == T(0))) {
    bool certified = false;
    if (p.solver == Solver::kCoordinateDescent) {
      fill(w, T(0));
    } else {
      ActiveSet<T, kRounds> set(column, scratch);
      certified = set.solve(r, inner_tolerance(p), p.max_iterations, p.solver == Solver::kFeatureSign, sums);
      if (!certified || p.coefficients != nullptr || p.columns != nullptr) set.scatter(w);
    }
    if (!certified) {
      LaneVector<T, kRounds> reciprocal(memory, 2, rounds);
      sums = coordinate_descent(column, w, r, reciprocal, inner_tolerance(p), p.max_iterations);
    }
    error = expanded_error(*column.energy, sums);
    if (p.columns != nullptr && expansion_lost_digits(error, *column.energy, p.tolerance))
      error = error_from_data(p, scratch.row, scratch.g, w, [](int64_t, T) {});
  } else {
    sums.wr = error = std::numeric_limits<T>::quiet_NaN();
    fill(w, error);
  }

  const int64_t out = scratch.row * p.G + scratch.g;
  if (lane_index() == 0) {
    const T reach = std::sqrt(scratch.largest) * sums.l1;
    const Rounding<T> rounding = rounding_of_gram_form(*column.energy, scratch.largest, reach, plan.rounding);
    const Certificate<T> certificate = certify(error, sums, column.t, rounding);
    p.error[out] = certificate.error;
    p.gap[out] = certificate.gap;
  }
  if (p.coefficients != nullptr) write_coefficients(p.coefficients + out * p.M, column.atoms, w);
}

// The warp's next column into its scratch; false where the run has no more.
template <class T>
__device__ __forceinline__ bool take_column(Scratch<T>& scratch, int* next) {
  __syncwarp();
  if (lane_index() == 0) scratch.row = atomicAdd(next, 1);
  __syncwarp();
  return scratch.row < scratch.last;
}

template <class T, int kRounds>
__global__ void __launch_bounds__(Shape<T, kRounds>::kThreads, Shape<T, kRounds>::blocks())
    sparse_reconstruct_kernel(const Problem<T> p, const Plan<T> plan) {
  using S = Shape<T, kRounds>;
  Scratch<T>* scratches = dynamic_shared<Scratch<T>>();
  Scratch<T>& scratch = scratches[warp_index()];
  T* correlations = reinterpret_cast<T*>(scratches + S::kWarps);
  T* staged = correlations + S::kWarps * kRounds * kRoundAtoms;
  int* next = reinterpret_cast<int*>(staged + (S::kStaged ? kRoundAtoms * p.M : 0));  // the column to be taken next
  T* memory = correlations + warp_index() * kRounds * kRoundAtoms;
  if constexpr (kRounds == kInMemory) {
    memory = plan.memory +
             (int64_t(blockIdx.x) * S::kWarps + warp_index()) * kLaneVectors * kRoundAtoms * rounds_of(p.M);
  }

  const int rows = static_cast<int>(p.R), runs = (rows + plan.run - 1) / plan.run;
  const unsigned items = static_cast<unsigned>(runs) * static_cast<unsigned>(p.G);
  for (unsigned item = blockIdx.x; item < items; item = kRounds == kInMemory ? item + gridDim.x : items) {
    const int g = static_cast<int>(item / runs), first = static_cast<int>(item % runs) * plan.run;
    const T* gram = p.gram + g * p.M * plan.gram_stride;
    if (threadIdx.x == 0) *next = first;
    if constexpr (S::kStaged) {
      stage(gram, static_cast<int>(p.M), plan.gram_stride, staged);
      gram = staged;
    }
    __syncthreads();
    const T largest = largest_energy(gram, static_cast<int>(p.M), S::kStaged ? kRoundAtoms : plan.gram_stride);
    if (lane_index() == 0) {
      scratch.g = g;
      scratch.last = min(first + plan.run, rows);
      scratch.largest = largest;
    }
#pragma unroll 1
    while (take_column(scratch, next)) solve_column<T, kRounds>(p, plan, gram, scratch, memory);
    if constexpr (kRounds == kInMemory) {
      __syncthreads();
    }
  }
}

// ---- launch --------------------------------------------------------------------------------------------------------

inline constexpr int64_t kBlocksWanted = 2048;  // some eight times what a large chip holds: the last few weigh little
inline constexpr int64_t kMostColumnsOfARun = 512;
inline constexpr int64_t kMostBlocksInMemory = 512;

// Shared memory of a block: of each warp, of the Gram of M atoms, and the column to be taken next.
template <class T, int kRounds>
std::size_t shared_bytes(int64_t M) {
  using S = Shape<T, kRounds>;
  const std::size_t of_a_warp = sizeof(Scratch<T>) + sizeof(T) * kRoundAtoms * kRounds;
  return of_a_warp * S::kWarps + (S::kStaged ? sizeof(T) * kRoundAtoms * M : 0) + sizeof(int);
}

template <class T, int kRounds>
void launch_rounds(const Problem<T>& p, Plan<T> plan, Stream stream) {
  using S = Shape<T, kRounds>;
  const int64_t columns = (p.R * p.G + kBlocksWanted - 1) / kBlocksWanted;
  const int64_t run = (columns + S::kWarps - 1) / S::kWarps * S::kWarps;
  plan.run = static_cast<int>(std::clamp<int64_t>(run, S::kWarps, kMostColumnsOfARun));
  int64_t blocks = p.G * ((p.R + plan.run - 1) / plan.run);
  if (kRounds == kInMemory) blocks = std::min(blocks, kMostBlocksInMemory);
  launch(sparse_reconstruct_kernel<T, kRounds>, dim3(static_cast<unsigned>(blocks)), dim3(S::kThreads),
         shared_bytes<T, kRounds>(p.M), stream, p, plan);
}

// Beyond 512 atoms a warp's vectors are in memory: in registers they would leave too few warps, or spill.
inline constexpr int kMostRounds = 4;

// Elements of memory that launch_sparse_reconstruct is to be given; its two passes have it one after the other.
template <class T>
int64_t memory_needed(const Problem<T>& p) {
  int64_t first = 0, second = 0;
  if (rounds_of(p.M) > kMostRounds) {
    const int64_t blocks = std::min(p.R * p.G, kMostBlocksInMemory);
    first = blocks * Shape<T, kInMemory>::kWarps * kLaneVectors * kRoundAtoms * rounds_of(p.M);
  }
  second = doubles_needed(p) * int64_t(sizeof(double) / sizeof(T));
  return std::max(first, second);
}

template <class T, int kRounds>
void load_rounds() {
  load(sparse_reconstruct_kernel<T, kRounds>, shared_bytes<T, kRounds>(kRoundAtoms * kRounds));
}

// Every kernel that launch_sparse_reconstruct<T> may launch.
template <class T>
void load_kernels() {
  load_rounds<T, 1>();
  load_rounds<T, 2>();
  load_rounds<T, 3>();
  load_rounds<T, kMostRounds>();
  load_rounds<T, kInMemory>();
  load(sparse_reconstruct_in_double_kernel<T>);
}

template <class T>
void launch_first_pass(const Problem<T>& p, const Plan<T>& plan, Stream stream) {
  switch (rounds_of(p.M)) {
    case 0:
    case 1: return launch_rounds<T, 1>(p, plan, stream);
    case 2: return launch_rounds<T, 2>(p, plan, stream);
    case 3: return launch_rounds<T, 3>(p, plan, stream);
    case 4: return launch_rounds<T, kMostRounds>(p, plan, stream);
    default: return launch_rounds<T, kInMemory>(p, plan, stream);
  }
}

// `p.gram` has rows of `gram_stride` elements, a multiple of 4, and starts on 16 bytes, as `memory` does.
template <class T>
void launch_sparse_reconstruct(const Problem<T>& p, int64_t gram_stride, T* memory, Stream stream) {
  if (p.R == 0 || p.G == 0) return;
  const bool aligned = reinterpret_cast<std::uintptr_t>(p.correlation) % 16 == 0 && p.M % 4 == 0 &&
                       p.correlation_stride[0] % 4 == 0 && p.correlation_stride[1] % 4 == 0;
  const int stride = static_cast<int>(gram_stride), fours = aligned ? static_cast<int>(p.M) : 0;
  const T rounding = sizeof(T) == sizeof(double) ? T(0) : T(relative_rounding<T>(p.d));
  launch_first_pass<T>(p, {stride, memory, p.beta / 2, fours, 0, rounding}, stream);
  launch_in_double(p, stride, reinterpret_cast<double*>(memory), stream);
}

}  // namespace reidops::sparse_reconstruct
