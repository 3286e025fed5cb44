#pragma once

/// \file
/// LLM-FP4's search: the formats and exponent biases of a layer's weight and activations, by the error of its output.
///
/// Each operand keeps an entry for every format (row biases of the weight, the common bias of the activations) and a
/// current one, at first the initial format with its min-max biases. A round:
///
///     1. for every format, the best bias of each weight row, under the current activations
///     2. for every format, the best common bias of the activations, under the current weight
///     3. the current weight becomes the entry of least error, under the current activations
///     4. the current activations become the entry of least error, under the new weight
///
/// Candidates for a bias are its min-max value times 0.01 + 1.19 i / 100, i = 0 .. 99, as published: a negative bias
/// moves toward 0 and shrinks the range. From the second round on the current operand is an entry, and the first two
/// steps change it at once. Source: Liu et al., "LLM-FP4", EMNLP 2023, section 4, and its published program, but for
/// its slips (one magnitude too many at 4 bits, ten bits at 8).

#include "halfstep/calibrators/range/error_scan.hpp"
#include "halfstep/calibrators/range/minifloat_formats.hpp"
#include "halfstep/calibrators/range/minifloat_operands.hpp"
#include "halfstep/calibrators/range/product_error.hpp"
#include "halfstep/calibrators/transform/shift_scale.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/progress.hpp"
#include "halfstep/core/read_row.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Options of `minifloat_search`.
struct MinifloatSearchOptions {
  int rounds = 3;                    ///< at least 0: the initial formats and biases
  int initial_weight_mantissa = -1;  ///< mantissa bits of the initial format; -1: half of what is not sign or the first
  int initial_activation_mantissa = -1;  ///< exponent bit: E2M1, E3M2, E4M3
  ExecutorRef executor = {};             ///< results do not depend on it
  ProgressCallback progress = {};
};

/// What `minifloat_search` settles on.
struct MinifloatChoice {
  MinifloatWeight weight;
  MinifloatActivation activation;
  double mse = 0;           ///< mean squared error of the output
  bool is_complete = true;  ///< false: the progress callback stopped the search

  /// The pre-shift of the activations: `apply` multiplies channel j with 2^shifts[j], after which all channels have the
  /// exponent bias `activation.shared.bias`; `fold` divides it out of the weight's column. Exact.
  [[nodiscard]] ShiftScale pre_shift() const {
    ShiftScale t;
    for (const std::int32_t shift : activation.shared.shifts) t.scale.push_back(std::ldexp(1.0f, -shift));
    return t;
  }
};

/// The candidates of a scan: shares of a bias.
inline constexpr Index minifloat_shares = 100;
[[nodiscard]] inline float minifloat_share(float bias, Index i) {
  return static_cast<float>(static_cast<double>(bias) * (0.01 + static_cast<double>(i) * 1.19 / 100));
}

/// The best bias of each row of `w`, among shares of `initial`, by the error of the row's outputs. Row batches are
/// parallel; `meter` may stop between them, which leaves the other rows at their initial bias.
template <int Bits>
[[nodiscard]] MinifloatWeight best_row_biases(const MinifloatWeight& initial, const MatrixF& w,
                                              const ProductError& error, ExecutorRef executor, SearchMeter& meter) {
  constexpr Index rows_at_once = 64;
  MinifloatWeight best = initial;
  with_minifloat<Bits>(initial.format, [&](auto format) {
    using Q = decltype(format);
    const auto scan_row = [&](Index r) {
      float& bias = best.biases[static_cast<std::size_t>(r)];
      MatrixD changes(minifloat_shares, w.cols());
      const std::span<const float> row(w.data() + r * w.cols(), static_cast<std::size_t>(w.cols()));
      for (Index i = 0; i < minifloat_shares; ++i) {
        store_minifloat_changes(minifloat_of_bias<Q>(minifloat_share(bias, i)), row, changes.data() + i * w.cols());
      }
      std::vector<double> errors(static_cast<std::size_t>(minifloat_shares));
      error(row.data(), changes, errors.data());
      bias = minifloat_share(bias, std::min_element(errors.begin(), errors.end()) - errors.begin());
    };
    for (Index first = 0; first < w.rows() && !meter.is_stopped(); first += rows_at_once) {
      parallel_for(executor, std::min(rows_at_once, w.rows() - first), 1, [&](Index begin, Index end) {
        for (Index r = begin; r < end; ++r) scan_row(first + r);
      });
      meter.advance(0);
    }
  });
  meter.advance(minifloat_shares);
  return best;
}

/// The state of a search over checked operands.
template <int WeightBits, int ActivationBits>
class MinifloatSearch {
 public:
  MinifloatSearch(const MatrixF& x, const MatrixF& w, const MinifloatSearchOptions& options)
      : x_(x), w_(w), options_(options), meter_(options.progress, total()) {
    for (const MinifloatFormat& format : minifloat_formats<WeightBits>()) initial_weights_.push_back(initial(format));
    const std::vector<float> largest = channel_absmax();
    for (const MinifloatFormat& format : minifloat_formats<ActivationBits>()) {
      std::vector<float>& biases = channel_biases_.emplace_back();
      for (const float m : largest) biases.push_back(exponent_bias_of(format, m));
      least_biases_.push_back(least_exponent_bias(format, biases));
      activations_.push_back(activation(activations_.size(), least_biases_.back()));
    }
    weights_ = initial_weights_;
    weight_ = initial_weights_[entry_of(initial_weights_, options.initial_weight_mantissa, WeightBits)];
    activation_ = activations_[entry_of(activations_, options.initial_activation_mantissa, ActivationBits)];
  }

  [[nodiscard]] MinifloatChoice run() {
    for (int round = 0; round < options_.rounds && !meter_.is_stopped(); ++round) run_round();
    const double error = total_error(weight_, decoded_activation<ActivationBits>(activation_, x_, options_.executor));
    const double outputs = static_cast<double>(x_.rows()) * static_cast<double>(w_.rows());
    return {weight_, activation_, error / outputs, !meter_.is_stopped()};
  }

 private:
  static constexpr std::size_t not_an_entry = static_cast<std::size_t>(-1);

  [[nodiscard]] Index total() const {
    const auto formats = minifloat_formats<WeightBits>().size() + minifloat_formats<ActivationBits>().size();
    return Index{options_.rounds} * static_cast<Index>(formats) * minifloat_shares;
  }

  void run_round() {
    const MatrixF seen_x = decoded_activation<ActivationBits>(activation_, x_, options_.executor);
    const ProductError by_row(halfstep::view(x_), halfstep::view(seen_x), options_.executor);
    for (std::size_t f = 0; f < weights_.size() && !meter_.is_stopped(); ++f) {
      const auto best = best_row_biases<WeightBits>(initial_weights_[f], w_, by_row, options_.executor, meter_);
      if (!meter_.is_stopped()) set_weight(f, best);
    }
    if (meter_.is_stopped()) return;
    const MatrixF seen_w = decoded_weight<WeightBits>(weight_, w_, options_.executor);
    const ProductError by_token(halfstep::view(w_), halfstep::view(seen_w), options_.executor);
    for (std::size_t f = 0; f < activations_.size() && !meter_.is_stopped(); ++f) scan_common_bias(f, by_token);
    if (!meter_.is_stopped()) choose_formats();
  }

  /// Step 2 for one format.
  void scan_common_bias(std::size_t f, const ProductError& by_token) {
    with_minifloat<ActivationBits>(activations_[f].format, [&](auto format) {
      std::vector<ShiftedMinifloat<decltype(format)>> candidates;
      for (Index i = 0; i < minifloat_shares; ++i) {
        candidates.emplace_back(activation(f, minifloat_share(least_biases_[f], i)).shared);
      }
      const auto fill = [&](const float* x, Index first, MatrixD& changes) {
        std::vector<float> scratch(static_cast<std::size_t>(x_.cols()));
        for (Index i = 0; i < changes.rows(); ++i) {
          candidates[static_cast<std::size_t>(first + i)].store_changes(x, scratch, changes.data() + i * x_.cols());
        }
      };
      const LeastError best =
          least_error(by_token, halfstep::view(x_), minifloat_shares, options_.executor, meter_, fill);
      if (!meter_.is_stopped()) set_activation(f, activation(f, minifloat_share(least_biases_[f], best.candidate)));
    });
  }

  /// Steps 3 and 4.
  void choose_formats() {
    const MatrixF seen_x = decoded_activation<ActivationBits>(activation_, x_, options_.executor);
    weight_entry_ = best_entry(weights_, [&](const MinifloatWeight& w) { return total_error(w, seen_x); });
    weight_ = weights_[weight_entry_];
    activation_entry_ = best_entry(activations_, [&](const MinifloatActivation& a) {
      return total_error(weight_, decoded_activation<ActivationBits>(a, x_, options_.executor));
    });
    activation_ = activations_[activation_entry_];
  }

  template <class Entry, class Error>
  [[nodiscard]] static std::size_t best_entry(const std::vector<Entry>& entries, const Error& error) {
    std::vector<double> errors;
    for (const Entry& entry : entries) errors.push_back(error(entry));
    return static_cast<std::size_t>(std::min_element(errors.begin(), errors.end()) - errors.begin());
  }

  /// The squared error of the output, all told.
  [[nodiscard]] double total_error(const MinifloatWeight& weight, const MatrixF& seen_x) const {
    const MatrixF seen_w = decoded_weight<WeightBits>(weight, w_, options_.executor);
    return squared_product_error(x_, w_, seen_x, seen_w, options_.executor);
  }

  /// An entry; it is the current operand as well, if that is what the current one is.
  void set_weight(std::size_t f, const MinifloatWeight& weight) {
    weights_[f] = weight;
    if (f == weight_entry_) weight_ = weight;
  }
  void set_activation(std::size_t f, const MinifloatActivation& activation) {
    activations_[f] = activation;
    if (f == activation_entry_) activation_ = activation;
  }

  [[nodiscard]] MinifloatActivation activation(std::size_t f, float bias) const {
    const MinifloatFormat format = minifloat_formats<ActivationBits>()[f];
    return {format, shared_exponent_bias(format, channel_biases_[f], bias)};
  }

  [[nodiscard]] MinifloatWeight initial(const MinifloatFormat& format) const {
    MinifloatWeight weight{format, {}};
    for (Index r = 0; r < w_.rows(); ++r) {
      const float bias = exponent_bias_of(format, w_.row(r).cwiseAbs().maxCoeff());
      weight.biases.push_back(!is_finite_bits(bias) ? 0.0f : bias);  // zeros are zeros under any bias
    }
    return weight;
  }

  [[nodiscard]] std::vector<float> channel_absmax() const {
    std::vector<float> largest(static_cast<std::size_t>(x_.cols()));
    for (Index c = 0; c < x_.cols(); ++c) largest[static_cast<std::size_t>(c)] = x_.col(c).cwiseAbs().maxCoeff();
    return largest;
  }

  template <class Entry>
  [[nodiscard]] static std::size_t entry_of(const std::vector<Entry>& entries, int mantissa_bits, int bits) {
    const int wanted = mantissa_bits < 0 ? (bits - 2) / 2 : mantissa_bits;
    for (std::size_t f = 0; f < entries.size(); ++f) {
      if (entries[f].format.mantissa_bits == wanted) return f;
    }
    raise("minifloat_search", "an initial format has ", wanted, " mantissa bits, expected one of ", bits, " bits");
  }

  const MatrixF& x_;
  const MatrixF& w_;
  const MinifloatSearchOptions& options_;
  SearchMeter meter_;
  std::vector<MinifloatWeight> initial_weights_, weights_;  // by format
  std::vector<std::vector<float>> channel_biases_;          // by format, min-max
  std::vector<float> least_biases_;                         // by format, min-max
  std::vector<MinifloatActivation> activations_;            // by format
  MinifloatWeight weight_;                                  // the current ones
  MinifloatActivation activation_;
  std::size_t weight_entry_ = not_an_entry, activation_entry_ = not_an_entry;
};

/// Operands of a layer, checked and copied.
struct LayerOperands {
  MatrixF x, w;
};

template <Viewable X, Viewable W>
[[nodiscard]] LayerOperands require_layer_operands(std::string_view where, const X& x, const W& w,
                                                   ExecutorRef executor) {
  const auto x_view = view(x);
  const auto w_view = view(w);
  require_readable(where, "x", x_view);
  require_readable(where, "w", w_view);
  if (x_view.empty()) raise(where, "x of shape ", shape_of(x_view), " has no elements");
  if (w_view.rows == 0) raise(where, "w of shape ", shape_of(w_view), " has no elements");
  if (w_view.cols != x_view.cols) raise(where, "w has ", w_view.cols, " columns, x has ", x_view.cols, " (channels)");
  require_finite(where, "x", x_view, executor);
  require_finite(where, "w", w_view, executor);
  LayerOperands operands{MatrixF(x_view.rows, x_view.cols), MatrixF(w_view.rows, w_view.cols)};
  copy_rows(x_view, operands.x.data());
  copy_rows(w_view, operands.w.data());
  return operands;
}

/// The formats and biases of least output error for a layer with inputs `x` `[tokens, channels]`, as its quantized
/// neighbours give them, and weight `w` `[out_features, channels]`, against `x w^T`.
///
///     const auto found = minifloat_search<4>(x, w);
///     with_minifloat<4>(found.weight.format, [&](auto format) {
///       using Q = decltype(format);
///       auto q = quantize_with(w, minifloats_of_biases<Q>(found.weight.biases), {.tiling = per_row()});
///     });
///
/// The weight is quantized as it is, without the channels' shifts (as in the published simulation); a kernel without a
/// shift per input channel needs it pre-shifted, see `shifted_weight_biases`.
///
/// Errors: no elements; one that is not finite, by position; shapes that do not fit; an initial format that is none.
/// Costs rounds * formats * 100 * (tokens * channels * min(channels, out_features) + out_features * channels *
/// min(channels, tokens)) products. Class: bounded; the same for any executor.
template <int WeightBits, int ActivationBits = WeightBits, Viewable X, Viewable W>
[[nodiscard]] MinifloatChoice minifloat_search(const X& x, const W& w, const MinifloatSearchOptions& options = {}) {
  if (options.rounds < 0) raise("minifloat_search", "rounds is ", options.rounds, ", expected at least 0");
  const LayerOperands operands = require_layer_operands("minifloat_search", x, w, options.executor);
  return MinifloatSearch<WeightBits, ActivationBits>(operands.x, operands.w, options).run();
}

/// Row biases for the weight that has the shifts of `found` in its columns, `w_j * 2^-shifts[j]` (what `fold` of
/// `found.pre_shift()` makes of it), in the same format: each row's best by the error of its outputs under the shifted
/// activations. Its values spread over up to 2^(2^E - 1) more than those of `w`: expect more error than `found.mse`.
/// Errors and class: as above.
template <int WeightBits, int ActivationBits = WeightBits, Viewable X, Viewable W>
[[nodiscard]] MinifloatWeight shifted_weight_biases(const MinifloatChoice& found, const X& x, const W& w,
                                                    ExecutorRef executor = {}) {
  LayerOperands operands = require_layer_operands("shifted_weight_biases", x, w, executor);
  if (static_cast<Index>(found.activation.shared.shifts.size()) != operands.x.cols()) {
    raise("shifted_weight_biases", "found has ", found.activation.shared.shifts.size(), " shifts, x has ",
          operands.x.cols(), " columns (channels)");
  }
  const std::vector<float> powers = powers_of_two(found.activation.shared.shifts);
  for (Index c = 0; c < operands.x.cols(); ++c) {
    operands.x.col(c) *= powers[static_cast<std::size_t>(c)];
    operands.w.col(c) /= powers[static_cast<std::size_t>(c)];
  }
  const std::vector<std::int32_t> none(powers.size(), 0);
  const MatrixF seen = decoded_activation<ActivationBits>(
      {found.activation.format, {found.activation.shared.bias, none}}, operands.x, executor);
  MinifloatWeight initial{found.weight.format, {}};
  for (Index r = 0; r < operands.w.rows(); ++r) {
    const float bias = exponent_bias_of(found.weight.format, operands.w.row(r).cwiseAbs().maxCoeff());
    initial.biases.push_back(!is_finite_bits(bias) ? 0.0f : bias);
  }
  SearchMeter meter({}, minifloat_shares);
  return best_row_biases<WeightBits>(initial, operands.w, ProductError(view(operands.x), view(seen), executor),
                                     executor, meter);
}

}  // namespace halfstep::inline HALFSTEP_ABI
