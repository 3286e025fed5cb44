#pragma once

/// \file
/// The best that calibration alone reaches here: parts of several papers, each where it errs least.
///
///     behind a LayerNorm   each channel with ends of its own, the percentile of least error, then one for all
///     behind GELU          AdaLog, base and scale by the error of the output
///     probabilities        AdaLog, base by the error of the output
///     everything else      affine, both ends clipped by factors of their own; queries, keys, values head by head
///     weights              GPTQ on the codes in front, columns of large inputs first, the range of each row by the
///                          objective itself, then descent over the codes
///     biases               take back what the codes miss on average
///
/// Site by site on what the quantized sites before it give. The float model's outputs as a target, which help language
/// models, hurt here: inputs err more than weights.
///
/// Sources: AdaLog (ECCV 2024); RepQ-ViT (ICCV 2023); RepQuant (2024); GPTQ (ICLR 2023).

#include "halfstep/calibrators/range/adalog_turn.hpp"
#include "halfstep/calibrators/range/candidate_search.hpp"
#include "halfstep/calibrators/range/dual_clip.hpp"
#include "halfstep/calibrators/range/output_loss.hpp"
#include "halfstep/calibrators/range/output_search.hpp"
#include "halfstep/calibrators/rounding/gptq_options.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/matrix_view.hpp"
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
#include "halfstep/recipes/quantized_inputs.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/uniform_bits.hpp"
#include "halfstep/recipes/vit_calibration.hpp"

#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The affine quantizer of all of `x`, both ends clipped. Class: ordered.
template <int Bits>
[[nodiscard]] Uniform<Bits> clipped_uniform(const MatrixF& x, ExecutorRef executor) {
  return dual_clip<Uniform<Bits>>(x, {.tiling = per_tensor(), .executor = executor}).front().quantizer;
}

namespace recipes {

/// Whether biases take back what the codes miss on average.
enum class BiasCorrection { none, mean_error };

/// What is composed.
struct ComposedOptions {
  ZeroPolicy zero = ZeroPolicy::mask;  ///< of AdaLog; reserve: codes of the stated width
  GptqOptions rounding = {.act_order = true, .range = GridRange::objective, .descent_sweeps = 3};
  BiasCorrection bias = BiasCorrection::mean_error;
  Index search_images = 8;  ///< of those that calibrate, whose products judge AdaLog quantizers
};

}  // namespace recipes

/// The input of a linear site of `composed`. May fold a transform into the layers around. Class: bounded.
[[nodiscard]] inline Activation composed_input(VitSite& at, const recipes::ComposedOptions& method) {
  if (at.role == SiteRole::pixels) return percentile_activation(at.lhs, at.bits.activation, at.executor);
  if (at.role == SiteRole::after_norm) return layer_wise_percentile(at);
  if (at.role == SiteRole::after_gelu) {
    return with_log_codes("composed", at.bits.activation, method.zero, [&]<int Bits, ZeroPolicy Zero>() {
      using A = AdaLog<Bits, Zero>;
      const std::vector<ObservedProduct> layer = at.products(method.search_images);
      const std::vector<float> values(at.lhs.data(), at.lhs.data() + layer[0].lhs.size());
      const AdaLogTurn<A> turn{adalog_scales(values, gelu_shift)};
      A start;
      start.scale = turn.scales.at(adalog_base_count - 2, adalog_base_count);
      start.shift = gelu_shift;
      SearchRun run({at.executor}, turn.count());
      return Activation(turn(OutputLoss<A>(layer), {start}, run).choices.front().quantizer);
    });
  }
  return with_uniform_bits("composed", "bits", at.bits.activation,
                           [&]<int Bits>() { return Activation(clipped_uniform<Bits>(at.lhs, at.executor)); });
}

/// An attention site of `composed`. Class: bounded.
[[nodiscard]] inline AttentionSpec composed_attention(const VitSite& at, const recipes::ComposedOptions& method) {
  AttentionSpec spec;
  with_uniform_bits("composed", "bits", at.bits.activation, [&]<int Bits>() {
    for (Index head = 0; head < at.site.parts; ++head) {
      spec.rhs.push_back(clipped_uniform<Bits>(at.of_head(at.rhs, head), at.executor));
      if (at.role == SiteRole::probabilities) continue;
      spec.lhs.push_back(clipped_uniform<Bits>(at.of_head(at.lhs, head), at.executor));
    }
  });
  if (at.role == SiteRole::queries) return spec;
  spec.lhs.push_back(with_log_codes("composed", at.bits.activation, method.zero, [&]<int Bits, ZeroPolicy Zero>() {
    const Candidates<AdaLog<Bits, Zero>> bases(adalog_base_candidates(AdaLog<Bits, Zero>()));
    const auto best =
        output_search(at.products(method.search_images), bases, {.tiling = Heads::together, .executor = at.executor});
    return Activation(best.choices.front().quantizer);
  }));
  return spec;
}

namespace recipes {

/// Quantizes `vit` by parts of several methods, each site on what the quantized sites before it give. Errors: those of
/// `calibrate_sites`; options that GPTQ refuses. Class: bounded.
[[nodiscard]] inline QuantizedVit composed(const Vit& vit, const ImageView& calibration,
                                           const VitRecipeOptions& options = {}, const ComposedOptions& method = {}) {
  const auto calibrate = [&](VitSite& at) -> SiteSpec {
    if (at.is_attention()) return composed_attention(at, method);
    const Activation input = composed_input(at, method);
    const MatrixF encoded = encoded_values(at.lhs, input, at.executor);
    LinearSpec spec = gptq_linear(at, input, encoded, method.rounding);
    if (method.bias == BiasCorrection::mean_error) correct_bias(at, spec.weight, encoded);
    return spec;
  };
  return calibrate_sites("composed", vit, calibration, options, CalibrationInputs::quantized, calibrate);
}

}  // namespace recipes
}  // namespace halfstep::inline HALFSTEP_ABI
