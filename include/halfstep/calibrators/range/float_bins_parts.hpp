#pragma once

/// \file
/// The counts of `FloatBins` in the open, as a file holds them, and what makes them counts of floats.

#include "halfstep/config.hpp"
#include "halfstep/core/finite.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The bins of one sign, for whole octaves (values of the exponent field): 2^mantissa_bits counts for each, by growing
/// magnitude.
struct FloatBinsSide {
  std::uint32_t first_octave = 0;
  std::uint32_t octaves = 0;
  std::vector<std::int64_t> counts;
  friend bool operator==(const FloatBinsSide&, const FloatBinsSide&) = default;
};

/// The least and the largest magnitude of bin i.
[[nodiscard]] inline float first_magnitude(const FloatBinsSide& side, std::size_t i, int mantissa_bits) {
  const auto bin = static_cast<std::uint32_t>(i) + (side.first_octave << mantissa_bits);
  return std::bit_cast<float>(bin == 0 ? 1u : bin << (23 - mantissa_bits));  // zero is not among the subnormals
}
[[nodiscard]] inline float last_magnitude(const FloatBinsSide& side, std::size_t i, int mantissa_bits) {
  const auto bin = static_cast<std::uint32_t>(i) + (side.first_octave << mantissa_bits);
  return std::bit_cast<float>(((bin + 1) << (23 - mantissa_bits)) - 1);
}

/// Everything that `FloatBins` remembers. Octaves reach as away as values do and no further.
struct FloatBinsParts {
  int mantissa_bits = 7;
  float min = 0;
  float max = 0;
  std::int64_t zeros = 0;
  FloatBinsSide positive;
  FloatBinsSide negative;
};

/// The number of values; -1 if it is more than an int64 holds or a count is negative.
[[nodiscard]] inline std::int64_t count_of(const FloatBinsParts& parts) {
  std::int64_t total = 0;
  const auto add = [&](std::int64_t count) {
    const bool is_held = count >= 0 && total >= 0 && total <= std::numeric_limits<std::int64_t>::max() - count;
    total = is_held ? total + count : -1;
  };
  add(parts.zeros);
  for (const FloatBinsSide* side : {&parts.positive, &parts.negative}) {
    for (const std::int64_t count : side->counts) add(count);
  }
  return total;
}

/// Why these are no bins of a sign; empty if they are. Reads counts only where there are as many as there should be.
[[nodiscard]] inline std::string_view fault_of(const FloatBinsSide& side, int mantissa_bits) {
  constexpr std::uint32_t finite_octaves = 255;
  if (side.first_octave > finite_octaves || side.octaves > finite_octaves - side.first_octave) {
    return "octaves reach beyond the finite floats";
  }
  if (side.counts.size() != std::size_t{side.octaves} << mantissa_bits) return "octaves have another number of counts";
  if (side.octaves == 0) return side.first_octave == 0 ? std::string_view() : "no octaves have a first one";
  const auto is_empty = [&](std::size_t octave) {
    for (std::size_t i = octave << mantissa_bits; i < (octave + 1) << mantissa_bits; ++i) {
      if (side.counts[i] != 0) return false;
    }
    return true;
  };
  if (is_empty(0) || is_empty(side.octaves - 1)) return "octaves reach beyond the values";
  return {};
}

/// The floats between which the largest value must lie, given bins that have no fault; `toward` are the positive ones
/// and `away` the negative ones. The other way round, those between which the least value must lie, negated.
struct FloatBinsEnds {
  float low = 0;
  float high = 0;
};
[[nodiscard]] inline FloatBinsEnds outermost_bin(const FloatBinsParts& parts, const FloatBinsSide& toward,
                                                 const FloatBinsSide& away) {
  // Magnitudes on the side of the end; if there are none, zero, or the least magnitude of the other side.
  const auto last = [&](const FloatBinsSide& side) {
    std::size_t i = side.counts.size();
    while (side.counts[i - 1] == 0) --i;
    return i - 1;
  };
  const auto first = [&](const FloatBinsSide& side) {
    std::size_t i = 0;
    while (side.counts[i] == 0) ++i;
    return i;
  };
  const int bits = parts.mantissa_bits;
  if (toward.octaves > 0)
    return {first_magnitude(toward, last(toward), bits), last_magnitude(toward, last(toward), bits)};
  if (parts.zeros > 0) return {};
  return {-last_magnitude(away, first(away), bits), -first_magnitude(away, first(away), bits)};
}

/// Why no values have such counts; empty if some may: bins that are none, no values or too many, a least or largest
/// value outside of the outermost bin.
[[nodiscard]] inline std::string_view fault_of(const FloatBinsParts& parts) {
  if (parts.mantissa_bits < 0 || parts.mantissa_bits > 16) return "mantissa bits are not 0 to 16";
  for (const FloatBinsSide* side : {&parts.positive, &parts.negative}) {
    if (const std::string_view fault = fault_of(*side, parts.mantissa_bits); !fault.empty()) return fault;
  }
  if (count_of(parts) < 0) return "a count is negative, or all are more than 2^63";
  if (count_of(parts) == 0) return "there are no values";
  if (!is_finite_bits(parts.min) || !is_finite_bits(parts.max)) return "an end is not finite";
  const FloatBinsEnds largest = outermost_bin(parts, parts.positive, parts.negative);
  const FloatBinsEnds least = outermost_bin(parts, parts.negative, parts.positive);
  if (!(parts.max >= largest.low && parts.max <= largest.high)) return "the largest value is not in the last bin";
  if (!(-parts.min >= least.low && -parts.min <= least.high)) return "the least value is not in the first bin";
  return parts.min <= parts.max ? std::string_view() : "the least value is above the largest";
}

}  // namespace halfstep::inline HALFSTEP_ABI
