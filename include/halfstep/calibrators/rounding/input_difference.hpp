#pragma once

/// \file
/// What calibration against the float path has to know: how a layer's inputs differ from those of the float model.

#include "halfstep/calibrators/rounding/hessian.hpp"
#include "halfstep/calibrators/rounding/token_strips.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/aligned_buffer.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/read_row.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

namespace halfstep::inline HALFSTEP_ABI {

/// Sums `(f - x) x^T` over tokens, x being the input that the layer gets in the quantized model and f the one that it
/// gets in the float model: `D = sum_t (f_t - x_t) x_t^T`, `[channels, channels]`, in double over chunks of 256 tokens.
/// Goes with a `HessianAccumulator` that has seen the same x; the published form is 2/n of it as well.
///
/// Class: bounded, bit-equal for any executor. Source: Li et al., GPTAQ, 2025.
class InputDifference {
 public:
  explicit InputDifference(Index channels)
      : channels_(checked(channels)), sum_(AlignedBuffer<double>::zeros(channels * channels)) {}

  /// From a stored matrix of published form, `d` `[channels, channels]` = 2/sequences sum (f - x) x^T. Errors: `d` is
  /// not square or not finite; fewer than 1 sequence, or fewer tokens than sequences.
  template <Viewable M>
  [[nodiscard]] static InputDifference of_matrix(const M& d, Index sequences, Index tokens) {
    constexpr std::string_view where = "InputDifference::of_matrix";
    const auto source = view(d);
    require_readable(where, "d", source);
    if (source.rows != source.cols) raise(where, "d has shape ", shape_of(source), ", expected a square matrix");
    if (sequences < 1) raise(where, "sequences is ", sequences, ", expected at least 1");
    if (tokens < sequences) raise(where, "tokens is ", tokens, ", expected at least ", sequences, ", one per sequence");
    require_finite(where, "d", source);
    InputDifference result(source.cols);
    result.tokens_ = tokens;
    const double factor = static_cast<double>(sequences) / 2.0;
    for (Index r = 0; r < source.rows; ++r) {
      for (Index c = 0; c < source.cols; ++c)
        result.row(r)[c] = factor * static_cast<double>(element_to_float(source(r, c)));
    }
    return result;
  }

  [[nodiscard]] Index channels() const { return channels_; }
  [[nodiscard]] Index tokens() const { return tokens_; }
  /// Element (i, j) of `sum (f - x) x^T`: i is the channel of f - x.
  [[nodiscard]] double operator()(Index i, Index j) const { return sum_[i * channels_ + j]; }

  /// Adds the tokens of `quantized` (x) and `original` (f), both `[tokens, channels]`, token by token the same text.
  ///
  /// Errors: another shape; an element that is not finite, named by row and column: nothing is added then. A full
  /// product.
  template <Viewable X, Viewable F>
  void add(const X& quantized, const F& original, ExecutorRef executor = {}) {
    constexpr std::string_view where = "InputDifference::add";
    const auto x = view(quantized);
    const auto f = view(original);
    require_readable(where, "quantized", x);
    require_readable(where, "original", f);
    if (x.cols != channels_) raise(where, "quantized has ", x.cols, " columns, expected ", channels_);
    if (shape_of(f) != shape_of(x)) {
      raise(where, "original has shape ", shape_of(f), ", expected ", shape_of(x), " as quantized");
    }
    if (x.rows == 0) return;
    const int exponent = std::max(scale_exponent(where, "quantized", x, executor),
                                  scale_exponent(where, "original", f, executor) + 1);  // of a difference of both
    const auto read_x = [&](Index row, float* scratch) { return read_row(x, row, scratch); };
    const auto read_difference = [&](Index row, float* scratch) { return difference(f, x, row, scratch); };
    for (Index first = 0; first < x.rows; first += tokens_at_a_time) {
      const Index count = std::min(tokens_at_a_time, x.rows - first);
      const TokenStrips left(first, count, channels_, exponent, read_difference, executor);
      const TokenStrips right(first, count, channels_, exponent, read_x, executor);
      add_products(
          left, right, ProductPart::all, std::ldexp(1.0, 2 * exponent), [&](Index r) { return row(r); }, executor);
    }
    tokens_ += x.rows;
  }

  /// Adds what another has seen. Error: another number of channels.
  void merge(const InputDifference& other) {
    if (other.channels_ != channels_) {
      raise("InputDifference::merge", "other has ", other.channels_, " channels, expected ", channels_);
    }
    for (Index i = 0; i < sum_.size(); ++i) sum_[i] += other.sum_[i];
    tokens_ += other.tokens_;
  }

  friend bool operator==(const InputDifference&, const InputDifference&) = default;

 private:
  [[nodiscard]] static Index checked(Index channels) {
    if (channels < 1) raise("InputDifference", "channels is ", channels, ", expected at least 1");
    return channels;
  }
  [[nodiscard]] double* row(Index r) { return sum_.data() + r * channels_; }

  /// Row r of f - x: float differences, as published.
  template <class TF, class TX>
  static const float* difference(const MatrixView<const TF>& f, const MatrixView<const TX>& x, Index r,
                                 float* scratch) {
    std::vector<float> other(static_cast<std::size_t>(x.cols));
    const float* const from = read_row(x, r, other.data());
    const float* const of = read_row(f, r, scratch);
    for (Index c = 0; c < x.cols; ++c) scratch[c] = of[c] - from[c];
    return scratch;
  }

  Index channels_;
  AlignedBuffer<double> sum_;
  Index tokens_ = 0;
};

}  // namespace halfstep::inline HALFSTEP_ABI
