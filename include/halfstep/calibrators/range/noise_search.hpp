#pragma once

/// \file
/// NoisyQuant's searches: the clip of a symmetric quantizer, then the mean and the amplitude of the noise that a
/// layer's input gets before it is encoded, each by the error of the layer's output.
///
/// With x `[tokens, channels]` and Wq `[out_features, channels]` the decoded weight, the objective is the mean of
/// `(Q(x + N) Wq^T - Wq N - x Wq^T)^2`: both sides multiply with the quantized weight, as the deployed layer does.
/// Against the float weight another clip would win.
///
/// Source: Liu et al., "NoisyQuant", CVPR 2023; the scans are those of the published program, whose noise is drawn
/// along a random direction, here an input. Transform and bias: calibrators/transform/noisy_bias.hpp.

#include "halfstep/calibrators/range/error_scan.hpp"
#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/calibrators/range/product_error.hpp"
#include "halfstep/calibrators/range/squared_error.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/progress.hpp"
#include "halfstep/core/random.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/core/read_row.hpp"
#include "halfstep/core/vector_view.hpp"
#include "halfstep/quantizers/scale.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "halfstep/simd/pinned.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Options of `noise_search`.
struct NoiseSearchOptions {
  int clip_steps = 1000;       ///< clips `absmax * i / clip_steps`, i = clip_steps .. 1
  int mean_steps = 200;        ///< means `scale * i / mean_steps`, i = -mean_steps .. mean_steps - 1
  int amplitude_steps = 2000;  ///< noise `mean + direction * i / 1000`, i = 0 .. amplitude_steps - 1
  VectorView direction = {};   ///< `[channels]`, finite; empty: `(2 n - 1) * scale`, n normal, channel c at position c
  std::uint64_t seed = 0;      ///< of the direction, where it is drawn
  ExecutorRef executor = {};   ///< results do not depend on it
  ProgressCallback progress = {};
};

/// What `noise_search` settles on. Errors are means over tokens and output features.
template <int Bits>
struct NoiseChoice {
  Uniform<Bits> quantizer;   ///< symmetric; encodes x + noise
  std::vector<float> noise;  ///< `[channels]`: what `with_noise` takes
  float mean = 0;            ///< of the second scan
  double clip_mse = 0;       ///< of the best clip: no noise, codes within +-(2^(b-1) - 1)
  double no_noise_mse = 0;   ///< of the quantizer as it stands, whose codes reach -2^(b-1)
  double mean_mse = 0;       ///< of the best mean
  double mse = 0;            ///< of `noise`
  bool is_complete = true;   ///< false: the progress callback stopped the search
};

/// The scans of `noise_search` over checked data.
template <int Bits>
class NoiseScans {
 public:
  NoiseScans(const MatrixF& x, const MatrixView<const float>& weight, const NoiseSearchOptions& options)
      : x_(halfstep::view(x)),
        options_(options),
        error_(weight, options.executor),
        meter_(options.progress, Index{options.clip_steps} + 2 * Index{options.mean_steps} + options.amplitude_steps),
        mean_of_(1.0 / (static_cast<double>(x.rows()) * static_cast<double>(weight.rows))) {}

  [[nodiscard]] NoiseChoice<Bits> run() {
    choice_.noise.assign(static_cast<std::size_t>(x_.cols), 0.0f);
    MinMax seen;
    seen.observe(x_, options_.executor);
    const float largest = absmax(seen.range());
    choice_.quantizer.zero_point = zero_point;
    if (largest == 0) return choice_;  // there is no step to tie noise to
    scan_clips(largest);
    if (!meter_.is_stopped()) scan_means();
    if (!meter_.is_stopped()) scan_amplitudes();
    choice_.is_complete = !meter_.is_stopped();
    return choice_;
  }

 private:
  static constexpr int zero_point = 1 << (Bits - 1);
  static constexpr auto largest_code = static_cast<float>(zero_point - 1);
  using Noise = FunctionRef<float(Index channel)>;

  void scan_clips(float largest) {
    const auto clip_of = [&](Index i) {
      const auto steps = static_cast<double>(options_.clip_steps);
      return static_cast<float>(static_cast<double>(largest) * ((steps - static_cast<double>(i)) / steps));
    };
    const auto quantizer_of = [&](Index i) {
      return Uniform<Bits>{usable_scale(clip_of(i) / largest_code), zero_point};
    };
    const auto fill = [&](const float* x, Index first, MatrixD& changes) {
      std::vector<float> clipped(static_cast<std::size_t>(x_.cols));
      for (Index i = 0; i < changes.rows(); ++i) {
        const float clip = clip_of(first + i);
        for (Index c = 0; c < x_.cols; ++c) clipped[static_cast<std::size_t>(c)] = std::clamp(x[c], -clip, clip);
        store_changes(quantizer_of(first + i), clipped, changes.data() + i * x_.cols);
        for (Index c = 0; c < x_.cols; ++c) {
          changes(i, c) += static_cast<double>(clipped[static_cast<std::size_t>(c)]) - static_cast<double>(x[c]);
        }
      }
    };
    const LeastError best = least_error(error_, x_, options_.clip_steps, options_.executor, meter_, fill);
    choice_.quantizer = quantizer_of(best.candidate);
    choice_.clip_mse = choice_.no_noise_mse = choice_.mean_mse = choice_.mse = best.error * mean_of_;
  }

  void scan_means() {
    const auto mean_of = [&](Index i) {
      const double share = static_cast<double>(i - options_.mean_steps) / static_cast<double>(options_.mean_steps);
      return static_cast<float>(static_cast<double>(choice_.quantizer.scale) * share);
    };
    const LeastError best = scan(
        2 * Index{options_.mean_steps}, [&](Index i, Index) { return mean_of(i); },
        [&](Index i, double error) {
          if (i == options_.mean_steps) choice_.no_noise_mse = error * mean_of_;
        });
    choice_.mean = mean_of(best.candidate);
    std::fill(choice_.noise.begin(), choice_.noise.end(), choice_.mean);
    choice_.mean_mse = choice_.mse = best.error * mean_of_;
  }

  void scan_amplitudes() {
    std::vector<float> direction(static_cast<std::size_t>(x_.cols));
    const Random random(options_.seed);
    for (Index c = 0; c < x_.cols; ++c) {
      const float drawn = (2.0f * random.normal(static_cast<std::uint64_t>(c)) - 1.0f) * choice_.quantizer.scale;
      direction[static_cast<std::size_t>(c)] = options_.direction.empty() ? drawn : options_.direction[c];
    }
    const auto noise_of = [&](Index i, Index c) {
      return choice_.mean + simd::pinned(direction[static_cast<std::size_t>(c)] * (static_cast<float>(i) / 1000.0f));
    };
    const LeastError best = scan(options_.amplitude_steps, noise_of, {});
    if (best.candidate < 0) return;  // no steps
    for (Index c = 0; c < x_.cols; ++c) choice_.noise[static_cast<std::size_t>(c)] = noise_of(best.candidate, c);
    choice_.mse = best.error * mean_of_;
  }

  /// Candidates `noise_of(candidate, channel)` under the quantizer that was chosen.
  LeastError scan(Index count, FunctionRef<float(Index candidate, Index channel)> noise_of,
                  FunctionRef<void(Index candidate, double error)> visit) {
    const auto fill = [&](const float* x, Index first, MatrixD& changes) {
      std::vector<float> noisy(static_cast<std::size_t>(x_.cols));
      for (Index i = 0; i < changes.rows(); ++i) {
        for (Index c = 0; c < x_.cols; ++c) noisy[static_cast<std::size_t>(c)] = x[c] + noise_of(first + i, c);
        store_changes(choice_.quantizer, noisy, changes.data() + i * x_.cols);
      }
    };
    return least_error(error_, x_, count, options_.executor, meter_, fill, visit);
  }

  /// `to[c] = decode(encode(values[c])) - values[c]`.
  static void store_changes(const Uniform<Bits>& q, const std::vector<float>& values, double* to) {
    float errors[ColumnSums::width];
    for (std::size_t c = 0; c < values.size(); c += ColumnSums::width) {
      const std::size_t count = std::min(ColumnSums::width, values.size() - c);
      quantization_errors(q, values.data() + c, count, errors);
      for (std::size_t j = 0; j < count; ++j) to[c + j] = -static_cast<double>(errors[j]);
    }
  }

  MatrixView<const float> x_;
  const NoiseSearchOptions& options_;
  ProductError error_;
  SearchMeter meter_;
  double mean_of_;  // factor from a sum of errors to their mean
  NoiseChoice<Bits> choice_;
};

/// Refuses data and options that `noise_search` cannot use.
inline void require_noise_search(Shape x, Shape weight, const NoiseSearchOptions& options) {
  if (x.rows == 0 || x.cols == 0) raise("noise_search", "x of shape ", x, " has no elements");
  if (weight.cols != x.cols) {
    raise("noise_search", "weight has ", weight.cols, " columns, x has ", x.cols, " (channels)");
  }
  if (weight.rows == 0) raise("noise_search", "weight of shape ", weight, " has no elements");
  if (options.clip_steps < 1) raise("noise_search", "clip_steps is ", options.clip_steps, ", expected at least 1");
  if (options.mean_steps < 1) raise("noise_search", "mean_steps is ", options.mean_steps, ", expected at least 1");
  if (options.amplitude_steps < 0) {
    raise("noise_search", "amplitude_steps is ", options.amplitude_steps, ", expected at least 0");
  }
  const VectorView direction = options.direction;
  if (direction.empty()) return;
  if (direction.size != x.cols) {
    raise("noise_search", "direction has ", direction.size, " entries, x has ", x.cols, " columns (channels)");
  }
  for (Index c = 0; c < direction.size; ++c) {
    if (!is_finite_bits(direction[c])) {
      raise("noise_search", "direction of channel ", c, " is ", name_of_non_finite(direction[c]),
            ", expected a finite number");
    }
  }
}

/// The symmetric quantizer and the noise of least output error for the input `x` `[tokens, channels]` of a layer whose
/// decoded quantized weight is `weight` `[out_features, channels]`: the best clip without noise, the best constant
/// noise for it, the best amplitude of the direction on top of that; of equals the first. An input of zeros gets scale
/// 1 and no noise.
///
///     const auto found = noise_search<6>(x, dequantize(weight), {.seed = 1});
///     const ShiftScale t = with_noise(found.noise);                                  // fold, folded_bias
///
/// Errors: no elements; one that is not finite, by position; shapes that do not fit; options out of range.
/// Costs tokens * channels * min(channels, out_features) products for each of 3400 candidates (default). Class:
/// bounded; the same for any executor.
template <int Bits, Viewable X, Viewable W>
[[nodiscard]] NoiseChoice<Bits> noise_search(const X& x, const W& weight, const NoiseSearchOptions& options = {}) {
  const auto x_view = view(x);
  const auto w_view = view(weight);
  require_readable("noise_search", "x", x_view);
  require_readable("noise_search", "weight", w_view);
  require_noise_search(shape_of(x_view), shape_of(w_view), options);
  require_finite("noise_search", "x", x_view, options.executor);
  require_finite("noise_search", "weight", w_view, options.executor);
  MatrixF rows(x_view.rows, x_view.cols), words(w_view.rows, w_view.cols);
  copy_rows(x_view, rows.data());
  copy_rows(w_view, words.data());
  return NoiseScans<Bits>(rows, view(words), options).run();
}

}  // namespace halfstep::inline HALFSTEP_ABI
