#pragma once

/// \file
/// The baseline of percentile ranges (`percentile`): every operand uniform, ranges by least squared error among three
/// percentiles. Nothing is moved from activations to weights.

#include "halfstep/config.hpp"
#include "halfstep/models/images.hpp"
#include "halfstep/models/vision_transformer.hpp"
#include "halfstep/recipes/percentile_rules.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/vit_calibration.hpp"

namespace halfstep::inline HALFSTEP_ABI::recipes {

/// Quantizes `vit`: weights affine per output row; inputs of linear layers, queries, keys, probabilities and values
/// affine per tensor; each range by `percentile_mse` over the float model's values.
/// Errors and class: those of `calibrate_sites`.
[[nodiscard]] inline QuantizedVit percentile(const Vit& vit, const ImageView& calibration,
                                             const VitRecipeOptions& options = {}) {
  return calibrate_sites("percentile", vit, calibration, options, CalibrationInputs::float_model,
                         [](VitSite& at) -> SiteSpec {
                           if (at.is_attention()) return percentile_attention(at);
                           return percentile_weight(at, percentile_activation(at.lhs, at.bits.activation, at.executor));
                         });
}

}  // namespace halfstep::inline HALFSTEP_ABI::recipes
