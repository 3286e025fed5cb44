#pragma once

/// \file
/// The grid over scale and zero point that AdaLog's search for uniform quantizers starts from.

#include "halfstep/calibrators/range/progressive_search.hpp"
#include "halfstep/calibrators/range/quantile.hpp"
#include "halfstep/calibrators/range/value_loss.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/quantizers/scale.hpp"
#include "halfstep/quantizers/uniform.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The size of a grid over scale and zero point.
struct UniformGridOptions {
  int candidates = 128;   ///< zero points times scales
  int zero_points = 0;    ///< consecutive ones around the middle of the codes; 0: min(16, 2^b / 2)
  float least_scale = 0;  ///< smaller ones are raised to it
};

/// AdaLog's grid for weights, queries, keys and values, and its grid for activations of linear layers.
template <int Bits>
inline constexpr UniformGridOptions adalog_weight_grid{128, std::min(16, 1 << (Bits - 1)), 0};
template <int Bits>
inline constexpr UniformGridOptions adalog_input_grid{128, std::min(16, 1 << Bits), 1e-4f};

/// The scales of one granule: even steps from `(Q(0.9) - Q(0.1)) / (L - 1)` to `(max - min) / (L - 1)`. Where the first
/// would be 0 the last stands in, 1 where that is 0, too.
[[nodiscard]] inline std::vector<float> grid_scales(std::vector<float>& values, int count, int last_code,
                                                    float least_scale) {
  sort_tails(values, 0.89);  // a little more than Q(0.9) and Q(1 - 0.9f) need
  const float narrow = sorted_quantile(values, 0.9) - sorted_quantile(values, static_cast<double>(1.0f - 0.9f));
  const auto steps = static_cast<float>(last_code);
  const float wide = divided_span(values.front(), values.back(), steps);
  std::vector<float> scales;
  for (int i = 0; i < count; ++i) {
    const float share = static_cast<float>(i) / static_cast<float>(count - 1);
    const float scale = narrow / steps + share * (wide - narrow / steps);
    scales.push_back(std::max(usable_scale(scale > 0 ? scale : wide), least_scale));
  }
  return scales;
}

/// For each granule, every zero point (the slow index) with every scale: zero points are the `zero_points` integers
/// around 2^b / 2, not derived from the minimum, scales even steps between the spans of the inner 80 % and of all
/// values.
///
/// Errors: fewer than two scales per zero point; more zero points than codes; a granule without values. Sorts the tails
/// of the values. Class: exact. Source: Wu et al., AdaLog, ECCV 2024, section 3.4 and published program.
template <int Bits>
[[nodiscard]] ProgressiveGrid<Uniform<Bits>> uniform_grid(GranuleValues values,
                                                          const UniformGridOptions& options = {}) {
  constexpr int half = 1 << (Bits - 1);
  const int zero_points = options.zero_points == 0 ? std::min(16, half) : options.zero_points;
  if (zero_points < 1 || zero_points > 2 * half) {
    raise("uniform_grid", "zero_points is ", zero_points, ", expected 1 to ", 2 * half);
  }
  const int scales = options.candidates / zero_points;
  if (scales < 2) {
    raise("uniform_grid", "candidates is ", options.candidates, ", expected at least two for each of ", zero_points,
          " zero points");
  }
  const auto granules = static_cast<Index>(values.size());
  ProgressiveGrid<Uniform<Bits>> grid{Candidates<Uniform<Bits>>(granules, Index{zero_points} * scales), {}};
  for (Index g = 0; g < granules; ++g) {
    std::vector<float>& own = values[static_cast<std::size_t>(g)];
    if (own.empty()) raise("uniform_grid", "granule ", g, " has no values");
    const std::vector<float> list = grid_scales(own, scales, Uniform<Bits>::max_code, options.least_scale);
    for (int c = 0; c < zero_points * scales; ++c) {
      const std::int32_t zero_point = half - zero_points / 2 + c / scales;
      grid.candidates.set(c, g, {list[static_cast<std::size_t>(c % scales)], zero_point});
    }
    grid.steps.push_back(list[1] - list[0]);
  }
  return grid;
}

}  // namespace halfstep::inline HALFSTEP_ABI
