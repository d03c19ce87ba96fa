// pixels.h - images as the CPU kernel lays them out: the channels of a pixel side by side, so that a vector holds
// them all (a colour) or sixteen of them (a feature map), and to take a pixel is one load.
#pragma once

#include <cstdint>
#include <cstring>

#include "half.h"
#include "lanes.h"

// Vectors wider than a register have no calling convention of their own; nothing here is called, all is inlined.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace reidops::REIDOPS_ISA {

// `kLanes` numbers; the compiler takes as many registers as they need.
template <class T, int kLanes>
struct Several {
  using Integer = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
  typedef T Vector __attribute__((vector_size(kLanes * sizeof(T))));
  typedef Integer Index __attribute__((vector_size(kLanes * sizeof(T))));
  typedef T InMemory __attribute__((vector_size(kLanes * sizeof(T)), aligned(sizeof(T)), may_alias));
};
template <int kLanes, class T>
REIDOPS_INLINE typename Several<T, kLanes>::Vector take(const T* p) {
  return *reinterpret_cast<const typename Several<T, kLanes>::InMemory*>(p);
}
template <int kLanes, class T>
REIDOPS_INLINE void put(T* p, typename Several<T, kLanes>::Vector v) {
  *reinterpret_cast<typename Several<T, kLanes>::InMemory*>(p) = v;
}

template <class T>
constexpr int kRun = Lanes<T>::kCount;  // pixels that are turned together: a register of them
template <class T>
using Run = typename Several<T, kRun<T>>::Vector;

// One round of a perfect shuffle of all elements of N vectors, seen as one array: the halves are interleaved, which
// rotates the bits of an element's place by one to the left.  Two rounds turn 4 planes of pixels to pixels of 4
// channels, four do it with 16.
template <class T, int N, int... kLane>
REIDOPS_INLINE void interleave(Run<T> (&v)[N], std::integer_sequence<int, kLane...>) {
  Run<T> out[N];
  for (int i = 0; i < N / 2; ++i) {
    const Run<T> a = v[i], b = v[i + N / 2];
    out[2 * i] = __builtin_shufflevector(a, b, (kLane / 2 + (kLane % 2) * kRun<T>)...);
    out[2 * i + 1] = __builtin_shufflevector(a, b, (kRun<T> / 2 + kLane / 2 + (kLane % 2) * kRun<T>)...);
  }
  for (int i = 0; i < N; ++i) v[i] = out[i];
}
// Inverse of the above: separates what it interleaved.
template <class T, int N, int... kLane>
REIDOPS_INLINE void separate(Run<T> (&v)[N], std::integer_sequence<int, kLane...>) {
  Run<T> out[N];
  for (int i = 0; i < N / 2; ++i) {
    const Run<T> a = v[2 * i], b = v[2 * i + 1];
    out[i] = __builtin_shufflevector(a, b, (2 * kLane)...);
    out[i + N / 2] = __builtin_shufflevector(a, b, (2 * kLane + 1)...);
  }
  for (int i = 0; i < N; ++i) v[i] = out[i];
}
constexpr int rounds(int lanes) { return lanes > 1 ? 1 + rounds(lanes / 2) : 0; }

template <class T, int kLanes>
REIDOPS_INLINE void planes_to_pixels(Run<T> (&v)[kLanes]) {
  for (int i = 0; i < rounds(kLanes); ++i) interleave<T>(v, std::make_integer_sequence<int, kRun<T>>());
}
template <class T, int kLanes>
REIDOPS_INLINE void pixels_to_planes(Run<T> (&v)[kLanes]) {
  for (int i = 0; i < rounds(kLanes); ++i) separate<T>(v, std::make_integer_sequence<int, kRun<T>>());
}

// `count` of up to a run of numbers from memory, the rest zero; and back.
template <class T, class S>
REIDOPS_INLINE Run<T> read(const S* from, int64_t stride, int64_t count) {
  if constexpr (sizeof(S) == sizeof(T)) {
    if (count == kRun<T> && stride == 1) return take<kRun<T>>(from);
  }
  T values[kRun<T>] = {};
  if (count == kRun<T> && stride == 1) {
    for (int i = 0; i < kRun<T>; ++i) values[i] = widen(from[i]);
  } else {
    for (int64_t i = 0; i < count; ++i) values[i] = widen(from[i * stride]);
  }
  return take<kRun<T>>(values);
}
template <class T, class S>
REIDOPS_INLINE void write(Run<T> v, S* to, int64_t count) {
  if constexpr (sizeof(S) == sizeof(T)) {
    if (count == kRun<T>) {
      put<kRun<T>>(to, v);
      return;
    }
  }
  T values[kRun<T>];
  put<kRun<T>>(values, v);
  if (count == kRun<T>) {
    for (int i = 0; i < kRun<T>; ++i) narrow(values[i], to[i]);
  } else {
    for (int64_t i = 0; i < count; ++i) narrow(values[i], to[i]);
  }
}

// Where the run that begins at pixel `next` of `count` is taken: the last one begins earlier, so as to be whole, and
// does some pixels again.
template <class T>
REIDOPS_INLINE int64_t run_at(int64_t next, int64_t count) {
  return next > 0 && next > count - kRun<T> ? count - kRun<T> : next;
}

// `count` pixels of `channels` of up to kLanes channels, from memory of any strides to pixels side by side; of fewer
// than a run what lies up to a whole run is overwritten.
template <class T, int kLanes, class S>
REIDOPS_INLINE void gather_pixels(const S* from, int64_t channel_stride, int64_t stride, int64_t channels,
                                  int64_t count, T* to) {
  if (channel_stride == 1 && channels > 1) {
    if constexpr (sizeof(S) == sizeof(T)) {
      if (channels == kLanes) {
        for (int64_t i = 0; i < count; ++i) put<kLanes>(to + i * kLanes, take<kLanes>(from + i * stride));
        return;
      }
    }
    for (int64_t i = 0; i < count; ++i)
      for (int64_t c = 0; c < kLanes; ++c) to[i * kLanes + c] = c < channels ? T(widen(from[i * stride + c])) : T(0);
    return;
  }
  for (int64_t next = 0; next < count; next += kRun<T>) {
    const int64_t i = run_at<T>(next, count), n = count - i < kRun<T> ? count - i : kRun<T>;
    Run<T> v[kLanes];
    if (sizeof(S) == sizeof(T) && channels == kLanes && n == kRun<T> && stride == 1) {
#pragma GCC unroll 16
      for (int c = 0; c < kLanes; ++c) v[c] = read<T>(from + c * channel_stride + i, 1, kRun<T>);
    } else {
      for (int c = 0; c < kLanes; ++c)
        v[c] = c < channels ? read<T>(from + c * channel_stride + i * stride, stride, n) : Run<T>{};
    }
    planes_to_pixels<T, kLanes>(v);
    for (int c = 0; c < kLanes; ++c) put<kRun<T>>(to + i * kLanes + c * kRun<T>, v[c]);
  }
}

// Inverse of gather_pixels, to planes (`pixel_stride` 1) or to pixels of `pixel_stride` channels (`channel_stride` 1).  `from` is
// read up to a whole run.
template <class T, int kLanes, class S>
REIDOPS_INLINE void scatter_pixels(const T* from, int64_t channels, int64_t count, S* to, int64_t channel_stride,
                                   int64_t pixel_stride) {
  if (channel_stride == 1) {
    if constexpr (sizeof(S) == sizeof(T)) {
      if (channels == kLanes) {
        for (int64_t i = 0; i < count; ++i) put<kLanes>(to + i * pixel_stride, take<kLanes>(from + i * kLanes));
        return;
      }
    }
    for (int64_t i = 0; i < count; ++i)
      for (int64_t c = 0; c < channels; ++c) narrow(from[i * kLanes + c], to[i * pixel_stride + c]);
    return;
  }
  for (int64_t next = 0; next < count; next += kRun<T>) {
    const int64_t i = run_at<T>(next, count), n = count - i < kRun<T> ? count - i : kRun<T>;
    Run<T> v[kLanes];
    for (int c = 0; c < kLanes; ++c) v[c] = take<kRun<T>>(from + i * kLanes + c * kRun<T>);
    pixels_to_planes<T, kLanes>(v);
    if (sizeof(S) == sizeof(T) && channels == kLanes && n == kRun<T>) {
#pragma GCC unroll 16
      for (int c = 0; c < kLanes; ++c) write<T>(v[c], to + c * channel_stride + i, kRun<T>);
    } else {
      for (int c = 0; c < kLanes; ++c)
        if (c < channels) write<T>(v[c], to + c * channel_stride + i, n);
    }
  }
}

}  // namespace reidops::REIDOPS_ISA
