#pragma once

/// \file
/// What <cmath> does not offer at compile time.

#include "halfstep/config.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI {

/// `x` rounded to the nearest integer, ties to even. Class: exact.
[[nodiscard]] constexpr double nearest_integer(double x) {
  if (!std::is_constant_evaluated()) return std::nearbyint(x);
  if (!(x > -0x1p52 && x < 0x1p52)) return x;  // an integer already, or none
  auto below = static_cast<std::int64_t>(x);
  if (x < static_cast<double>(below)) --below;
  const double rest = x - static_cast<double>(below);
  const bool is_up = rest > 0.5 || (rest == 0.5 && below % 2 != 0);
  return static_cast<double>(is_up ? below + 1 : below);
}

/// `|x|`.
[[nodiscard]] constexpr double magnitude(double x) { return x < 0 ? -x : x; }

/// The float above `x`, which is not negative; the largest one stays.
[[nodiscard]] constexpr float next_larger(float x) {
  return x < std::numeric_limits<float>::max() ? std::bit_cast<float>(std::bit_cast<std::int32_t>(x) + 1) : x;
}

}  // namespace halfstep::inline HALFSTEP_ABI
