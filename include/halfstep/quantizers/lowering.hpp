#pragma once

/// \file
/// What a kernel multiplies: the map from codes to one or two planes of 8-bit integers. docs/numerics.md, section 2.

#include "halfstep/config.hpp"
#include "halfstep/core/constant_math.hpp"
#include "halfstep/quantizers/scale.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

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
/// `unit * integer` to float). Values of codes that the quantizer does not have are 0.
struct Lowering {
  float unit = 1;
  float zero = 0;
  int plane_count = 1;
  float max_error = 0;
  std::array<BytePlane, 2> planes{};

  /// What the kernels make of `code`, in double.
  [[nodiscard]] constexpr double value(int code) const {
    double sum = 0;
    for (int p = 0; p < plane_count; ++p) {
      const BytePlane& plane = planes[static_cast<std::size_t>(p)];
      sum += static_cast<double>(plane.weight) * plane.values[static_cast<std::size_t>(code)];
    }
    return static_cast<double>(unit) * (sum - static_cast<double>(zero));
  }
};

/// The one-plane lowering whose integers are the codes themselves: `value(code) = unit * (code - zero)`.
[[nodiscard]] constexpr Lowering lower_codes(int levels, float unit, float zero) {
  Lowering lowering;
  lowering.unit = unit;
  lowering.zero = zero;
  for (int code = 0; code < levels; ++code) {
    lowering.planes[0].values[static_cast<std::size_t>(code)] = static_cast<std::int16_t>(code);
  }
  return lowering;
}

/// The smallest distance between two different levels; 0 where all are equal.
[[nodiscard]] constexpr double smallest_gap(std::span<const double> levels) {
  std::array<double, 256> sorted{};
  std::copy(levels.begin(), levels.end(), sorted.begin());
  std::sort(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(levels.size()));
  double gap = 0;
  for (std::size_t i = 1; i < levels.size(); ++i) {
    const double distance = sorted[i] - sorted[i - 1];
    if (distance > 0 && (gap == 0 || distance < gap)) gap = distance;
  }
  return gap;
}

/// The levels of `q`: what each code of `Q::bits` bits decodes to.
template <class Q>
[[nodiscard]] constexpr std::array<double, std::size_t{1} << Q::bits> levels_of(const Q& q) {
  std::array<double, std::size_t{1} << Q::bits> levels{};
  for (std::size_t code = 0; code < levels.size(); ++code) {
    levels[code] = static_cast<double>(q.decode(static_cast<std::int32_t>(code)));
  }
  return levels;
}

/// Which differences of a lowering from a level are errors.
enum class LevelMatch {
  exact,     ///< all
  as_float,  ///< those that are left when the lowering's value is rounded to float
};

/// Sets `max_error`, the largest difference from the levels that the codes 0, 1, ... stand for.
constexpr void measure_error(Lowering& lowering, std::span<const double> levels, LevelMatch match = LevelMatch::exact) {
  double worst = 0;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const double value = lowering.value(static_cast<int>(i));
    if (match == LevelMatch::as_float && static_cast<double>(static_cast<float>(value)) == levels[i]) continue;
    worst = std::max(worst, magnitude(value - levels[i]));
  }
  lowering.max_error = worst == 0 ? 0.0f : next_larger(static_cast<float>(worst));
}

/// One plane of integers `rne((level - least) / unit)`, where at most 255 units reach from the least to the
/// largest level. The zero is an integer where that costs less than `tolerance`.
[[nodiscard]] constexpr Lowering lower_to_one_plane(std::span<const double> levels, double least, double unit,
                                                    double tolerance) {
  Lowering lowering;
  lowering.unit = usable_scale(static_cast<float>(unit));
  const auto step = static_cast<double>(lowering.unit);
  const double zero = -least / step;
  const double whole = nearest_integer(zero);
  lowering.zero = static_cast<float>(magnitude(whole - zero) * step <= tolerance ? whole : zero);
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const double steps = std::clamp(nearest_integer((levels[i] - least) / step), 0.0, 255.0);
    lowering.planes[0].values[i] = static_cast<std::int16_t>(steps);
  }
  measure_error(lowering, levels);
  return lowering;
}

/// Two planes: the high and the low byte of a fixed-point number whose unit is 1/65534 of the span (so that the integer
/// zero, which may move both ends outward by half a unit, leaves them within 16 bits). An error of at most half a unit,
/// and the rounding of the unit and of the zero to float.
[[nodiscard]] constexpr Lowering lower_to_two_planes(std::span<const double> levels, double least, double span) {
  Lowering lowering;
  lowering.unit = usable_scale(static_cast<float>(span / 65534));
  const auto unit = static_cast<double>(lowering.unit);
  lowering.zero = static_cast<float>(-nearest_integer(least / unit));
  const double base = -static_cast<double>(lowering.zero);  // as it is stored
  lowering.plane_count = 2;
  lowering.planes[0].weight = 256;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const double offset = std::clamp(nearest_integer(levels[i] / unit) - base, 0.0, 65535.0);
    const auto fixed = static_cast<int>(offset);
    lowering.planes[0].values[i] = static_cast<std::int16_t>(fixed >> 8);
    lowering.planes[1].values[i] = static_cast<std::int16_t>(fixed & 255);
  }
  measure_error(lowering, levels);
  return lowering;
}

/// Lowers a table of `count` finite levels, 1 to 256. One plane where that is as accurate as two, which is so where the
/// levels lie on a grid whose step is their smallest distance, 255 steps from end to end at most, up to the rounding of
/// the levels to float; two planes otherwise. `max_error` is the largest rounding of a level.
[[nodiscard]] constexpr Lowering lower_levels(const double* first, int count) {
  const std::span<const double> levels(first, static_cast<std::size_t>(count));
  const double least = *std::min_element(levels.begin(), levels.end());
  const double span = *std::max_element(levels.begin(), levels.end()) - least;
  const double gap = smallest_gap(levels);
  if (gap == 0) {  // one value: a unit of its own size, or nothing at all
    return lower_to_one_plane(levels, least, least == 0 ? 1.0 : magnitude(least), 0.0);
  }
  const double steps = nearest_integer(span / gap);
  const double tolerance = span / (2 * 65534.0);
  if (steps <= 255) {
    Lowering one = lower_to_one_plane(levels, least, span / steps, tolerance);
    if (static_cast<double>(one.max_error) <= tolerance) return one;
  }
  return lower_to_two_planes(levels, least, span);
}

}  // namespace halfstep::inline HALFSTEP_ABI
