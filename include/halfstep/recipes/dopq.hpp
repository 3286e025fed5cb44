#pragma once

/// \file
/// DopQ-ViT: RepQ-ViT with a quantizer for probabilities that is fine at both ends, and a target for the channels
/// behind a LayerNorm that outlier channels do not move.
///
///     probabilities        TanQ; steepness, centre and scale by the error of probabilities times values
///     behind a LayerNorm   as RepQ-ViT, but the layer gets the median of the channels' scales (MOSF), not the mean
///     everything else      as RepQ-ViT
///
/// L. Yang et al., "DopQ-ViT", 2024. The paper's constants are not published: the grid of TanQ is the library's own,
/// and its centre is searched, too. Without the paper's reconstruction of blocks.

#include "halfstep/calibrators/range/candidate_search.hpp"
#include "halfstep/calibrators/range/output_search.hpp"
#include "halfstep/calibrators/range/tanq_search.hpp"
#include "halfstep/calibrators/transform/repq.hpp"
#include "halfstep/config.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/layers/site_spec.hpp"
#include "halfstep/models/images.hpp"
#include "halfstep/models/vision_transformer.hpp"
#include "halfstep/quantizers/tanq.hpp"
#include "halfstep/recipes/percentile_rules.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/uniform_bits.hpp"
#include "halfstep/recipes/vit_calibration.hpp"

#include <algorithm>
#include <numbers>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// TanQ quantizers for `values` with each of these centres, and each steepness of the library's grid that the tangent
/// allows with that centre. Errors: no values. Class: exact.
template <int Bits>
[[nodiscard]] std::vector<TanQ<Bits>> centered_tanq_candidates(const std::vector<float>& values,
                                                               const std::vector<float>& centers) {
  std::vector<TanQ<Bits>> candidates;
  for (const float center : centers) {
    TanqGrid grid{.centers = {center}};
    const float steepest = std::numbers::pi_v<float> / 2 / std::max(center, 1 - center);
    std::erase_if(grid.alphas, [&](float alpha) { return alpha > 0.99f * steepest; });
    const auto of_center = tanq_candidates<Bits>(values, grid);
    candidates.insert(candidates.end(), of_center.begin(), of_center.end());
  }
  return candidates;
}

namespace recipes {

/// What DopQ-ViT leaves to choose.
struct DopqOptions {
  LayerTarget target = LayerTarget::median;
  std::vector<float> centers = {0.2f, 0.3f, 0.5f};  ///< of TanQ
  Index search_images = 16;                         ///< whose products judge TanQ quantizers
};

/// Quantizes `vit` by DopQ-ViT, calibrated on the float model. Errors and class: those of `calibrate_sites`.
[[nodiscard]] inline QuantizedVit dopq(const Vit& vit, const ImageView& calibration,
                                       const VitRecipeOptions& options = {}, const DopqOptions& method = {}) {
  const auto tanq = [&](const VitSite& at) {
    return with_uniform_bits("dopq", "bits", at.bits.activation, [&]<int Bits>() {
      const std::vector<float> values(at.lhs.data(), at.lhs.data() + at.lhs.size());
      const Candidates<TanQ<Bits>> candidates(centered_tanq_candidates<Bits>(values, method.centers));
      const auto best = output_search(at.products(method.search_images), candidates,
                                      {.tiling = Heads::together, .executor = at.executor});
      return Activation(best.choices.front().quantizer);
    });
  };
  const auto calibrate = [&](VitSite& at) -> SiteSpec {
    if (at.role == SiteRole::queries) return percentile_attention(at);
    if (at.role == SiteRole::probabilities) {
      return AttentionSpec{{tanq(at)}, {percentile_activation(at.rhs, at.bits.activation, at.executor)}};
    }
    return repq_linear(at, method.target);
  };
  return calibrate_sites("dopq", vit, calibration, options, CalibrationInputs::float_model, calibrate);
}

}  // namespace recipes
}  // namespace halfstep::inline HALFSTEP_ABI
