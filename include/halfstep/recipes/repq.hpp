#pragma once

/// \file
/// RepQ-ViT: accurate quantizers for calibration, simple ones to run.
///
///     behind a LayerNorm   each channel its own quantizer  ->  one for all (norm and layer take the difference)
///     probabilities        base sqrt(2)                    ->  base 2, even and odd codes apart (the lowering)
///     everything else      uniform per tensor; weights per output row; ranges by percentiles of least squared error
///
/// Z. Li et al., "RepQ-ViT: Scale Reparameterization for Post-Training Quantization of Vision Transformers", ICCV 2023.
/// Two things differ from the published program: zero points of layers are integers, and the head's LayerNorm is
/// treated like the others. (Published, the head's input has one range for all channels, which is fatal where channels
/// have outliers: `RepqHead::published`.)

#include "halfstep/calibrators/range/percentile_mse.hpp"
#include "halfstep/calibrators/transform/repq.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/models/images.hpp"
#include "halfstep/models/vision_transformer.hpp"
#include "halfstep/quantizers/log_sqrt2.hpp"
#include "halfstep/quantizers/zero_policy.hpp"
#include "halfstep/recipes/log_bits.hpp"
#include "halfstep/recipes/percentile_rules.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/vit_calibration.hpp"

namespace halfstep::inline HALFSTEP_ABI {

/// Probabilities by logarithms to the base sqrt(2), the scale a percentile of least squared error. Class: ordered.
[[nodiscard]] inline Activation log_sqrt2_activation(const MatrixF& probabilities, int bits, ZeroPolicy zero,
                                                     ExecutorRef executor = {}) {
  return with_log_codes("log_sqrt2_activation", bits, zero, [&]<int Bits, ZeroPolicy Zero>() {
    using Q = LogSqrt2<Bits, Zero>;
    return Activation(percentile_mse<Q>(probabilities, {.executor = executor}).front().quantizer);
  });
}

/// An attention site as RepQ-ViT quantizes it: probabilities by logarithms, everything else by percentiles. Class:
/// ordered.
[[nodiscard]] inline AttentionSpec repq_attention(const VitSite& at, ZeroPolicy zero) {
  if (at.role != SiteRole::probabilities) return percentile_attention(at);
  return {{log_sqrt2_activation(at.lhs, at.bits.activation, zero, at.executor)},
          {percentile_activation(at.rhs, at.bits.activation, at.executor)}};
}

namespace recipes {

/// How the input of the head is quantized: channel by channel like what other LayerNorms give, or per tensor.
enum class RepqHead { layer_wise, published };

/// What RepQ-ViT leaves to choose.
struct RepqOptions {
  LayerTarget target = LayerTarget::mean;
  ZeroPolicy zero = ZeroPolicy::mask;  ///< published; reserve: codes of the stated width
  RepqHead head = RepqHead::layer_wise;
};

/// Quantizes `vit` by RepQ-ViT, calibrated on the float model. Errors and class: those of `calibrate_sites`.
[[nodiscard]] inline QuantizedVit repq(const Vit& vit, const ImageView& calibration,
                                       const VitRecipeOptions& options = {}, const RepqOptions& method = {}) {
  const auto calibrate = [&](VitSite& at) -> SiteSpec {
    if (at.is_attention()) return repq_attention(at, method.zero);
    if (at.site == vit.head.site && method.head == RepqHead::published) {
      return percentile_weight(at, percentile_activation(at.lhs, at.bits.activation, at.executor));
    }
    return repq_linear(at, method.target);
  };
  return calibrate_sites("repq", vit, calibration, options, CalibrationInputs::float_model, calibrate);
}

}  // namespace recipes
}  // namespace halfstep::inline HALFSTEP_ABI
