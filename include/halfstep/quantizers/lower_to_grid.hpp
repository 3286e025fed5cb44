#pragma once

/// \file
/// The lowering of levels that are integer multiples of a known unit. docs/numerics.md, section 2.

#include "halfstep/config.hpp"
#include "halfstep/core/constant_math.hpp"
#include "halfstep/quantizers/lowering.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// Lowers the levels of `q` to `unit * (n - zero)` with integers `n = rne(level / unit + zero)`: one plane where they
/// span at most 255, their high and low byte (weights 256 and 1) where they span at most 65535. A grid that would need
/// more gives the lowering of a table, `lower_levels`. Every code of `Q::bits` bits must decode to a finite value.
template <class Q>
[[nodiscard]] constexpr Lowering lower_to_grid(const Q& q, double unit, double zero = 0) {
  const auto levels = levels_of(q);
  auto steps = levels;
  for (double& step : steps) step = nearest_integer(step / unit + zero);
  const auto [least, most] = std::minmax_element(steps.begin(), steps.end());
  const bool one_plane = *most - *least <= 255 && *least >= -32768 && *most <= 32767;
  if (!one_plane && !(*least >= -32768 && *most <= 65535 && *most - *least <= 65535)) {
    return lower_levels(levels.data(), 1 << Q::bits);
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
  measure_error(lowering, levels, LevelMatch::as_float);
  return lowering;
}

}  // namespace halfstep::inline HALFSTEP_ABI
