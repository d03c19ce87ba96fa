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

// Locations that lie side by side, or anyhow.
template <class T, bool kPadded, class S>
void copy_locations(const channel_product::Side<S>& side, const S* from, int64_t channels, int64_t count, T* to,
                    int64_t step) {
  constexpr int64_t kLanes = Lanes<T>::kCount;
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t i = 0; i < count; i += kLanes) {
      const int64_t n = std::min(kLanes, count - i);
      const auto v = read<T>(from + c * side.channel + i * side.location, side.location, n);
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
        v[k] = k < locations ? read<T>(from + (i + k) * side.location + c, 1, some) : Vector<T>{};
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
