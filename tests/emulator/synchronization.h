// synchronization.h - CUDA's functions that wait for other threads: barriers, shuffles, votes, reductions.
#pragma once

#include <type_traits>

#include "collectives.h"

#define REIDOPS_HERE const reidops::emulator::Location& where = reidops::emulator::Location::current()

// ---- barriers ------------------------------------------------------------------------------------------------------

inline void __syncthreads(REIDOPS_HERE) { reidops::emulator::block_barrier("__syncthreads", false, where); }

inline int __syncthreads_count(int predicate, REIDOPS_HERE) {
  return reidops::emulator::block_barrier("__syncthreads_count", predicate != 0, where);
}
inline int __syncthreads_or(int predicate, REIDOPS_HERE) {
  return reidops::emulator::block_barrier("__syncthreads_or", predicate != 0, where) > 0;
}
inline int __syncthreads_and(int predicate, REIDOPS_HERE) {
  return reidops::emulator::block_barrier("__syncthreads_and", predicate == 0, where) == 0;
}

inline void __syncwarp(unsigned mask = 0xffffffffu, REIDOPS_HERE) {
  using namespace reidops::emulator;
  constexpr auto nothing = [](const Lanes&, const Call&, int) { return std::uint64_t{0}; };
  warp_collective({.name = "__syncwarp", .where = where, .mask = mask, .orders_memory = true, .result = nothing});
}

// Threads run one at a time, so what one has written the others see.
inline void __threadfence() {}
inline void __threadfence_block() {}

// ---- shuffles ------------------------------------------------------------------------------------------------------

namespace reidops::emulator {

// The lane that `lane` reads from.  A warp falls into segments of `width` lanes, and none is read across their border.
using Source = int (*)(int lane, int argument, int width);

inline int source_index(int lane, int index, int width) { return (lane & -width) + (index & (width - 1)); }
inline int source_up(int lane, int delta, int width) { return lane - delta < (lane & -width) ? lane : lane - delta; }
inline int source_down(int lane, int delta, int width) {
  return lane + delta >= (lane & -width) + width ? lane : lane + delta;
}
inline int source_xor(int lane, int bits, int width) {
  return (lane ^ bits) >= (lane & -width) + width ? lane : lane ^ bits;
}

template <Source source, class T>
T shuffle(const char* name, unsigned mask, T value, int argument, int width, const Location& where) {
  static_assert(std::is_arithmetic_v<T>, "CUDA shuffles integers and floating-point numbers");
  return bit_copy<T>(warp_collective({
      .name = name,
      .where = where,
      .value = bit_copy<std::uint64_t>(value),
      .mask = mask,
      .argument = argument,
      .width = width,
      .result =
          [](const Lanes& lanes, const Call& call, int lane) {
            const int from = source(lane, call.argument, call.width);
            return lanes.has(from) ? lanes.value[from] : ~std::uint64_t{0};  // undefined by CUDA: poison
          },
  }));
}

}  // namespace reidops::emulator

template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32, REIDOPS_HERE) {
  using namespace reidops::emulator;
  return shuffle<source_index>("__shfl_sync", mask, value, lane, width, where);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, REIDOPS_HERE) {
  using namespace reidops::emulator;
  return shuffle<source_up>("__shfl_up_sync", mask, value, static_cast<int>(delta), width, where);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, REIDOPS_HERE) {
  using namespace reidops::emulator;
  return shuffle<source_down>("__shfl_down_sync", mask, value, static_cast<int>(delta), width, where);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, REIDOPS_HERE) {
  using namespace reidops::emulator;
  return shuffle<source_xor>("__shfl_xor_sync", mask, value, bits, width, where);
}

// ---- reductions and votes ------------------------------------------------------------------------------------------

namespace reidops::emulator {

// Folds the values of all lanes that take part; every one of them gets the result.
template <auto operation, class T>
T reduce(const char* name, unsigned mask, T value, const Location& where) {
  return bit_copy<T>(warp_collective({
      .name = name,
      .where = where,
      .value = bit_copy<std::uint64_t>(value),
      .mask = mask,
      .result =
          [](const Lanes& lanes, const Call&, int) {
            int lane = __ffs(static_cast<int>(lanes.present)) - 1;
            T folded = bit_copy<T>(lanes.value[lane]);
            while (++lane < 32) {
              if (lanes.has(lane)) folded = operation(folded, bit_copy<T>(lanes.value[lane]));
            }
            return bit_copy<std::uint64_t>(folded);
          },
  }));
}

// A bit for each lane that takes part and votes.
inline unsigned ballot(const char* name, unsigned mask, bool vote, const Location& where) {
  constexpr auto collect = [](const Lanes& lanes, const Call&, int) {
    std::uint64_t votes = 0;
    for (int lane = 0; lane < 32; ++lane) votes |= lanes.value[lane] << lane;
    return votes;
  };
  return static_cast<unsigned>(
      warp_collective({.name = name, .where = where, .value = vote, .mask = mask, .result = collect}));
}

}  // namespace reidops::emulator

inline unsigned __ballot_sync(unsigned mask, int predicate, REIDOPS_HERE) {
  return reidops::emulator::ballot("__ballot_sync", mask, predicate != 0, where);
}
inline int __any_sync(unsigned mask, int predicate, REIDOPS_HERE) {
  return reidops::emulator::ballot("__any_sync", mask, predicate != 0, where) != 0;
}
inline int __all_sync(unsigned mask, int predicate, REIDOPS_HERE) {
  return reidops::emulator::ballot("__all_sync", mask, predicate == 0, where) == 0;
}

// As on a GPU, of int and unsigned alone, and of unsigned alone where it is bits that are folded.  The sum wraps.
#define REIDOPS_REDUCTION(T, name, expression)                                                           \
  inline T name(unsigned mask, T value, REIDOPS_HERE) {                                                  \
    return reidops::emulator::reduce<[](T a, T b) -> T { return expression; }>(#name, mask, value, where); \
  }
REIDOPS_REDUCTION(int, __reduce_add_sync, static_cast<int>(static_cast<unsigned>(a) + static_cast<unsigned>(b)))
REIDOPS_REDUCTION(int, __reduce_min_sync, min(a, b))
REIDOPS_REDUCTION(int, __reduce_max_sync, max(a, b))
REIDOPS_REDUCTION(unsigned, __reduce_add_sync, a + b)
REIDOPS_REDUCTION(unsigned, __reduce_min_sync, min(a, b))
REIDOPS_REDUCTION(unsigned, __reduce_max_sync, max(a, b))
REIDOPS_REDUCTION(unsigned, __reduce_and_sync, a & b)
REIDOPS_REDUCTION(unsigned, __reduce_or_sync, a | b)
REIDOPS_REDUCTION(unsigned, __reduce_xor_sync, a ^ b)
#undef REIDOPS_REDUCTION

[[noreturn]] inline void __trap(REIDOPS_HERE) {
  reidops::emulator::OutsideKernel guard;
  reidops::emulator::fail("__trap at " + reidops::emulator::text(where));
}
