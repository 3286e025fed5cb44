#pragma once

/// \file
/// The second moment of a layer's inputs, which GPTQ calls the Hessian of its loss.

#include "halfstep/calibrators/rounding/symmetric_matrix.hpp"
#include "halfstep/calibrators/rounding/token_strips.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/read_row.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Tokens that are brought into the register tile's order at a time: 16 MiB of them at 4096 channels.
inline constexpr Index tokens_at_a_time = 1024;

/// Sums `x x^T` over tokens x: `H = sum_t x_t x_t^T`, `[channels, channels]`, in double over chunks of 256 tokens that
/// are summed in float, so that nothing is lost however many there are. Kept once, as a triangle: the memory of
/// `channels^2` floats.
///
/// GPTQ's published Hessian is `2/n` of it, n being the number of sequences and one call of `add` one sequence
/// (`published_factor`). The factor changes no code; published losses have it.
///
/// Merges with another in any order, up to the last bits of a double. Class: bounded, bit-equal for any executor.
/// Source: Frantar et al., GPTQ, ICLR 2023, section 3.
class HessianAccumulator {
 public:
  explicit HessianAccumulator(Index channels) : sum_(checked(channels)) {}

  /// From a stored matrix of published form, `h` `[channels, channels]` = 2/sequences sum x x^T, of which the lower
  /// triangle is read. Errors: `h` is not square or not finite; fewer than 1 sequence, or fewer tokens than sequences.
  template <Viewable M>
  [[nodiscard]] static HessianAccumulator of_matrix(const M& h, Index sequences, Index tokens) {
    constexpr std::string_view where = "HessianAccumulator::of_matrix";
    const auto source = view(h);
    require_readable(where, "h", source);
    if (source.rows != source.cols) raise(where, "h has shape ", shape_of(source), ", expected a square matrix");
    if (sequences < 1) raise(where, "sequences is ", sequences, ", expected at least 1");
    if (tokens < sequences) raise(where, "tokens is ", tokens, ", expected at least ", sequences, ", one per sequence");
    HessianAccumulator result(source.cols);
    result.sequences_ = sequences;
    result.tokens_ = tokens;
    for (Index r = 0; r < source.rows; ++r) {
      for (Index c = 0; c <= r; ++c) {
        const auto value = to_double(source(r, c));
        if (!is_finite_bits(value)) raise(where, "h is not finite: row ", r, ", column ", c);
        result.sum_.row(r)[c] = value / result.published_factor();
      }
    }
    return result;
  }

  [[nodiscard]] Index channels() const { return sum_.size(); }
  [[nodiscard]] Index tokens() const { return tokens_; }
  [[nodiscard]] Index sequences() const { return sequences_; }
  /// `sum x x^T`.
  [[nodiscard]] const SymmetricMatrix& sum() const { return sum_; }
  /// 2 / sequences; 2 where there are none.
  [[nodiscard]] double published_factor() const { return 2.0 / static_cast<double>(std::max<Index>(sequences_, 1)); }

  /// Adds the tokens of `batch` `[tokens, channels]` as one sequence.
  ///
  /// Errors: another number of channels; an element that is not finite, named by row and column: nothing is added then.
  /// Costs half of the full product x^T x.
  template <Viewable M>
  void add(const M& batch, ExecutorRef executor = {}) {
    add_sequences(batch, 1, executor);
  }

  /// The same for `sequences` of them in one batch.
  template <Viewable M>
  void add_sequences(const M& batch, Index sequences, ExecutorRef executor = {}) {
    constexpr std::string_view where = "HessianAccumulator::add";
    const auto source = view(batch);
    require_readable(where, "batch", source);
    if (source.cols != channels()) raise(where, "batch has ", source.cols, " columns, expected ", channels());
    if (sequences < 1) raise(where, "sequences is ", sequences, ", expected at least 1");
    if (source.rows == 0) return;
    const int exponent = scale_exponent(where, "batch", source, executor);
    const auto read = [&](Index row, float* scratch) { return read_row(source, row, scratch); };
    for (Index first = 0; first < source.rows; first += tokens_at_a_time) {
      const Index count = std::min(tokens_at_a_time, source.rows - first);
      const TokenStrips strips(first, count, channels(), exponent, read, executor);
      add_products(
          strips, strips, ProductPart::lower_triangle, std::ldexp(1.0, 2 * exponent),
          [&](Index row) { return sum_.row(row); }, executor);
    }
    tokens_ += source.rows;
    sequences_ += sequences;
  }

  /// Adds what another has seen. Error: another number of channels.
  void merge(const HessianAccumulator& other) {
    if (other.channels() != channels()) {
      raise("HessianAccumulator::merge", "other has ", other.channels(), " channels, expected ", channels());
    }
    sum_.add(other.sum_);
    tokens_ += other.tokens_;
    sequences_ += other.sequences_;
  }

  friend bool operator==(const HessianAccumulator&, const HessianAccumulator&) = default;

 private:
  [[nodiscard]] static Index checked(Index channels) {
    if (channels < 1) raise("HessianAccumulator", "channels is ", channels, ", expected at least 1");
    return channels;
  }
  template <class T>
  [[nodiscard]] static double to_double(T x) {
    if constexpr (std::same_as<T, double>) return x;
    return static_cast<double>(element_to_float(x));
  }

  SymmetricMatrix sum_;
  Index tokens_ = 0;
  Index sequences_ = 0;
};

}  // namespace halfstep::inline HALFSTEP_ABI
