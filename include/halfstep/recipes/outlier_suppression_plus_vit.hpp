#pragma once

/// \file
/// Outlier Suppression+ on a vision transformer: channels behind a LayerNorm are centred, and those that reach beyond a
/// searched threshold are shrunk to it; the rest is min-max.
///
///     behind a norm   fold(outlier_suppression_plus(x, weight), norm, layer)       shift into the norm's bias
///     everything      affine min-max: weights per output row, activations per tensor
///
/// Source: Wei et al., "Outlier Suppression+", EMNLP 2023. The norm has a bias here, so the shift shows; the output
/// error is that of the layer alone, over the first tokens.

#include "halfstep/calibrators/transform/outlier_suppression_plus.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/models/images.hpp"
#include "halfstep/models/vision_transformer.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "halfstep/recipes/min_max_rules.hpp"
#include "halfstep/recipes/norm_fold.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/spread_rows.hpp"
#include "halfstep/recipes/uniform_bits.hpp"
#include "halfstep/recipes/vit_calibration.hpp"

namespace halfstep::inline HALFSTEP_ABI::recipes {

/// What OS+ leaves to choose.
struct OutlierSuppressionVitOptions {
  double lowest_threshold = 1.0;  ///< where the search ends, as published for models other than Llama
  Index tokens = 384;             ///< that errors are taken over, evenly spread; 0: all
};

/// Quantizes `vit` by Outlier Suppression+. Errors and class: those of `calibrate_sites`.
[[nodiscard]] inline QuantizedVit outlier_suppression_plus(const Vit& vit, const ImageView& calibration,
                                                           const VitRecipeOptions& options = {},
                                                           const OutlierSuppressionVitOptions& method = {}) {
  const auto calibrate = [&](VitSite& at) -> SiteSpec {
    if (at.role == SiteRole::after_norm) {
      const MatrixView<const float> some = spread_rows(view(at.lhs), method.tokens);
      const OutlierSuppressionPlusOptions search{.lowest_threshold = method.lowest_threshold, .executor = at.executor};
      fold_behind_norm(
          at, with_uniform_bits("outlier_suppression_plus", "bits", at.bits.activation, [&]<int Bits>() {
            using Q = Uniform<Bits>;
            return halfstep::outlier_suppression_plus<Q, Q>(some, {at.layer->weight_view()}, search).transform;
          }));
    }
    return min_max_site(at);
  };
  return calibrate_sites("outlier_suppression_plus", vit, calibration, options, CalibrationInputs::float_model,
                         calibrate);
}

}  // namespace halfstep::inline HALFSTEP_ABI::recipes
