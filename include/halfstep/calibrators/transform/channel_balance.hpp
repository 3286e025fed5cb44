#pragma once

/// \file
/// Static-dynamic channel balancing of diffusion transformers: scales from running maxima, per range of time steps.
///
///     act_c   = running average over calibration steps of: mean over samples of max over tokens |x_c|
///     scale_c = act_c^alpha / max_o |w(o, c)|^(1 - alpha)              one transform per range of time steps
///
/// What stays constant of a channel's imbalance goes into scales; what changes from step to step is spread out by a
/// rotation behind them: `apply(hadamard_rotation(channels), apply(t, x))`, `fold` in the same order.
///
/// Source: Zhao et al., "ViDiT-Q: Efficient and Accurate Quantization of Diffusion Transformers for Image and Video
/// Generation", 2024, section on static-dynamic channel balancing, and its published program (which has no rotation).
/// The program floors an act of 0 at 1e-5 and divides by a maximum of 0; here that is floored at 1e-5 too. It uses the
/// weight steps of the first range for all of them: quantize the weight anew for each range's transform.

#include "halfstep/calibrators/range/running_average.hpp"
#include "halfstep/calibrators/transform/balance_scale.hpp"
#include "halfstep/calibrators/transform/channel_maxima.hpp"
#include "halfstep/calibrators/transform/shift_scale.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/any_matrix_view.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/core/vector_view.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// How `TimestepMaxima` are kept.
struct TimestepMaximaOptions {
  std::vector<Index> last_steps = {};  ///< last time step of each range but the final one, ascending; empty: one range
  float sigma = 0.05f;                 ///< weight of a new calibration step, in (0, 1]; published momentum 0.95
};

/// The running maxima of channels, for each range of time steps by itself: the first calibration step of a range sets
/// them, each further one moves them. Depends on the order of steps. Class: ordered.
class TimestepMaxima {
 public:
  explicit TimestepMaxima(TimestepMaximaOptions options = {}) : options_(std::move(options)) {
    for (std::size_t i = 1; i < options_.last_steps.size(); ++i) {
      if (options_.last_steps[i] > options_.last_steps[i - 1]) continue;
      raise("TimestepMaxima", "last_steps[", i, "] is ", options_.last_steps[i], ", expected more than ",
            options_.last_steps[i - 1], " before it");
    }
    averages_.assign(options_.last_steps.size() + 1, RunningAverage({.sigma = options_.sigma}));
  }

  /// The number of ranges.
  [[nodiscard]] Index ranges() const { return static_cast<Index>(averages_.size()); }
  /// The range of a time step.
  [[nodiscard]] Index range_of(Index timestep) const {
    const auto& last = options_.last_steps;
    return static_cast<Index>(std::lower_bound(last.begin(), last.end(), timestep) - last.begin());
  }

  /// Adds the activations of one calibration step: `x` `[samples * tokens, channels]`, sample after sample. Errors: no
  /// rows, or rows that `samples` does not divide; another number of channels than before; an element that is not
  /// finite, by row and column.
  template <Viewable M>
  void observe(const M& x, Index samples, Index timestep, ExecutorRef executor = {}) {
    const auto source = view(x);
    require_readable("TimestepMaxima::observe", "x", source);
    if (samples < 1 || source.rows == 0 || source.rows % samples != 0) {
      raise("TimestepMaxima::observe", "x has ", source.rows, " rows, expected tokens of ", samples, " samples");
    }
    if (channels_ >= 0 && source.cols != channels_) {
      raise("TimestepMaxima::observe", "x has ", source.cols, " columns, expected ", channels_, " as before");
    }
    const Index tokens = source.rows / samples;
    require_finite("TimestepMaxima::observe", "x", source, executor);
    std::vector<double> sums(static_cast<std::size_t>(source.cols));
    for (Index sample = 0; sample < samples; ++sample) {
      const std::vector<float> maxima = channel_absmax(source.row_range(sample * tokens, tokens), executor);
      for (std::size_t c = 0; c < sums.size(); ++c) sums[c] += static_cast<double>(maxima[c]);
    }
    std::vector<Range> current;
    for (const double sum : sums) current.push_back({0, static_cast<float>(sum / static_cast<double>(samples)), 0});
    averages_[static_cast<std::size_t>(range_of(timestep))].update(current);
    channels_ = source.cols;
  }

  /// The maxima of a range, `[channels]`. Errors: no such range; no step of it was observed.
  [[nodiscard]] std::vector<float> maxima(Index range = 0) const {
    if (range < 0 || range >= ranges()) raise("TimestepMaxima::maxima", "range is ", range, " of ", ranges());
    const RunningAverage& average = averages_[static_cast<std::size_t>(range)];
    if (average.batches() == 0) raise("TimestepMaxima::maxima", "no time step of range ", range, " was observed");
    return channel_absmax(average.ranges());
  }

 private:
  TimestepMaximaOptions options_;
  std::vector<RunningAverage> averages_;  // by range
  Index channels_ = -1;                   // of the first calibration step; -1: there was none
};

/// How `channel_balance` divides the ranges.
struct ChannelBalanceOptions {
  float alpha = 0.3f;                                ///< 0 to 1; 0.3 in the published W4A8 recipe
  InactiveChannel inactive = InactiveChannel::keep;  ///< of channels whose maximum is 0
  ExecutorRef executor = {};                         ///< results do not depend on it
};

/// The transform of activations whose running maxima are `channel_maxima` `[channels]` and that all of `weights` read.
/// Errors: a maximum that is negative or not finite, by channel; a weight of another number of columns, or with an
/// element that is not finite, by row and column; no weights; alpha outside of 0 to 1. Reads each weight once. Class:
/// bounded (`balance_scale`), for any executor.
[[nodiscard]] inline ShiftScale channel_balance(VectorView channel_maxima, const std::vector<AnyMatrixView>& weights,
                                                const ChannelBalanceOptions& options = {}) {
  constexpr float least = 1e-5f;
  require_alpha("channel_balance", options.alpha);
  require_maxima("channel_balance", "channel_maxima", channel_maxima);
  const std::vector<float> columns = column_absmax("channel_balance", weights, channel_maxima.size, options.executor);
  ShiftScale t;
  t.scale.reserve(columns.size());
  for (Index c = 0; c < channel_maxima.size; ++c) {
    const float activation = channel_maxima[c] > 0 ? channel_maxima[c] : least;
    const float weight = std::max(columns[static_cast<std::size_t>(c)], least);
    const bool keeps = options.inactive == InactiveChannel::keep && channel_maxima[c] == 0;
    t.scale.push_back(keeps ? 1.0f : balance_scale(activation, weight, options.alpha));
  }
  return t;
}

}  // namespace halfstep::inline HALFSTEP_ABI
