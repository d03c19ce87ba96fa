// options.h - mode and padding, which a call names, as template parameters of a kernel.
#pragma once

#include <type_traits>

#include "affine_sample.h"

namespace reidops::affine_sample {

// Calls body with the padding, or with mode and padding, as integral constants.
template <class Body>
void with_padding(Padding padding, const Body& body) {
  if (padding == Padding::kZeros) body(std::integral_constant<Padding, Padding::kZeros>());
  if (padding == Padding::kBorder) body(std::integral_constant<Padding, Padding::kBorder>());
  if (padding == Padding::kReflection) body(std::integral_constant<Padding, Padding::kReflection>());
}
template <class Body>
void with_options(Mode mode, Padding padding, const Body& body) {
  with_padding(padding, [&](auto known) {
    if (mode == Mode::kBilinear) body(std::integral_constant<Mode, Mode::kBilinear>(), known);
    if (mode == Mode::kNearest) body(std::integral_constant<Mode, Mode::kNearest>(), known);
  });
}

}  // namespace reidops::affine_sample
