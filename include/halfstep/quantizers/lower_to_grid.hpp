#pragma once

/// \file
/// The lowering of levels that are integer multiples of a known unit. docs/numerics.md, section 2.

#include "halfstep/config.hpp"
#include "halfstep/quantizers/lowering.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace halfstep::inline HALFSTEP_ABI {

/// The largest difference of a lowering from the levels; 0 where it gives each level up to its rounding to float.
inline void measure_grid_error(Lowering& lowering, const double* levels, int count) {
  double worst = 0;
  for (int code = 0; code < count; ++code) {
    const double value = lowering.value(code);
    if (static_cast<double>(static_cast<float>(value)) != levels[code]) {
      worst = std::fmax(worst, std::fabs(value - levels[code]));
    }
  }
  lowering.max_error = worst == 0 ? 0.0f : std::nextafter(static_cast<float>(worst), std::numeric_limits<float>::max());
}

/// Lowers the levels of `q` to `unit * (n - zero)` with integers `n = rne(level / unit + zero)`: one plane where they
/// span at most 255, their high and low byte (weights 256 and 1) where they span at most 65535. A grid that would need
/// more gives the lowering of a table, `lower_levels`. Every code of `Q::bits` bits must decode to a finite value.
template <class Q>
[[nodiscard]] Lowering lower_to_grid(const Q& q, double unit, double zero = 0) {
  constexpr int count = 1 << Q::bits;
  std::array<double, static_cast<std::size_t>(count)> levels{}, steps{};
  for (int code = 0; code < count; ++code) {
    const auto at = static_cast<std::size_t>(code);
    levels[at] = static_cast<double>(q.decode(std::int32_t{code}));
    steps[at] = std::nearbyint(levels[at] / unit + zero);
  }
  const auto [least, most] = std::minmax_element(steps.begin(), steps.end());
  const bool one_plane = *most - *least <= 255 && *least >= -32768 && *most <= 32767;
  if (!one_plane && !(*least >= -32768 && *most <= 65535 && *most - *least <= 65535)) {
    return lower_levels(levels.data(), count);
  }
  Lowering lowering;
  lowering.unit = static_cast<float>(unit);
  lowering.zero = static_cast<float>(zero);
  lowering.plane_count = one_plane ? 1 : 2;
  if (!one_plane) lowering.planes[0].weight = 256;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto n = static_cast<std::int32_t>(steps[i]);
    if (one_plane) {
      lowering.planes[0].values[i] = static_cast<std::int16_t>(n);
    } else {
      lowering.planes[0].values[i] = static_cast<std::int16_t>(n >> 8);
      lowering.planes[1].values[i] = static_cast<std::int16_t>(n & 255);
    }
  }
  measure_grid_error(lowering, levels.data(), count);
  return lowering;
}

}  // namespace halfstep::inline HALFSTEP_ABI
