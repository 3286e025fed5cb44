#pragma once

/// \file
/// LRP-QViT, fixed-bit: channels behind a LayerNorm by clipped ranges, made one quantizer.
///
///     behind a norm   ranges of channels clipped (about each channel's centre)  ->  one quantizer for all
///     probabilities   base sqrt(2)
///     the rest        affine, percentiles of least squared error; weights per output row
///
/// Source: Ranjan and Savakis, "LRP-QViT", 2024. Its rule of clipping is not known; clipping the ends of all channels
/// to common bounds (`ChannelClip::common_bounds`) fails where a channel lies on one side. Widths by relevance:
/// `relevance_losses` with `plan_precision`.

#include "halfstep/calibrators/range/clipped_channels.hpp"
#include "halfstep/config.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/models/images.hpp"
#include "halfstep/models/vision_transformer.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "halfstep/quantizers/zero_policy.hpp"
#include "halfstep/recipes/min_max_rules.hpp"
#include "halfstep/recipes/percentile_rules.hpp"
#include "halfstep/recipes/quantized_model.hpp"
#include "halfstep/recipes/repq.hpp"
#include "halfstep/recipes/uniform_bits.hpp"
#include "halfstep/recipes/vit_calibration.hpp"

#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The input of a layer behind a LayerNorm by clipped channel ranges, then one quantizer for all. Class: ordered.
[[nodiscard]] inline Activation layer_wise_clipped(VitSite& at, const ClippedChannelsOptions& options = {}) {
  return with_uniform_bits("layer_wise_clipped", "bits", at.bits.activation, [&]<int Bits>() {
    const std::vector<Range> ranges = clipped_channel_ranges(channel_ranges(at.lhs, at.executor), options);
    std::vector<Uniform<Bits>> channels;
    for (const Range& range : ranges) channels.push_back(clipped_channel_fit<Bits>(range));
    return Activation(make_layer_wise(at, channels));
  });
}

namespace recipes {

/// What LRP-QViT leaves to choose.
struct LrpQvitOptions {
  ClippedChannelsOptions clip = {};
  ZeroPolicy zero = ZeroPolicy::mask;  ///< of probabilities
};

/// Quantizes `vit` by LRP-QViT's clipped channel-wise quantization. Errors and class: those of `calibrate_sites`.
[[nodiscard]] inline QuantizedVit lrp_qvit(const Vit& vit, const ImageView& calibration,
                                           const VitRecipeOptions& options = {}, const LrpQvitOptions& method = {}) {
  const auto calibrate = [&](VitSite& at) -> SiteSpec {
    if (at.is_attention()) return repq_attention(at, method.zero);
    return percentile_weight(at, at.role == SiteRole::after_norm
                                     ? layer_wise_clipped(at, method.clip)
                                     : percentile_activation(at.lhs, at.bits.activation, at.executor));
  };
  return calibrate_sites("lrp_qvit", vit, calibration, options, CalibrationInputs::float_model, calibrate);
}

}  // namespace recipes
}  // namespace halfstep::inline HALFSTEP_ABI
