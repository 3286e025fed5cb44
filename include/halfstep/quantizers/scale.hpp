#pragma once

/// \file
/// How a scale is made usable. How it is stored: quantizers/scale_storage.hpp.

#include "halfstep/config.hpp"

#include <limits>

namespace halfstep::inline HALFSTEP_ABI {

/// The scale itself where one can divide by it; 1 for the scale 0 of an empty range, and the smallest normal float for
/// one that underflows, so that every value of such a granule encodes to the zero point or its neighbours.
[[nodiscard]] constexpr float usable_scale(float scale) {
  if (!(scale > 0)) return 1.0f;
  return scale < std::numeric_limits<float>::min() ? std::numeric_limits<float>::min() : scale;
}

/// `(high - low) / steps`, by halves where the difference of two finite ends is more than the largest float.
[[nodiscard]] constexpr float divided_span(float low, float high, float steps) {
  const float span = high - low;
  if (span <= std::numeric_limits<float>::max()) return span / steps;
  return (high * 0.5f - low * 0.5f) / steps * 2.0f;
}

/// `scale`, or where `steps` of it reach beyond the floats, what keeps them finite (an ulp or so below the largest).
[[nodiscard]] constexpr float finite_scale(float scale, float steps) {
  if (scale * steps <= std::numeric_limits<float>::max()) return scale;
  return 0x1.fffffp127f / steps;
}

}  // namespace halfstep::inline HALFSTEP_ABI
