#pragma once

/// \file
/// MPTQ-ViT: SQ-b behind LayerNorms, OPT-m after GELU, greedy mixed precision.
///
///     behind a norm   fold(smooth_quant_bias(x, weight), norm, layer);  one symmetric quantizer, its step absmax
///     probabilities   two regions, the split by squared error
///     after GELU      two regions, the ratio of their steps a power of two chosen by the data (OPT-m)
///     the rest        affine, percentiles of least squared error; weights per output row
///
/// `mixed_precision(vit, images, options, {.search = PrecisionSearch::greedy, .widths = {3, 4, 5, 6, 8}}, mptq)` adds
/// the third part. Source: Tai and Wu, "MPTQ-ViT", 2024. No program was published: which quantizers stand at
/// probabilities and weights is the library's choice, as is the step by squared error.

#include "halfstep/calibrators/range/squared_error.hpp"
#include "halfstep/calibrators/transform/smooth_quant_bias.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/models/images.hpp"
#include "halfstep/models/vision_transformer.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "halfstep/recipes/min_max_rules.hpp"
#include "halfstep/recipes/norm_fold.hpp"
#include "halfstep/recipes/percentile_rules.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/twin_bits.hpp"
#include "halfstep/recipes/uniform_bits.hpp"
#include "halfstep/recipes/vit_calibration.hpp"

#include <cstddef>
#include <span>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// What the step of the symmetric quantizer behind SQ-b covers: the largest magnitude (published), or as much of it as
/// gives the least squared error.
enum class SymmetricStep { largest, least_error };

/// The symmetric quantizer of least squared error for `values`, among those that cover 1, 0.99, .. 0.3 of the largest
/// magnitude. Class: ordered. Error: bits other than 2 to 8.
[[nodiscard]] inline Activation symmetric_mse_activation(const MatrixF& values, int bits, ExecutorRef executor = {}) {
  return with_uniform_bits("symmetric_mse_activation", "bits", bits, [&]<int Bits>() {
    const float largest = absmax(range_of(values, executor));
    const std::span<const float> all(values.data(), static_cast<std::size_t>(values.size()));
    std::vector<Uniform<Bits>> steps;
    for (int i = 0; i <= 70; ++i) {
      const float end = largest * (1.0f - 0.01f * static_cast<float>(i));
      steps.push_back(Uniform<Bits>::fit({-end, end, 0}, Symmetry::symmetric));
    }
    return Activation(least_squared_error(steps, all, executor).quantizer);
  });
}

namespace recipes {

/// What MPTQ-ViT leaves to choose.
struct MptqOptions {
  SmoothQuantBiasOptions smoothing = {};
  SymmetricStep step = SymmetricStep::largest;
};

/// Quantizes `vit` by MPTQ-ViT at the widths of `options`. Errors and class: those of `calibrate_sites`; widths below 3
/// where there are two regions.
[[nodiscard]] inline QuantizedVit mptq(const Vit& vit, const ImageView& calibration,
                                       const VitRecipeOptions& options = {}, const MptqOptions& method = {}) {
  const auto calibrate = [&](VitSite& at) -> SiteSpec {
    const int bits = at.bits.activation;
    if (at.role == SiteRole::queries) return percentile_attention(at);
    if (at.role == SiteRole::probabilities) {
      return AttentionSpec{{twin_softmax_activation(at.lhs, bits, at.executor)},
                           {percentile_activation(at.rhs, bits, at.executor)}};
    }
    if (at.role == SiteRole::after_gelu) {
      return percentile_weight(at, optimized_twin_activation(at.lhs, bits, {.steps = 26, .executor = at.executor}));
    }
    if (at.role != SiteRole::after_norm) {
      return percentile_weight(at, percentile_activation(at.lhs, bits, at.executor));
    }
    SmoothQuantBiasOptions smoothing = method.smoothing;
    smoothing.executor = at.executor;
    fold_behind_norm(at, smooth_quant_bias({at.lhs}, {at.layer->weight_view()}, smoothing));
    return percentile_weight(at, method.step == SymmetricStep::largest
                                     ? symmetric_activation(range_of(at.lhs, at.executor), bits)
                                     : symmetric_mse_activation(at.lhs, bits, at.executor));
  };
  return calibrate_sites("mptq", vit, calibration, options, CalibrationInputs::float_model, calibrate);
}

}  // namespace recipes
}  // namespace halfstep::inline HALFSTEP_ABI
