#pragma once

/// \file
/// How a scale is made usable, and how it is stored.

#include "halfstep/config.hpp"
#include "halfstep/core/float16.hpp"

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

/// The type in which a scale is kept beside the codes. What rounding divides by is the stored scale.
enum class ScaleStorage { f32, f16 };

/// `scale` as the storage type gives it back. F16 keeps to [2^-24, 65504]: a stored scale is never 0, infinite or NaN.
[[nodiscard]] constexpr float stored_scale(float scale, ScaleStorage storage) {
  if (storage == ScaleStorage::f32) return scale;
  constexpr float least = 0x1p-24f, largest = 65504.0f;
  return to_float(half_from_float(scale < least ? least : (scale > largest ? largest : scale)));
}

/// Bytes of one stored scale.
[[nodiscard]] constexpr int storage_bytes(ScaleStorage storage) { return storage == ScaleStorage::f32 ? 4 : 2; }

}  // namespace halfstep::inline HALFSTEP_ABI
