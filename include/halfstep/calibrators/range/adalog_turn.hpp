#pragma once

/// \file
/// AdaLog's search for base and scale of its logarithmic quantizer.
///
/// Source: Wu et al., AdaLog, ECCV 2024, section 3.4, and its published program, whose list has a 129th base that is
/// never tried.

#include "halfstep/calibrators/range/candidate_search.hpp"
#include "halfstep/calibrators/range/observed_product.hpp"
#include "halfstep/calibrators/range/output_loss.hpp"
#include "halfstep/calibrators/range/progressive_search.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/quantizers/adalog.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/scale.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <span>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The bases 2^(q / 37) that are tried: 128 from q = 10 on.
inline constexpr int adalog_first_base = 10;
inline constexpr int adalog_base_count = 128;

/// `start` with each of these bases.
template <ScalarQuantizer A>
[[nodiscard]] std::vector<A> adalog_base_candidates(const A& start) {
  std::vector<A> candidates(adalog_base_count, start);
  for (int i = 0; i < adalog_base_count; ++i) candidates[static_cast<std::size_t>(i)].q = adalog_first_base + i;
  return candidates;
}

/// Scales that suit values after GELU: between the 90th percentile of the positive values, plus the shift, and the
/// largest value, plus the shift.
struct AdaLogScales {
  float least = 1;
  float most = 1;

  /// Scale number i of `count` even steps.
  [[nodiscard]] float at(int i, int count) const {
    return usable_scale(least + (most - least) * (static_cast<float>(i) / static_cast<float>(count - 1)));
  }
};

/// The percentile is a value itself, number ceil(0.9 n) of n ascending ones; without positive values both are `shift`.
[[nodiscard]] inline AdaLogScales adalog_scales(const std::vector<float>& values, float shift) {
  std::vector<float> positive;
  std::copy_if(values.begin(), values.end(), std::back_inserter(positive), [](float x) { return x > 0; });
  if (positive.empty()) return {shift, shift};
  const float rank = std::ceil(static_cast<float>(positive.size()) * 0.9f);
  const auto at = std::min(positive.size(), static_cast<std::size_t>(rank)) - 1;
  std::nth_element(positive.begin(), positive.begin() + static_cast<std::ptrdiff_t>(at), positive.end());
  return {positive[at] + shift, *std::max_element(positive.begin(), positive.end()) + shift};
}

/// AdaLog's turn for values after GELU: all bases at the current scale; the best 8 of them with 16 scales each; the
/// best 32 of these refined five times, with four scales around each and the same base.
template <ScalarQuantizer A>
struct AdaLogTurn {
  AdaLogScales scales;
  static constexpr int bases = 8, scales_per_base = 16;
  static constexpr Refinement refinement{.keep = 32, .children = 4, .steps = 6};

  [[nodiscard]] static Index count() {
    return adalog_base_count + progressive_count(Index{bases} * scales_per_base, refinement);
  }

  SearchResult<A> operator()(const OutputLoss<A>& loss, const std::vector<A>& current, SearchRun& run) const {
    const Candidates<A> all(adalog_base_candidates(current.at(0)));
    const std::vector<double> losses = candidate_losses(all, loss, run);
    SearchResult<A> result;
    offer_candidates(all, std::span<const double>(losses), 0, result.choices);
    result.is_complete = !run.is_cancelled();
    if (run.is_cancelled()) return result;
    std::vector<A> grid;
    for (const Index base : least_losses(losses, 1, 0, bases)) {
      for (int i = 0; i < scales_per_base; ++i) {
        grid.push_back(all.at(base, 0));
        grid.back().scale = scales.at(i, scales_per_base);
      }
    }
    const float step = grid[1].scale - grid[0].scale;
    SearchResult<A> refined =
        progressive_search(ProgressiveGrid<A>{Candidates<A>(grid), {step}}, loss, refinement, run);
    if (result.choices[0].loss < refined.choices[0].loss) refined.choices = std::move(result.choices);
    return refined;
  }
};

/// The base that suits probabilities `[m, tokens]` which are to be multiplied with values `[tokens, channels]` (in
/// float): of the 128 that are tried, the one of least squared error of the product, scale 1.
///
///     const auto a = fpcs<AdaLog<4>>(probabilities, values);
///
/// Errors: as `OutputLoss`. Costs 128 products. Class: bounded, for any executor.
template <ScalarQuantizer A, Viewable P, Viewable V>
[[nodiscard]] A fpcs(const P& probabilities, const V& values, const SearchOptions& options = {}) {
  const ObservedProduct product{.lhs = view(probabilities), .rhs = transposed(view(values))};
  const OutputLoss<A> loss({&product, 1}, {}, {.executor = options.executor});
  return candidate_search(Candidates<A>(adalog_base_candidates(A{})), loss, options).choices[0].quantizer;
}

}  // namespace halfstep::inline HALFSTEP_ABI
