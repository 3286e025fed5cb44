#pragma once

/// \file
/// Rules of RepQ-ViT that other recipes share: uniform quantizers whose range is the percentile of least squared error,
/// and one quantizer for the channels behind a LayerNorm.

#include "halfstep/calibrators/range/percentile_mse.hpp"
#include "halfstep/calibrators/range/published_fits.hpp"
#include "halfstep/calibrators/transform/repq.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/layers/site_spec.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "halfstep/recipes/norm_fold.hpp"
#include "halfstep/recipes/uniform_bits.hpp"
#include "halfstep/recipes/vit_site.hpp"

#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// `weight` `[out_features, in_features]` rounded to nearest with a quantizer for each row, and packed. Class: exact.
template <int Bits>
[[nodiscard]] PackedMatrix pack_rows(MatrixView<const float> weight, const std::vector<Uniform<Bits>>& rows,
                                     ExecutorRef executor) {
  return pack(quantize_with(weight, rows, {.tiling = per_row(), .executor = executor}), executor);
}

/// `weight` `[out_features, in_features]` rounded to nearest, each row affine with the percentile range of least
/// squared error (`percentile_mse`, `repq_fit`), and packed. Errors: bits other than 2 to 8; a weight without elements,
/// or one that is not finite. Class: ordered.
[[nodiscard]] inline PackedMatrix pack_percentile(MatrixView<const float> weight, int bits,
                                                  PercentileMseOptions options = {}) {
  options.tiling = per_row();
  return with_uniform_bits("pack_percentile", "bits", bits, [&]<int Bits>() {
    const auto choices = percentile_mse<Uniform<Bits>>(weight, options, repq_fit<Bits>);
    return pack_rows(weight, quantizers_of(choices), options.executor);
  });
}

/// The affine quantizer of all of `values` with the percentile range of least squared error. Errors and class: as
/// above.
[[nodiscard]] inline Activation percentile_activation(const MatrixF& values, int bits, ExecutorRef executor = {}) {
  return with_uniform_bits("percentile_activation", "bits", bits, [&]<int Bits>() {
    return Activation(percentile_mse<Uniform<Bits>>(values, {.executor = executor}, repq_fit<Bits>).front().quantizer);
  });
}

/// A linear site whose weight is rounded by percentiles and whose input is encoded by `input`.
[[nodiscard]] inline LinearSpec percentile_weight(const VitSite& at, const Activation& input) {
  return {pack_percentile(at.layer->weight_view(), at.bits.weight, {.executor = at.executor}), at.bits.weight, input};
}

/// Both operands of an attention site by percentiles, one quantizer for all heads.
[[nodiscard]] inline AttentionSpec percentile_attention(const VitSite& at) {
  return {{percentile_activation(at.lhs, at.bits.activation, at.executor)},
          {percentile_activation(at.rhs, at.bits.activation, at.executor)}};
}

/// Makes one quantizer of those of the channels behind a LayerNorm, by moving their differences into the norm and the
/// layer that reads it (`channel_to_layer`); `at.lhs` moves along. Class: ordered.
template <int Bits>
[[nodiscard]] Uniform<Bits> make_layer_wise(VitSite& at, const std::vector<Uniform<Bits>>& channels,
                                            const ChannelToLayerOptions& options = {}) {
  const LayerQuantizer<Uniform<Bits>> layer = channel_to_layer(channels, options);
  fold_behind_norm(at, layer.transform);
  return layer.quantizer;
}

/// The input of a layer behind a LayerNorm: each channel by the percentile of least squared error, then all of them by
/// one quantizer. Source: Li et al., RepQ-ViT, ICCV 2023, section 3.2. Class: ordered.
[[nodiscard]] inline Activation layer_wise_percentile(VitSite& at, LayerTarget target = LayerTarget::mean) {
  return with_uniform_bits("layer_wise_percentile", "bits", at.bits.activation, [&]<int Bits>() {
    const auto channels =
        percentile_mse<Uniform<Bits>>(at.lhs, {.tiling = per_column(), .executor = at.executor}, repq_fit<Bits>);
    return Activation(make_layer_wise(at, quantizers_of(channels), {.target = target, .ranges = ranges_of(channels)}));
  });
}

/// A linear site as RepQ-ViT quantizes it: the input of layers behind a LayerNorm as above, of others per tensor; the
/// weight, which the first may have changed, by percentiles after that.
[[nodiscard]] inline Activation repq_input(VitSite& at, LayerTarget target = LayerTarget::mean) {
  if (at.role == SiteRole::after_norm) return layer_wise_percentile(at, target);
  return percentile_activation(at.lhs, at.bits.activation, at.executor);
}
[[nodiscard]] inline LinearSpec repq_linear(VitSite& at, LayerTarget target = LayerTarget::mean) {
  const Activation input = repq_input(at, target);
  return percentile_weight(at, input);
}

}  // namespace halfstep::inline HALFSTEP_ABI
