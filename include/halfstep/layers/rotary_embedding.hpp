#pragma once

/// \file
/// Rotary position embedding (RoPE) in the rotate-half convention: pairs (j, j + d / 2) of each head are turned by an
/// angle that grows with the position.
///
///     a_j = position * base^(-2 j / d)          j = 0 .. d / 2 - 1
///     x'_j         = x_j         * cos(a_j) - x_{j + d/2} * sin(a_j)
///     x'_{j + d/2} = x_{j + d/2} * cos(a_j) + x_j         * sin(a_j)
///
/// J. Su et al., "RoFormer: Enhanced Transformer with Rotary Position Embedding", 2021; the pairs are those of the
/// checkpoints of Llama in the Hugging Face format, not the neighbours of the paper.

#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/kernels/ordered_sum.hpp"
#include "halfstep/simd/pinned.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Tables of cosines and sines, each angle in double and rounded once. A value.
class RotaryEmbedding {
 public:
  RotaryEmbedding() = default;

  /// For heads of `head_size` channels and positions 0 .. `positions` - 1. Errors: a head size that is odd or below 2;
  /// fewer than one position; a base that is not positive and finite.
  RotaryEmbedding(Index head_size, Index positions, double base)
      : head_size_(head_size), positions_(positions), base_(base) {
    if (head_size < 2 || head_size % 2 != 0) {
      raise("RotaryEmbedding", "head_size is ", head_size, ", expected an even number of at least 2");
    }
    if (positions < 1) raise("RotaryEmbedding", "positions is ", positions, ", expected at least 1");
    if (!(base > 0 && std::isfinite(base))) raise("RotaryEmbedding", "base is ", base, ", expected a positive number");
    const Index half = head_size / 2;
    for (Index p = 0; p < positions; ++p) {
      for (Index j = 0; j < half; ++j) {
        const double frequency = std::pow(base, -2.0 * static_cast<double>(j) / static_cast<double>(head_size));
        cosines_.push_back(static_cast<float>(std::cos(static_cast<double>(p) * frequency)));
        sines_.push_back(static_cast<float>(std::sin(static_cast<double>(p) * frequency)));
      }
    }
  }

  [[nodiscard]] Index head_size() const { return head_size_; }
  [[nodiscard]] Index positions() const { return positions_; }
  [[nodiscard]] double base() const { return base_; }

  /// Turns each head of each row of x `[rows, heads * head_size]` in place; row r stands at position
  /// `first_position + r % tokens`, which must be below `positions`. Class: exact, given the tables, which are the
  /// standard library's.
  void rotate(MatrixView<float> x, Index tokens, Index first_position, ExecutorRef executor) const {
    parallel_for(executor, x.rows, band_grain(x.cols), [&](Index first, Index last) {
      for (Index r = first; r < last; ++r) {
        const Index table = (first_position + r % tokens) * (head_size_ / 2);
        for (Index c = 0; c < x.cols; c += head_size_) rotate_head(x.row(r) + c, table);
      }
    });
  }

 private:
  void rotate_head(float* head, Index table) const {
    using simd::FloatBatch;
    const Index half = head_size_ / 2;
    const float* const cosine = cosines_.data() + table;
    const float* const sine = sines_.data() + table;
    for_each_part(half, [&](Index j, Index part) {
      const FloatBatch c = load_part(cosine + j, part), s = load_part(sine + j, part);
      const FloatBatch low = load_part(head + j, part), high = load_part(head + half + j, part);
      store_part(head + j, simd::pinned(low * c) - simd::pinned(high * s), part);
      store_part(head + half + j, simd::pinned(high * c) + simd::pinned(low * s), part);
    });
  }

  Index head_size_ = 0;
  Index positions_ = 0;
  double base_ = 0;
  std::vector<float> cosines_;  // `[positions, head_size / 2]`
  std::vector<float> sines_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
