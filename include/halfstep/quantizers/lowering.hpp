#pragma once

/// \file
/// What a kernel multiplies: the map from codes to one or two planes of 8-bit integers.

#include "halfstep/config.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace halfstep::inline HALFSTEP_ABI {

/// One plane: the integer that each code stands for, and the plane's real weight in the sum.
/// The integers span at most 255, so that a plane fits u8 on the activation side and s8 on the weight side (each side
/// moves it by a constant that it adds to the zero).
struct BytePlane {
  float weight = 1;
  std::array<std::int16_t, 256> values{};
  friend bool operator==(const BytePlane&, const BytePlane&) = default;
};

/// The lowering of one granule: `value(code) = unit * (sum_p weight_p * values_p[code] - zero)`, which differs from
/// `decode(code)` by at most `max_error` (in the unit of the data; 0 says that it is exact up to the rounding of
/// `unit * integer` to float).
struct Lowering {
  float unit = 1;
  float zero = 0;
  int plane_count = 1;
  float max_error = 0;
  std::array<BytePlane, 2> planes{};

  /// What the kernels make of `code`, in double.
  [[nodiscard]] double value(int code) const {
    double sum = 0;
    for (int p = 0; p < plane_count; ++p) {
      const BytePlane& plane = planes[static_cast<std::size_t>(p)];
      sum += static_cast<double>(plane.weight) * plane.values[static_cast<std::size_t>(code)];
    }
    return static_cast<double>(unit) * (sum - static_cast<double>(zero));
  }
};

/// The one-plane lowering whose integers are the codes themselves: `value(code) = unit * (code - zero)`.
[[nodiscard]] inline Lowering lower_codes(int levels, float unit, float zero) {
  Lowering lowering;
  lowering.unit = unit;
  lowering.zero = zero;
  for (int code = 0; code < levels; ++code) {
    lowering.planes[0].values[static_cast<std::size_t>(code)] = static_cast<std::int16_t>(code);
  }
  return lowering;
}

/// Lowers a table of real levels to two planes, the high and the low byte of a 16-bit fixed-point number whose unit is
/// 1/65535 of the table's span; `max_error` is the largest rounding of a level, at most half a unit plus float slack.
/// A table that fits one plane exactly (integers times the smallest step, span at most 255) gets one plane.
[[nodiscard]] inline Lowering lower_levels(const double* levels, int count) {
  double least = levels[0], largest = levels[0], step = 0;
  for (int i = 0; i < count; ++i) {
    least = levels[i] < least ? levels[i] : least;
    largest = levels[i] > largest ? levels[i] : largest;
    for (int j = 0; j < i; ++j) {
      const double gap = std::fabs(levels[i] - levels[j]);
      if (gap > 0 && (step == 0 || gap < step)) step = gap;
    }
  }
  Lowering lowering;
  if (step == 0) {  // all levels equal
    lowering.unit = least == 0 ? 1.0f : static_cast<float>(least);
    lowering.zero = least == 0 ? 0.0f : -1.0f;
    return lowering;
  }
  bool one_plane = (largest - least) / step <= 255.5 && std::fabs(std::nearbyint(least / step) * step - least) == 0;
  for (int i = 0; i < count && one_plane; ++i) one_plane = std::nearbyint(levels[i] / step) * step == levels[i];
  const double unit = one_plane ? step : (largest - least) / 65535;
  lowering.unit = static_cast<float>(unit);
  const double base = one_plane ? std::nearbyint(least / step) : std::nearbyint(least / unit);
  lowering.zero = static_cast<float>(-base);
  lowering.plane_count = one_plane ? 1 : 2;
  lowering.planes[0].weight = one_plane ? 1.0f : 256.0f;
  for (int i = 0; i < count; ++i) {
    double offset = std::nearbyint(levels[i] / unit) - base;
    if (!one_plane) offset = offset < 0 ? 0 : (offset > 65535 ? 65535 : offset);
    const auto fixed = static_cast<int>(offset);
    const auto at = static_cast<std::size_t>(i);
    lowering.planes[0].values[at] = static_cast<std::int16_t>(one_plane ? fixed : fixed >> 8);
    lowering.planes[1].values[at] = static_cast<std::int16_t>(one_plane ? 0 : fixed & 255);
  }
  double worst = 0;
  for (int i = 0; i < count; ++i) worst = std::fmax(worst, std::fabs(lowering.value(i) - levels[i]));
  lowering.max_error = std::nextafter(static_cast<float>(worst), std::numeric_limits<float>::infinity());
  return lowering;
}

}  // namespace halfstep::inline HALFSTEP_ABI
