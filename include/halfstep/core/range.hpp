#pragma once

/// \file
/// What a quantizer needs to know of the values it will see.

#include "halfstep/config.hpp"

namespace halfstep::inline HALFSTEP_ABI {

/// The values of one granule, summed up: what `fit` turns into the parameters of a quantizer.
struct Range {
  float min = 0;       ///< least value
  float max = 0;       ///< largest value
  float mean_abs = 0;  ///< mean of |x|; only quantizers that scale by it (binary, ternary) read it
  friend constexpr bool operator==(const Range&, const Range&) = default;
};

/// The larger of |min| and |max|.
[[nodiscard]] constexpr float absmax(const Range& range) {
  const float low = range.min < 0 ? -range.min : range.min;
  const float high = range.max < 0 ? -range.max : range.max;
  return low > high ? low : high;
}

}  // namespace halfstep::inline HALFSTEP_ABI
