#pragma once

/// \file
/// AWQ's scale search: weight columns that large activations meet are widened before the weight is quantized.
///
///     a_c     = mean over tokens |x_c|
///     scale_c = max(a_c^r, 1e-4) / sqrt(max_c scale * min_c scale)               r = 0, 1/20, ..., 19/20
///     error(r) = mean over tokens and outputs (x w^T - x (Q(w scale) / scale)^T)^2
///
/// The least error wins, of equals the smallest r. Only weights are quantized, so a channel that was never active loses
/// nothing by its scale, whatever that is.
///
/// Source: Lin et al., "AWQ: Activation-aware Weight Quantization for LLM Compression and Acceleration", MLSys 2024,
/// section 3.2; the formula is that of the published program, which takes the activations' mean alone. Its second step,
/// a search of weight clipping, is `mse_range`'s matter.

#include "halfstep/calibrators/range/fit_each.hpp"
#include "halfstep/calibrators/transform/channel_maxima.hpp"
#include "halfstep/calibrators/transform/channel_means.hpp"
#include "halfstep/calibrators/transform/layer_output_error.hpp"
#include "halfstep/calibrators/transform/shift_scale.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/any_matrix_view.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/progress.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/kernels/quantize.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// How AWQ searches.
struct AwqOptions {
  Tiling weight_tiling = per_group(128);
  int steps = 20;                  ///< ratios r = 0, 1 / steps, ..., 1 - 1 / steps; at least 1
  ExecutorRef executor = {};       ///< results do not depend on it
  ProgressCallback progress = {};  ///< may cancel
};

/// What AWQ settles on, and what it tried.
struct Awq {
  ShiftScale transform;        ///< a scale for each channel, no shift
  double ratio = 0;            ///< the r that won
  Index index = 0;             ///< its number
  std::vector<double> errors;  ///< of each ratio, as above
  bool is_complete = true;     ///< false: the progress callback stopped the search
};

/// The scales of channels of these mean magnitudes for a ratio, all float32 but for the power.
[[nodiscard]] inline std::vector<float> awq_scales(const std::vector<float>& means, double ratio) {
  std::vector<float> scales;
  scales.reserve(means.size());
  float least = std::numeric_limits<float>::max(), largest = 0;
  for (const float mean : means) {
    const float scale = std::max(static_cast<float>(std::pow(static_cast<double>(mean), ratio)), 1e-4f);
    least = std::min(least, scale);
    largest = std::max(largest, scale);
    scales.push_back(scale);
  }
  const auto middle = static_cast<float>(std::sqrt(static_cast<double>(largest) * static_cast<double>(least)));
  for (float& scale : scales) scale /= middle;
  return scales;
}

/// The error of scales for the weight `w`: what its quantization changes in the output for `x`, summed over both.
template <ScalarQuantizer Q, FitRule<Q> Rule>
[[nodiscard]] double awq_error(const MatrixF& x, const MatrixF& w, const std::vector<float>& scales,
                               const AwqOptions& options, const Rule& rule) {
  MatrixF scaled = w;
  for (Index o = 0; o < w.rows(); ++o) {
    for (Index c = 0; c < w.cols(); ++c) scaled(o, c) *= scales[static_cast<std::size_t>(c)];
  }
  const TilingGrid grid(options.weight_tiling, shape_of(view(scaled)));
  const std::vector<Range> ranges = granule_ranges("awq", view(scaled), grid, options.executor);
  const QuantizeOptions how{.tiling = options.weight_tiling, .executor = options.executor};
  MatrixF change = dequantize(quantize_with(scaled, fit_each<Q>(ranges, rule), how), options.executor);
  for (Index o = 0; o < w.rows(); ++o) {
    for (Index c = 0; c < w.cols(); ++c) {
      change(o, c) = change(o, c) / scales[static_cast<std::size_t>(c)] - w(o, c);
    }
  }
  return squared_output_error<double>(x, change, {}, options.executor);
}

/// The transform for activations like `x` `[tokens, channels]` that all of `weights` `[out_features, channels]` read,
/// when the weights are quantized by `Q`. `rule` makes a quantizer of a granule's range; what is published is
/// `awq<Uniform<4>>(x, {w}, {}, awq_fit<4>)`, whose range need not hold 0.
///
/// Errors: no tokens; an element of x or of a weight that is not finite, by row and column; a weight of another number
/// of columns, or no weights; steps below 1. One product of tokens * channels * outputs for each ratio. Class: bounded,
/// for any executor.
///
///     const auto found = awq<Uniform<4>>(x, {w_q, w_k, w_v});
///     fold(found.transform, norm, {q, k, v});
template <ScalarQuantizer Q, FitRule<Q> Rule = LibraryFit<Q>>
[[nodiscard]] Awq awq(const AnyMatrixView& x, const std::vector<AnyMatrixView>& weights, const AwqOptions& options = {},
                      const Rule& rule = {}) {
  if (options.steps < 1) raise("awq", "steps is ", options.steps, ", expected at least 1");
  require_weights("awq", weights, x.cols());
  if (x.rows() == 0) raise("awq", "x of shape ", x.shape(), " has no tokens");
  const MatrixF tokens = checked_copy("awq", "x", x);
  std::vector<MatrixF> copies;
  Index outputs = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    copies.push_back(checked_copy("awq", concat("weight ", i), weights[i]));
    outputs += weights[i].rows();
  }
  if (outputs == 0) raise("awq", "the weights have no rows, expected output features");
  const std::vector<float> means = channel_means("awq", {tokens}, options.executor, MeanOf::magnitudes);
  const double count = static_cast<double>(x.rows()) * static_cast<double>(outputs);
  Awq result;
  for (int step = 0; step < options.steps; ++step) {
    const double ratio = static_cast<double>(step) / options.steps;
    std::vector<float> scales = awq_scales(means, ratio);
    double sum = 0;
    for (const MatrixF& w : copies) sum += awq_error<Q>(tokens, w, scales, options, rule);
    result.errors.push_back(sum / count);
    if (step == 0 || result.errors.back() < result.errors[static_cast<std::size_t>(result.index)]) {
      result.index = step;
      result.ratio = ratio;
      result.transform.scale = std::move(scales);
    }
    if (!options.progress || options.progress({step + 1, options.steps})) continue;
    result.is_complete = step + 1 == options.steps;
    break;
  }
  return result;
}

}  // namespace halfstep::inline HALFSTEP_ABI
