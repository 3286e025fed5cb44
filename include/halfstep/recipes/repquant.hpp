#pragma once

/// \file
/// RepQuant: RepQ-ViT with clipped channels, and weights that answer what the quantized inputs in front of them lost.
///
///     behind a LayerNorm   each channel clipped above and below by factors of its own, then one quantizer for all
///     probabilities        base sqrt(2) -> base 2
///     weights              site by site on the codes of the sites before: H = sum xq xq^T, rounded by GPTQ
///
/// Z. Li et al., "RepQuant: Towards Accurate Post-Training Quantization of Large Transformer Models via Scale
/// Reparameterization", 2024. No program was published and the paper leaves the clip factors' search and the solver
/// open: the grid of `dual_clip` and GPTQ with its published range search are the library's formulation.

#include "halfstep/calibrators/range/dual_clip.hpp"
#include "halfstep/calibrators/range/published_fits.hpp"
#include "halfstep/calibrators/rounding/gptq_options.hpp"
#include "halfstep/calibrators/transform/repq.hpp"
#include "halfstep/config.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/layers/site_spec.hpp"
#include "halfstep/models/images.hpp"
#include "halfstep/models/vision_transformer.hpp"
#include "halfstep/quantizers/zero_policy.hpp"
#include "halfstep/recipes/percentile_rules.hpp"
#include "halfstep/recipes/quantized_inputs.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/repq.hpp"
#include "halfstep/recipes/uniform_bits.hpp"
#include "halfstep/recipes/vit_calibration.hpp"

#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The input of a layer behind a LayerNorm: each channel by `dual_clip`, then all of them by one quantizer. Class:
/// ordered.
[[nodiscard]] inline Activation layer_wise_dual_clip(VitSite& at) {
  return with_uniform_bits("layer_wise_dual_clip", "bits", at.bits.activation, [&]<int Bits>() {
    std::vector<Uniform<Bits>> channels;
    for (const auto& choice : dual_clip<Uniform<Bits>>(at.lhs, {.executor = at.executor})) {
      channels.push_back(choice.quantizer);
    }
    return Activation(make_layer_wise(at, channels));
  });
}

namespace recipes {

/// What RepQuant leaves to choose.
struct RepquantOptions {
  ZeroPolicy zero = ZeroPolicy::mask;
  GptqOptions rounding = {.range = GridRange::mse};
};

/// Quantizes `vit` by RepQuant, each site on what the quantized sites before it give. Errors: those of
/// `calibrate_sites`; options that GPTQ refuses. Class: bounded.
[[nodiscard]] inline QuantizedVit repquant(const Vit& vit, const ImageView& calibration,
                                           const VitRecipeOptions& options = {}, const RepquantOptions& method = {}) {
  const auto calibrate = [&](VitSite& at) -> SiteSpec {
    if (at.is_attention()) return repq_attention(at, method.zero);
    const Activation input = at.role == SiteRole::after_norm ? layer_wise_dual_clip(at) : repq_input(at);
    return gptq_linear(at, input, encoded_values(at.lhs, input, at.executor), method.rounding);
  };
  return calibrate_sites("repquant", vit, calibration, options, CalibrationInputs::quantized, calibrate);
}

}  // namespace recipes
}  // namespace halfstep::inline HALFSTEP_ABI
