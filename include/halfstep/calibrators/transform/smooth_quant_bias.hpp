#pragma once

/// \file
/// SQ-b, SmoothQuant with a bias: channels are centred before their range moves into the weights.
///
///     mu_c    = mean over calibration tokens of y_c
///     scale_c = max(1e-8, max over tokens |y_c - mu_c|)^alpha / max(1e-8, max over rows |w(o, c)|)^(1 - alpha)
///     y W^T + b = ((y - mu) / scale) (W scale)^T + (b + W mu)
///
/// After it, activations are symmetric about 0 in every channel, so that one symmetric quantizer serves them all.
///
/// Source: Tai and Wu, "MPTQ-ViT: Mixed-Precision Post-Training Quantization for Vision Transformer", 2024, section on
/// SQ-b. Mean and algebra are the paper's; the form of the scale and alpha = 0.5 are SmoothQuant's, the floors ours.

#include "halfstep/calibrators/transform/balance_scale.hpp"
#include "halfstep/calibrators/transform/channel_maxima.hpp"
#include "halfstep/calibrators/transform/channel_means.hpp"
#include "halfstep/calibrators/transform/shift_scale.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/any_matrix_view.hpp"
#include "halfstep/core/executor.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// How SQ-b divides the ranges.
struct SmoothQuantBiasOptions {
  float alpha = 0.5f;                                ///< 0 to 1
  InactiveChannel inactive = InactiveChannel::keep;  ///< of channels that never leave their mean
  ExecutorRef executor = {};                         ///< results do not depend on it
};

/// The transform of activations of which `batches` `[tokens, channels]` are samples and that all of `weights`
/// `[out_features, channels]` read: shift and scale, for `fold` into the LayerNorm in front and the consumers. A
/// channel that never leaves its mean is shifted and keeps scale 1, but where `inactive` is published.
///
/// Errors: no tokens; batches of different numbers of channels; an element that is not finite, by row and column; a
/// weight of another number of columns; alpha outside of 0 to 1. Reads the batches twice. Class: bounded
/// (`balance_scale`; the means are ordered), for any executor.
///
///     auto t = smooth_quant_bias({batch0, batch1}, {w_qkv});
///     fold(t, norm, {qkv});
[[nodiscard]] inline ShiftScale smooth_quant_bias(const std::vector<AnyMatrixView>& batches,
                                                  const std::vector<AnyMatrixView>& weights,
                                                  const SmoothQuantBiasOptions& options = {}) {
  constexpr float least = 1e-8f;
  require_alpha("smooth_quant_bias", options.alpha);
  ShiftScale t;
  t.shift = channel_means("smooth_quant_bias", batches, options.executor);
  const std::vector<float> columns =
      column_absmax("smooth_quant_bias", weights, static_cast<Index>(t.shift.size()), options.executor);
  std::vector<float> scratch(t.shift.size()), largest(t.shift.size());
  for (const AnyMatrixView& batch : batches) {
    for (Index r = 0; r < batch.rows(); ++r) {
      const float* const row = batch.row(r, scratch.data());
      for (std::size_t c = 0; c < largest.size(); ++c) {
        largest[c] = std::max(largest[c], std::fabs(row[c] - t.shift[c]));
      }
    }
  }
  t.scale.reserve(columns.size());
  for (std::size_t c = 0; c < columns.size(); ++c) {
    const bool keeps = options.inactive == InactiveChannel::keep && largest[c] < least;
    const float activation = std::max(largest[c], least), weight = std::max(columns[c], least);
    t.scale.push_back(keeps ? 1.0f : balance_scale(activation, weight, options.alpha));
  }
  return t;
}

}  // namespace halfstep::inline HALFSTEP_ABI
