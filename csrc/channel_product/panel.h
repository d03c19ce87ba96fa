// panel.h - maps as the product reads them: some locations of a channel side by side, the next channel after them.
#pragma once

#include "tile.h"

namespace reidops::REIDOPS_ISA {

// to[c step + i] = location i of channel c, for i < count.  With kPadded, zeros follow up to a whole register, and
// `step` has room for it; else nothing beyond the last location is written.
template <class T, bool kPadded, class S>
REIDOPS_INLINE void put_locations(Vector<T> v, T* to, int64_t count) {
  if constexpr (kPadded) store(to, v);
  else store_some(to, v, count);
}

// The first `count` of a register of numbers side by side, the rest zero.
template <class T, class S>
REIDOPS_INLINE Vector<T> read_side_by_side(const S* from, int64_t count) {
#if REIDOPS_VECTOR_BYTES == 64
  const auto lanes = (1u << count) - 1;  // count <= 16
  if constexpr (sizeof(S) == 8) return Vector<T>(_mm512_maskz_loadu_pd(__mmask8(lanes), from));
  else if constexpr (sizeof(S) == 4) return Vector<T>(_mm512_maskz_loadu_ps(__mmask16(lanes), from));
  else {
    const __m256i halves = _mm256_maskz_loadu_epi16(__mmask16(lanes), from);
    if constexpr (std::is_same_v<S, Half>) return Vector<T>(_mm512_cvtph_ps(halves));
    else return Vector<T>(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
  }
#else
  return read<T>(from, 1, count);
#endif
}

// Locations that lie side by side, or anyhow.
template <class T, bool kPadded, class S>
void copy_locations(const channel_product::Side<S>& side, const S* from, int64_t channels, int64_t count, T* to,
                    int64_t step) {
  constexpr int64_t kLanes = Lanes<T>::kCount;
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t i = 0; i < count; i += kLanes) {
      const int64_t n = std::min(kLanes, count - i);
      const S* const at = from + c * side.channel + i * side.location;
      const Vector<T> v = side.location == 1 ? read_side_by_side<T>(at, n) : read<T>(at, side.location, n);
      put_locations<T, kPadded, S>(v, to + c * step + i, n);
    }
}

// Channels that lie side by side: a square of registers is turned.
template <class T, bool kPadded, class S>
void turn_locations(const channel_product::Side<S>& side, const S* from, int64_t channels, int64_t count, T* to,
                    int64_t step) {
  constexpr int64_t kLanes = Lanes<T>::kCount;
  for (int64_t i = 0; i < count; i += kLanes)
    for (int64_t c = 0; c < channels; c += kLanes) {
      const int64_t locations = std::min(kLanes, count - i), some = std::min(kLanes, channels - c);
      Vector<T> v[kLanes];
      for (int64_t k = 0; k < kLanes; ++k)
        v[k] = k < locations ? read_side_by_side<T>(from + (i + k) * side.location + c, some) : Vector<T>{};
      planes_to_pixels<T, kLanes>(v);
      for (int64_t k = 0; k < some; ++k)
        put_locations<T, kPadded, S>(v[k], to + (c + k) * step + i, locations);
    }
}

template <class T, bool kPadded, class S>
void lay_out_locations(const channel_product::Side<S>& side, const S* from, int64_t channels, int64_t count, T* to,
                       int64_t step) {
  if (side.channel == 1 && side.location != 1) turn_locations<T, kPadded>(side, from, channels, count, to, step);
  else copy_locations<T, kPadded>(side, from, channels, count, to, step);
}

}  // namespace reidops::REIDOPS_ISA
