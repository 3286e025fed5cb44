#pragma once

/// \file
/// SmoothQuant on a vision transformer: the outliers behind each LayerNorm move into the weights that read it, the rest
/// is min-max.
///
///     behind a norm   fold(smooth_quant(largest |x| per channel, weight), norm, layer)
///     everything      affine min-max: weights per output row, activations per tensor
///
/// Source: Xiao et al., "SmoothQuant", ICML 2023; the head's norm is smoothed like the others.

#include "halfstep/calibrators/transform/channel_maxima.hpp"
#include "halfstep/calibrators/transform/smooth_quant.hpp"
#include "halfstep/config.hpp"
#include "halfstep/models/images.hpp"
#include "halfstep/models/vision_transformer.hpp"
#include "halfstep/recipes/min_max_rules.hpp"
#include "halfstep/recipes/norm_fold.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/vit_calibration.hpp"

namespace halfstep::inline HALFSTEP_ABI::recipes {

/// Quantizes `vit` by SmoothQuant. Errors and class: those of `calibrate_sites`; alpha outside of 0 to 1.
[[nodiscard]] inline QuantizedVit smooth_quant(const Vit& vit, const ImageView& calibration,
                                               const VitRecipeOptions& options = {},
                                               const SmoothQuantOptions& method = {}) {
  const auto calibrate = [&](VitSite& at) -> SiteSpec {
    if (at.role == SiteRole::after_norm) {
      const std::vector<float> maxima = channel_absmax(channel_ranges(at.lhs, at.executor));
      fold_behind_norm(at, halfstep::smooth_quant(maxima, {at.layer->weight_view()}, method));
    }
    return min_max_site(at);
  };
  return calibrate_sites("smooth_quant", vit, calibration, options, CalibrationInputs::float_model, calibrate);
}

}  // namespace halfstep::inline HALFSTEP_ABI::recipes
