#pragma once

/// \file
/// FQ-ViT: min-max ranges, and powers of two for probabilities.
///
///     probabilities        base 2, no scale
///     everything else      uniform per tensor, weights per output row, ranges from the data
///
/// Y. Lin et al., "FQ-ViT: Post-Training Quantization for Fully Quantized Vision Transformer", IJCAI 2022. Norms and
/// softmax are float here, and so is a LayerNorm's input, which the paper brings to 8 bits with a power-of-two factor
/// for each channel (`power_of_two_factors`). The outliers of channels are in what a LayerNorm gives, which stays per
/// tensor: the method does not survive them.

#include "halfstep/config.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/layers/site_spec.hpp"
#include "halfstep/models/images.hpp"
#include "halfstep/models/vision_transformer.hpp"
#include "halfstep/quantizers/log2.hpp"
#include "halfstep/quantizers/zero_policy.hpp"
#include "halfstep/recipes/log_bits.hpp"
#include "halfstep/recipes/min_max_rules.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/uniform_bits.hpp"
#include "halfstep/recipes/vit_calibration.hpp"

namespace halfstep::inline HALFSTEP_ABI::recipes {

/// What FQ-ViT leaves to choose.
struct FqVitOptions {
  ZeroPolicy zero = ZeroPolicy::mask;
};

/// Quantizes `vit` by FQ-ViT, calibrated on the float model. Errors and class: those of `calibrate_sites`.
[[nodiscard]] inline QuantizedVit fq_vit(const Vit& vit, const ImageView& calibration,
                                         const VitRecipeOptions& options = {}, const FqVitOptions& method = {}) {
  const auto calibrate = [&](VitSite& at) -> SiteSpec {
    if (at.role != SiteRole::probabilities) return min_max_site(at);
    const Activation log2 = with_log_codes("fq_vit", at.bits.activation, method.zero,
                                           []<int Bits, ZeroPolicy Zero>() { return Activation(Log2<Bits, Zero>()); });
    return AttentionSpec{{log2}, {uniform_activation(range_of(at.rhs, at.executor), at.bits.activation)}};
  };
  return calibrate_sites("fq_vit", vit, calibration, options, CalibrationInputs::float_model, calibrate);
}

}  // namespace halfstep::inline HALFSTEP_ABI::recipes
