#pragma once

/// \file
/// How a channel's range is divided between its activations and its weights: the formula that SmoothQuant, its variant
/// with a bias and static channel balancing share.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"

#include <cmath>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI {

/// What becomes of a channel in which no activation was seen.
enum class InactiveChannel {
  keep,       ///< scale 1: what it does outside of the calibration set stays what it was
  published,  ///< the published floors, which multiply by up to 1e5 what may come through it later
};

/// `activation^alpha / weight^(1 - alpha)`, both positive: for alpha 0 the weights get the range 1, for 1 the
/// activations. In double, rounded once; two C libraries differ in the last bit at most. Class: bounded.
[[nodiscard]] inline float balance_scale(float activation, float weight, float alpha) {
  const auto a = static_cast<double>(alpha);
  return static_cast<float>(std::pow(static_cast<double>(activation), a) /
                            std::pow(static_cast<double>(weight), 1.0 - a));
}

/// Refuses an alpha outside of [0, 1].
inline void require_alpha(std::string_view where, float alpha) {
  if (!(alpha >= 0 && alpha <= 1)) raise(where, "alpha is ", alpha, ", expected 0 to 1");
}

}  // namespace halfstep::inline HALFSTEP_ABI
