#pragma once

/// \file
/// AdaLog: logarithmic quantizers whose base fits the data, and searches by the error of each product's output.
///
///     probabilities        base 2^(q/37), q searched with the values
///     behind GELU          the same, of x + 0.17; scale and q searched with the weights
///     behind a LayerNorm   each channel searched by its own error, then one quantizer for all
///     everything else      affine uniform, scale and zero point searched progressively (FPCS), in turns with the
///     weights
///
/// Z. Wu et al., "AdaLog: Post-Training Quantization for Vision Transformers with Adaptive Logarithm Quantizer", ECCV
/// 2024. What is subtracted again behind GELU, the paper moves into the bias; a product of this library subtracts the
/// real zero of its codes anyway, so that nothing is left to move.
///
/// The published grid has 16 zero points around the middle of the codes, which is all of them up to 4 bits, and cuts
/// channels that lie on one side of 0 at more: with `NormRanges::automatic` the ends of such a layer's channels come
/// from the data.

#include "halfstep/calibrators/range/adalog_search.hpp"
#include "halfstep/calibrators/range/adalog_turn.hpp"
#include "halfstep/calibrators/range/alternating_search.hpp"
#include "halfstep/calibrators/range/percentile_mse.hpp"
#include "halfstep/calibrators/range/progressive_search.hpp"
#include "halfstep/calibrators/range/published_fits.hpp"
#include "halfstep/calibrators/range/uniform_grid.hpp"
#include "halfstep/calibrators/range/value_loss.hpp"
#include "halfstep/calibrators/transform/repq.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/layers/site_spec.hpp"
#include "halfstep/models/images.hpp"
#include "halfstep/models/vision_transformer.hpp"
#include "halfstep/quantizers/adalog.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "halfstep/quantizers/zero_policy.hpp"
#include "halfstep/recipes/log_bits.hpp"
#include "halfstep/recipes/percentile_rules.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/searched_rows.hpp"
#include "halfstep/recipes/vit_calibration.hpp"

#include <algorithm>
#include <optional>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Where the ranges of channels behind a LayerNorm come from.
enum class NormRanges {
  automatic,   ///< searched, but from the data where the searched grid lacks a channel's zero point
  searched,    ///< published
  percentiles  ///< from the data: least squared error among three percentiles
};

namespace recipes {

/// What AdaLog leaves to choose.
struct AdaLogRecipeOptions {
  ZeroPolicy zero = ZeroPolicy::mask;
  NormRanges norm_ranges = NormRanges::automatic;
  Index search_images = 4;  ///< of those that calibrate, whose products judge candidates
  int rounds = 2;           ///< of turns; published: 3
};

}  // namespace recipes

/// A linear site with input and weight searched in turns. Class: bounded.
template <int Bits>
[[nodiscard]] LinearSpec adalog_layer(const VitSite& at, const recipes::AdaLogRecipeOptions& method) {
  const AdaLogSearchOptions search{.rounds = method.rounds, .executor = at.executor};
  const auto found = adalog_linear<Bits, Bits>(at.products(method.search_images).front(), search);
  return {pack_rows(at.layer->weight_view(), found.rhs, at.executor), Bits, found.lhs.front()};
}

/// A linear site behind GELU. Class: bounded.
template <int Bits, ZeroPolicy Zero>
[[nodiscard]] LinearSpec adalog_gelu_layer(const VitSite& at, const recipes::AdaLogRecipeOptions& method) {
  const AdaLogSearchOptions search{.rounds = method.rounds, .executor = at.executor};
  const auto found = adalog_gelu<Bits, AdaLog<Bits, Zero>>(at.products(method.search_images).front(), search);
  return {pack_rows(at.layer->weight_view(), found.rhs, at.executor), Bits, found.lhs.front()};
}

/// A linear site whose input is given, its weight searched by the output's error. Class: bounded.
[[nodiscard]] inline LinearSpec adalog_weight(const VitSite& at, const Activation& input, Index search_images) {
  return with_uniform_bits("adalog", "weight_bits", at.bits.weight, [&]<int Bits>() {
    auto rows = values_of_granules("adalog", at.layer->weight_view(), per_row(), at.executor);
    const ProgressiveTurn<Uniform<Bits>> turn{uniform_grid<Bits>(std::move(rows), adalog_weight_grid<Bits>)};
    return searched_rows<Bits>(at, input, search_images, turn);
  });
}

/// The quantizers of channels by AdaLog's grid and their own error.
template <int Bits>
[[nodiscard]] std::vector<Uniform<Bits>> adalog_channels(const VitSite& at) {
  auto values = values_of_granules("adalog", at.lhs, per_column(), at.executor);
  const auto grid = uniform_grid<Bits>(values, adalog_input_grid<Bits>);
  return quantizers_of(progressive_search(grid, ValueLoss<Uniform<Bits>>(std::move(values)),
                                          {.least_scale = adalog_input_grid<Bits>.least_scale},
                                          {.executor = at.executor}));
}

/// Whether AdaLog's grid lacks the zero point of a channel.
template <int Bits>
[[nodiscard]] bool is_cut(const std::vector<RangeChoice<Uniform<Bits>>>& channels) {
  constexpr int half = 1 << (Bits - 1), count = adalog_input_grid<Bits>.zero_points;
  return std::any_of(channels.begin(), channels.end(), [](const RangeChoice<Uniform<Bits>>& channel) {
    return channel.quantizer.zero_point < half - count / 2 || channel.quantizer.zero_point >= half - count / 2 + count;
  });
}

/// A linear site behind a LayerNorm. Class: bounded.
template <int Bits>
[[nodiscard]] LinearSpec adalog_norm_layer(VitSite& at, const recipes::AdaLogRecipeOptions& method) {
  const auto channels =
      percentile_mse<Uniform<Bits>>(at.lhs, {.tiling = per_column(), .executor = at.executor}, repq_fit<Bits>);
  const bool is_from_data = method.norm_ranges == NormRanges::percentiles ||
                            (method.norm_ranges == NormRanges::automatic && is_cut(channels));
  if (!is_from_data) {
    static_cast<void>(make_layer_wise(at, adalog_channels<Bits>(at)));
    return adalog_layer<Bits>(at, method);
  }
  const Uniform<Bits> input = make_layer_wise(at, quantizers_of(channels), {.ranges = ranges_of(channels)});
  return adalog_weight(at, input, method.search_images);
}

namespace recipes {

/// Quantizes `vit` by AdaLog, calibrated on the float model. Errors: those of `calibrate_sites`; a site whose weights
/// and inputs differ in width. Class: bounded.
[[nodiscard]] inline QuantizedVit adalog(const Vit& vit, const ImageView& calibration,
                                         const VitRecipeOptions& options = {}, const AdaLogRecipeOptions& method = {}) {
  const auto calibrate = [&](VitSite& at) -> SiteSpec {
    const AdaLogSearchOptions search{.rounds = method.rounds, .executor = at.executor};
    if (at.role == SiteRole::pixels) {
      return adalog_weight(at, percentile_activation(at.lhs, at.bits.activation, at.executor), method.search_images);
    }
    if (at.role == SiteRole::probabilities || at.role == SiteRole::after_gelu) {
      return with_log_codes("adalog", at.bits.activation, method.zero, [&]<int Bits, ZeroPolicy Zero>() -> SiteSpec {
        if (at.role == SiteRole::after_gelu) return adalog_gelu_layer<Bits, Zero>(at, method);
        return per_head_rules(adalog_softmax<AdaLog<Bits, Zero>, Bits>(at.products(method.search_images), search));
      });
    }
    return with_equal_bits("adalog", at, [&]<int Bits>() -> SiteSpec {
      if (at.role == SiteRole::queries) {
        return per_head_rules(adalog_attention<Bits, Bits>(at.products(method.search_images), search));
      }
      if (at.role == SiteRole::after_norm) return adalog_norm_layer<Bits>(at, method);
      return adalog_layer<Bits>(at, method);
    });
  };
  return calibrate_sites("adalog", vit, calibration, options, CalibrationInputs::float_model, calibrate);
}

}  // namespace recipes
}  // namespace halfstep::inline HALFSTEP_ABI
