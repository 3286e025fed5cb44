#pragma once

/// \file
/// I&S-ViT: RepQ-ViT with the shift-uniform-log2 quantizer for probabilities.
///
///     probabilities        equal steps of log2(x + eta), rounded to powers of two; eta of least squared error
///     weights              percentiles of least squared error among nine
///     everything else      as RepQ-ViT
///
/// Y. Zhong et al., "I&S-ViT: An Inclusive & Stable Method for Pushing the Limit of Post-Training ViTs Quantization",
/// 2023. Calibration only: the paper then trains in three stages (channel-wise inputs with float weights; layer-wise
/// inputs; quantized weights), between the calls of `layer_wise_percentile` and `pack_percentile` here.

#include "halfstep/calibrators/range/percentile_mse.hpp"
#include "halfstep/calibrators/range/shift_log2_search.hpp"
#include "halfstep/config.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/layers/site_spec.hpp"
#include "halfstep/models/images.hpp"
#include "halfstep/models/vision_transformer.hpp"
#include "halfstep/recipes/percentile_rules.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/uniform_bits.hpp"
#include "halfstep/recipes/vit_calibration.hpp"

#include <vector>

namespace halfstep::inline HALFSTEP_ABI::recipes {

/// What I&S-ViT leaves to choose.
struct IAndSOptions {
  /// Of weights.
  std::vector<double> percentiles = {0.97, 0.98, 0.99, 0.995, 0.9995, 0.9997, 0.9999, 0.99995, 0.99999};
};

/// Quantizes `vit` by I&S-ViT without its training, calibrated on the float model. Errors and class: those of
/// `calibrate_sites`.
[[nodiscard]] inline QuantizedVit i_and_s(const Vit& vit, const ImageView& calibration,
                                          const VitRecipeOptions& options = {}, const IAndSOptions& method = {}) {
  const auto shift_log2 = [](const VitSite& at) {
    return with_uniform_bits("i_and_s", "bits", at.bits.activation, [&]<int Bits>() {
      return Activation(shift_log2_search<Bits>(at.lhs, {.executor = at.executor}).choices.front().quantizer);
    });
  };
  const auto calibrate = [&](VitSite& at) -> SiteSpec {
    if (at.role == SiteRole::queries) return percentile_attention(at);
    if (at.role == SiteRole::probabilities) {
      return AttentionSpec{{shift_log2(at)}, {percentile_activation(at.rhs, at.bits.activation, at.executor)}};
    }
    const Activation input = repq_input(at);
    const PercentileMseOptions rows{.percentiles = method.percentiles, .executor = at.executor};
    return LinearSpec{pack_percentile(at.layer->weight_view(), at.bits.weight, rows), at.bits.weight, input};
  };
  return calibrate_sites("i_and_s", vit, calibration, options, CalibrationInputs::float_model, calibrate);
}

}  // namespace halfstep::inline HALFSTEP_ABI::recipes
