#pragma once

/// \file
/// SmoothQuant: part of the activations' range moves into the weights, channel by channel.
///
///     a_c     = max over calibration tokens |x_c|,   w_c = max(1e-5, max over all rows of all consumers |w(o, c)|)
///     scale_c = max(a_c^alpha / w_c^(1 - alpha), 1e-5)
///
/// Source: Xiao et al., "SmoothQuant: Accurate and Efficient Post-Training Quantization for Large Language Models",
/// ICML 2023, section 4.2, and its published program. One thing differs by default: a channel that was never active has
/// the published scale 1e-5, which multiplies the norm's gain by 1e5 and all but deletes the weights' column. That is
/// harmless on the calibration set and explosive on anything else; such a channel keeps scale 1 here.

#include "halfstep/calibrators/transform/balance_scale.hpp"
#include "halfstep/calibrators/transform/channel_maxima.hpp"
#include "halfstep/calibrators/transform/shift_scale.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/any_matrix_view.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/vector_view.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// How SmoothQuant divides the ranges.
struct SmoothQuantOptions {
  float alpha = 0.5f;  ///< 0 to 1; published: 0.5 OPT and BLOOM, 0.6 to 0.7 Falcon, 0.8 Mistral, 0.85 to 0.9 Llama
  InactiveChannel inactive = InactiveChannel::keep;  ///< of channels whose largest |x| is below 1e-5
  ExecutorRef executor = {};                         ///< results do not depend on it
};

/// The transform of activations whose largest magnitudes are `channel_maxima` `[channels]` and that all of `weights`
/// `[out_features, channels]` read (q, k and v; fc1; gate and up): a `ShiftScale` without a shift, for `fold` into the
/// norm in front and the consumers. A column of zeros counts as 1e-5, as published.
///
/// Errors: a maximum that is negative or not finite, by channel; a weight of another number of columns, or with an
/// element that is not finite, by row and column; no weights; alpha outside of 0 to 1. Reads each weight once. Class:
/// bounded (`balance_scale`), for any executor.
///
///     MinMax seen(per_column());
///     for (const auto& batch : batches) seen.observe(batch);
///     auto t = smooth_quant(channel_absmax(seen.ranges()), {w_q, w_k, w_v}, {.alpha = 0.5f});
///     fold(t, norm, {q, k, v});
[[nodiscard]] inline ShiftScale smooth_quant(VectorView channel_maxima, const std::vector<AnyMatrixView>& weights,
                                             const SmoothQuantOptions& options = {}) {
  constexpr float least = 1e-5f;
  require_alpha("smooth_quant", options.alpha);
  require_maxima("smooth_quant", "channel_maxima", channel_maxima);
  const std::vector<float> columns = column_absmax("smooth_quant", weights, channel_maxima.size, options.executor);
  ShiftScale t;
  t.scale.reserve(columns.size());
  for (Index c = 0; c < channel_maxima.size; ++c) {
    const float weight = std::max(columns[static_cast<std::size_t>(c)], least);
    const bool keeps = options.inactive == InactiveChannel::keep && channel_maxima[c] < least;
    t.scale.push_back(keeps ? 1.0f : std::max(balance_scale(channel_maxima[c], weight, options.alpha), least));
  }
  return t;
}

}  // namespace halfstep::inline HALFSTEP_ABI
