#pragma once

/// \file
/// MPTQ-ViT's OPT-m: the power-of-two ratio of the two steps of a quantizer for values after GELU, chosen by data.

#include "halfstep/calibrators/range/error_scan.hpp"
#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/calibrators/range/squared_error.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/progress.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/core/read_row.hpp"
#include "halfstep/quantizers/scale.hpp"
#include "halfstep/quantizers/twin_uniform.hpp"
#include "halfstep/simd/bits.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Options of `region_ratio_search`.
struct RegionRatioOptions {
  std::int32_t largest_shift = 8;  ///< m is searched from 0 to this, at most 30
  int steps = 100;                 ///< factors from 0.5 to 1, at least 2
  /// What the squared error of each element counts: none (1), or as many as x has, at least 0, such as squared
  /// gradients.
  MatrixView<const float> weights = {};
  ExecutorRef executor = {};  ///< results do not depend on it
  ProgressCallback progress = {};
};

/// What `region_ratio_search` settles on.
template <int Bits>
struct RegionRatioChoice {
  TwinGelu<Bits> quantizer;  ///< `scale = negative_scale * 2^shift`
  std::int32_t shift = 0;    ///< m
  double factor = 1;         ///< the positive step is `factor * max / (2^(b-1) - 1)`
  double error = 0;          ///< weighted sum of squared errors
  bool is_complete = true;   ///< false: the progress callback stopped the search
};

/// Values and weights in a row, padded to whole vectors.
struct WeightedValues {
  std::vector<float> values, weights;  ///< weights empty: 1 each
};

/// The sum of weighted squared errors over chunks of 16384 elements in their order.
template <int Bits>
[[nodiscard]] double region_error(const TwinGelu<Bits>& q, const WeightedValues& x, ExecutorRef executor) {
  if (x.weights.empty()) return squared_error(q, x.values, executor);
  return chunked_sum(executor, static_cast<Index>(x.values.size()), Index{1} << 14, [&](Index begin, Index end) {
    const auto first = static_cast<std::size_t>(begin), count = static_cast<std::size_t>(end - begin);
    return weighted_squared_error(q, std::span(x.values).subspan(first, count),
                                  std::span(x.weights).subspan(first, count));
  });
}

/// Checks and copies.
template <class T>
[[nodiscard]] WeightedValues region_values(const MatrixView<const T>& x, const RegionRatioOptions& options) {
  const MatrixView<const float>& w = options.weights;
  require_readable("region_ratio_search", "x", x);
  require_readable("region_ratio_search", "weights", w);
  if (x.empty()) raise("region_ratio_search", "x of shape ", shape_of(x), " has no elements");
  if (!w.empty() && !(shape_of(w) == shape_of(x))) {
    raise("region_ratio_search", "weights has shape ", shape_of(w), ", expected that of x, ", shape_of(x));
  }
  require_finite("region_ratio_search", "x", x, options.executor);
  require_finite("region_ratio_search", "weights", w, options.executor);
  WeightedValues all{std::vector<float>(static_cast<std::size_t>(x.size())), {}};
  copy_rows(x, all.values.data());
  if (w.empty()) return all;
  all.weights.resize(all.values.size());
  copy_rows(w, all.weights.data());
  for (std::size_t i = 0; i < all.weights.size(); ++i) {
    if (all.weights[i] >= 0) continue;
    raise("region_ratio_search", "weights has ", all.weights[i], " in row ", static_cast<Index>(i) / x.cols,
          ", column ", static_cast<Index>(i) % x.cols, ", expected at least 0");
  }
  const std::size_t padded = (all.values.size() + ColumnSums::width - 1) / ColumnSums::width * ColumnSums::width;
  all.values.resize(padded);
  all.weights.resize(padded);
  return all;
}

/// The twin uniform quantizer of least squared error for `x` of any shape, values after GELU, whose positive step is a
/// power of two times the negative one, so that one shift brings both to one unit:
///
///     positive step = f * max / (2^(b-1) - 1),  f from 0.5 to 1;   negative step = positive step * 2^-m,  m = 0 .. 8
///
/// m is the slow index; the first of equals wins, so that values without a negative side give m = 0. Where no value is
/// positive, the magnitude of the least one takes the place of max.
///
/// Errors: no elements; one that is not finite, by position; weights of another shape or below 0; options out of range.
/// Encodes x 900 times (default). Class: ordered, for any executor.
/// Source: Tai et al., "MPTQ-ViT", 2024, OPT-m. Which steps are tried is not published: the grid is the library's own.
template <int Bits, Viewable M>
[[nodiscard]] RegionRatioChoice<Bits> region_ratio_search(const M& x, const RegionRatioOptions& options = {}) {
  if (options.largest_shift < 0 || options.largest_shift > 30) {
    raise("region_ratio_search", "largest_shift is ", options.largest_shift, ", expected 0 to 30");
  }
  if (options.steps < 2) raise("region_ratio_search", "steps is ", options.steps, ", expected at least 2");
  const WeightedValues values = region_values(view(x), options);
  const auto [least, largest] = std::minmax_element(values.values.begin(), values.values.end());
  constexpr std::int32_t steps_of_half = TwinGelu<Bits>::half - 1;
  const float top = *largest > 0 ? *largest : -*least;
  SearchMeter meter(options.progress, (Index{options.largest_shift} + 1) * options.steps);
  RegionRatioChoice<Bits> best;
  bool is_first = true;
  for (std::int32_t m = 0; m <= options.largest_shift && !meter.is_stopped(); ++m) {
    for (int i = 0; i < options.steps; ++i) {
      const double factor = 0.5 + 0.5 * i / (options.steps - 1);
      const double step = factor * static_cast<double>(top) / steps_of_half;
      const float scale = finite_scale(usable_scale(static_cast<float>(step)), static_cast<float>(steps_of_half));
      const TwinGelu<Bits> q{scale, usable_scale(simd::scale_by_power(scale, -m))};
      const double error = region_error(q, values, options.executor);
      if (is_first || error < best.error) best = {q, m, factor, error, true};
      is_first = false;
    }
    meter.advance(options.steps);
  }
  best.is_complete = !meter.is_stopped();
  return best;
}

}  // namespace halfstep::inline HALFSTEP_ABI
