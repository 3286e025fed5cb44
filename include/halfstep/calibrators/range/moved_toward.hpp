#pragma once

/// \file
/// The step from one float toward another.

#include "halfstep/config.hpp"
#include "halfstep/simd/pinned.hpp"

#include <limits>

namespace halfstep::inline HALFSTEP_ABI {

/// `from + weight * (to - from)` for finite ends and a weight in [0, 1]: three roundings, as the published
/// implementations have them, never a fused multiply-add. In double where the difference is more than the largest
/// float. Class: exact.
[[nodiscard]] inline float moved_toward(float from, float to, float weight) {
  const float distance = to - from;
  if (distance <= std::numeric_limits<float>::max() && distance >= -std::numeric_limits<float>::max()) {
    return from + simd::pinned(weight * distance);
  }
  const double wide = static_cast<double>(weight) * to - static_cast<double>(weight) * from;  // products are exact
  return static_cast<float>(static_cast<double>(from) + wide);
}

}  // namespace halfstep::inline HALFSTEP_ABI
