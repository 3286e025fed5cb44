#pragma once

/// \file
/// Outlier Suppression+ (OS+): channels are centred, and those that still reach beyond a searched threshold are shrunk
/// to it.
///
///     shift_c = (max_t x_c + min_t x_c) / 2
///     scale_c = max(1, max_t x'_c / t, min_t x'_c / -t)              x' = x - shift; t: the threshold of the layer
///     error(t) = mean over tokens of sum over outputs (Q(x' / scale) Q(w scale)^T - x' w^T)^2
///
/// t goes from the largest |x'| down to 1 in even steps, at least 100 of them; of equal errors the first wins. Where
/// nothing exceeds 1 there is nothing to try, and no channel is scaled.
///
/// Source: Wei et al., "Outlier Suppression+: Accurate quantization of large language models by equivalent and optimal
/// shifting and scaling", EMNLP 2023, sections 4.1 and 4.2, and its published program. A range of -t to t makes the
/// zero point of affine codes an exact tie, 31.5 or 127.5, which rounding noise decides; so shift, x', x' / scale, w *
/// scale and the quantizers are float32 with true divisions, as published, and only products are summed in double. The
/// published program compares what a whole attention or gate makes of the outputs where there is one:
/// `OutlierSuppressionPlusOptions::compared`.

#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/calibrators/transform/channel_maxima.hpp"
#include "halfstep/calibrators/transform/layer_output_error.hpp"
#include "halfstep/calibrators/transform/shift_scale.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/any_matrix_view.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/progress.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/simd/pinned.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// What becomes of the middle of each channel's range.
enum class ChannelShift {
  centre,  ///< it is moved to 0
  none,    ///< it stays: behind an RMSNorm, which has no bias to take a shift
};

/// What is compared instead of the outputs of the layers that read x: a function of them, all `x w^T`, `[tokens,
/// out_features]`, in the order of the weights.
using OutputsToCompare = FunctionRef<MatrixF(const std::vector<MatrixF>& outputs)>;

/// How OS+ searches. The published settings: 8 bits symmetric, all per tensor; 6 bits affine, weight per row; 4 bits
/// with groups of 1024; Llama without shift, down to 0.1, activations per token.
struct OutlierSuppressionPlusOptions {
  ChannelShift shift = ChannelShift::centre;
  double lowest_threshold = 1.0;            ///< where the search ends, positive
  Tiling activation_tiling = per_tensor();  ///< per tensor: the range of activations is -t to t; else their own
  Symmetry activation_symmetry = Symmetry::affine;
  Tiling weight_tiling = per_row();
  Symmetry weight_symmetry = Symmetry::affine;
  OutputsToCompare compared = {};  ///< none: the outputs as they are
  ExecutorRef executor = {};       ///< results do not depend on it
  ProgressCallback progress = {};  ///< told of thresholds; may cancel
};

/// What OS+ settles on, and what it tried.
struct OutlierSuppressionPlus {
  ShiftScale transform;            ///< the scale has an entry per channel, 1 where a channel is left as it is
  float threshold = 0;             ///< the t that won; 0 where nothing was tried
  Index index = -1;                ///< its number among the candidates; -1 where nothing was tried
  std::vector<double> thresholds;  ///< in the order in which they were tried
  std::vector<double> errors;      ///< of each, as above
  bool is_complete = true;         ///< false: the progress callback stopped the search
};

/// The scales of channels of these ranges for a threshold.
[[nodiscard]] inline std::vector<float> scales_of_threshold(const std::vector<Range>& channels, float threshold) {
  std::vector<float> scales;
  scales.reserve(channels.size());
  for (const Range& range : channels) {
    float scale = 1.0f;
    if (range.max > threshold) scale = std::max(scale, range.max / threshold);
    if (range.min < -threshold) scale = std::max(scale, range.min / -threshold);
    scales.push_back(scale);
  }
  return scales;
}

/// The candidates of the search: top, top - step, ... by repeated subtraction in double, down to `lowest`.
[[nodiscard]] inline std::vector<double> candidate_thresholds(const std::vector<Range>& channels, double lowest) {
  float least = 0, largest = 0;
  for (const Range& range : channels) {
    least = std::min(least, range.min);
    largest = std::max(largest, range.max);
  }
  const auto top = static_cast<double>(std::max(-least, largest));
  // At a step of half a unit or less; a thousand millions of candidates are nobody's wish.
  const double steps = std::clamp(static_cast<double>(static_cast<Index>(std::min(largest / 0.5f, 1e6f))), 100.0, 1e6);
  const double step = (top - lowest) / steps;
  std::vector<double> thresholds;
  if (!(top >= lowest)) return thresholds;
  if (step == 0) return {top};
  for (double t = top; t >= lowest; t -= step) thresholds.push_back(t);
  return thresholds;
}

/// The objective of OS+ for one layer, whose data is checked and copied.
template <ScalarQuantizer A, ScalarQuantizer W>
class OutlierSuppressionError {
 public:
  OutlierSuppressionError(const MatrixF& shifted, std::vector<MatrixF> weights, const std::vector<Range>& channels,
                          const OutlierSuppressionPlusOptions& options)
      : shifted_(shifted), weights_(std::move(weights)), channels_(channels), options_(options) {
    if (options.compared) {
      expected_ = compared(shifted_, weights_);
    } else {
      for (const MatrixF& w : weights_) outputs_.push_back(layer_output<double>(shifted_, w, options.executor));
    }
  }

  [[nodiscard]] double operator()(float threshold) const {
    const std::vector<float> scales = scales_of_threshold(channels_, threshold);
    MatrixF x = apply(ShiftScale{{}, scales}, shifted_, options_.executor);
    if (options_.activation_tiling == per_tensor()) {
      const A q = fit<A>({-threshold, threshold, threshold / 2}, options_.activation_symmetry);
      x = fake_quantize(x, q, options_.executor);
    } else {
      x = quantized<A>(x, options_.activation_tiling, options_.activation_symmetry);
    }
    std::vector<MatrixF> weights = weights_;
    for (MatrixF& w : weights) {
      for (Index o = 0; o < w.rows(); ++o) {
        for (Index c = 0; c < w.cols(); ++c) w(o, c) *= scales[static_cast<std::size_t>(c)];
      }
      w = quantized<W>(w, options_.weight_tiling, options_.weight_symmetry);
    }
    return squared_error(x, weights) / static_cast<double>(x.rows());
  }

 private:
  [[nodiscard]] double squared_error(const MatrixF& x, const std::vector<MatrixF>& weights) const {
    double sum = 0;
    if (options_.compared) {
      const MatrixF found = compared(x, weights);
      for (Index i = 0; i < found.size(); ++i) {
        const double error = static_cast<double>(found.data()[i]) - static_cast<double>(expected_.data()[i]);
        sum += simd::pinned(error * error);
      }
      return sum;
    }
    for (std::size_t i = 0; i < weights.size(); ++i) {
      sum += squared_output_error<double>(x, weights[i], outputs_[i], options_.executor);
    }
    return sum;
  }

  [[nodiscard]] MatrixF compared(const MatrixF& x, const std::vector<MatrixF>& weights) const {
    std::vector<MatrixF> outputs;
    for (const MatrixF& w : weights) {
      outputs.push_back(layer_output<double>(x, w, options_.executor).template cast<float>());
    }
    return options_.compared(outputs);
  }

  template <ScalarQuantizer Q>
  [[nodiscard]] MatrixF quantized(const MatrixF& matrix, const Tiling& tiling, Symmetry symmetry) const {
    const QuantizeOptions options{.tiling = tiling, .symmetry = symmetry, .executor = options_.executor};
    return dequantize(quantize<Q>(matrix, options), options_.executor);
  }

  const MatrixF& shifted_;
  std::vector<MatrixF> weights_;
  const std::vector<Range>& channels_;
  const OutlierSuppressionPlusOptions& options_;
  std::vector<MatrixD> outputs_;  // of x as it is; those to compare, one of the two
  MatrixF expected_;
};

/// Tries the candidates in order.
template <class Error>
void search_threshold(const Error& error, const OutlierSuppressionPlusOptions& options, OutlierSuppressionPlus& result,
                      const std::vector<double>& candidates) {
  const auto total = static_cast<Index>(candidates.size());
  for (const double candidate : candidates) {
    const auto threshold = static_cast<float>(candidate);
    result.thresholds.push_back(candidate);
    result.errors.push_back(error(threshold));
    const auto tried = static_cast<Index>(result.errors.size());
    if (result.index < 0 || result.errors.back() < result.errors[static_cast<std::size_t>(result.index)]) {
      result.index = tried - 1;
      result.threshold = threshold;
    }
    if (options.progress && !options.progress({tried, total})) {
      result.is_complete = tried == total;
      return;
    }
  }
}

/// The middles of the channels' ranges.
[[nodiscard]] inline std::vector<float> channel_middles(const std::vector<Range>& channels) {
  std::vector<float> middles;
  middles.reserve(channels.size());
  for (const Range& range : channels) middles.push_back((range.max + range.min) / 2);
  return middles;
}

/// The transform for activations like `x` `[tokens, channels]`, one calibration batch as in the published program, that
/// all of `weights` `[out_features, channels]` read, when activations are quantized by `A` and weights by `W`. The
/// ranges of transformed activations are calibrated afterwards, on more data.
///
/// Errors: no tokens; an element of x or of a weight that is not finite, by row and column; a weight of another number
/// of columns, or no weights; a threshold to end at that is not positive. About 100 candidates (twice the largest value
/// of x, where that is more), each tokens * channels * outputs products. Class: bounded, for any executor.
///
///     const auto found = outlier_suppression_plus<Uniform<6>>(x, {w_q, w_k, w_v});
///     fold(found.transform, norm, {q, k, v});
template <ScalarQuantizer A, ScalarQuantizer W = A>
[[nodiscard]] OutlierSuppressionPlus outlier_suppression_plus(const AnyMatrixView& x,
                                                              const std::vector<AnyMatrixView>& weights,
                                                              const OutlierSuppressionPlusOptions& options = {}) {
  constexpr std::string_view where = "outlier_suppression_plus";
  if (!(options.lowest_threshold > 0)) {
    raise(where, "lowest_threshold is ", options.lowest_threshold, ", expected a positive number");
  }
  if (x.rows() == 0) raise(where, "x of shape ", x.shape(), " has no tokens");
  require_weights(where, weights, x.cols());
  MatrixF shifted = checked_copy(where, "x", x);
  std::vector<MatrixF> copies;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    copies.push_back(checked_copy(where, concat("weight ", i), weights[i]));
  }
  const auto ranges_of_channels = [&] {
    MinMax seen(per_column());
    seen.observe(shifted, options.executor);
    return x.cols() == 0 ? std::vector<Range>() : seen.ranges();
  };
  OutlierSuppressionPlus result;
  if (options.shift == ChannelShift::centre) {
    result.transform.shift = channel_middles(ranges_of_channels());
    shifted = apply(result.transform, shifted, options.executor);
  }
  const std::vector<Range> channels = ranges_of_channels();
  const std::vector<double> candidates = candidate_thresholds(channels, options.lowest_threshold);
  const OutlierSuppressionError<A, W> error(shifted, std::move(copies), channels, options);
  search_threshold(error, options, result, candidates);
  result.transform.scale =
      result.index < 0 ? std::vector<float>(channels.size(), 1.0f) : scales_of_threshold(channels, result.threshold);
  return result;
}

}  // namespace halfstep::inline HALFSTEP_ABI
