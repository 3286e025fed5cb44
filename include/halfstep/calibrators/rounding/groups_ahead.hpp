#pragma once

/// \file
/// The weights that a group's grid is fitted to during a sweep.

#include "halfstep/calibrators/rounding/column_sweep.hpp"
#include "halfstep/calibrators/rounding/packed_columns.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <algorithm>
#include <cstddef>

namespace halfstep::inline HALFSTEP_ABI {

/// What a strip's columns `[begin, end)`, from the first of a block on, are moved by at the start of that block: by
/// what all columns that are still free together answer to the errors of finished blocks. Groups may reach into later
/// blocks.
class GroupsAhead {
 public:
  using Strips = RowStrips<float>;
  static constexpr Index width = Strips::width;

  GroupsAhead(Index block, Index begin, Index end)
      : block_(block), begin_(begin), end_(end), moves_(1, end - begin), scratch_(1, end - begin) {}

  /// The move of column q in each row.
  [[nodiscard]] const float* at(Index q) const { return moves_.at(0, q - begin_); }

  /// Adds the answers to errors: x with x T = sums, T being the part of the feedback's weights that these columns have
  /// among themselves.
  void add_feedback(const ColumnSweep<float>& pass, std::size_t operand, const PackedColumns<float>& weights,
                    const Strips& errors, Index s) {
    sum(pass, operand, weights, errors, s);
    for (Index q = begin_; q < end_; ++q) {
      float* const x = scratch_.at(0, q - begin_);
      for (Index k = begin_; k < q; ++k) {
        const float weight = weights(k, q);
        const float* const earlier = scratch_.at(0, k - begin_);
        for (Index r = 0; r < width; ++r) x[r] -= weight * earlier[r];
      }
    }
    add_scratch();
  }

  /// Adds weighted sums of finished columns as they are.
  void add_sums(const ColumnSweep<float>& pass, std::size_t operand, const PackedColumns<float>& weights,
                const Strips& values, Index s) {
    sum(pass, operand, weights, values, s);
    add_scratch();
  }

 private:
  void sum(const ColumnSweep<float>& pass, std::size_t operand, const PackedColumns<float>& weights,
           const Strips& values, Index s) {
    for (Index q = begin_; q < std::min(end_, weights.end(block_)); ++q) {
      std::copy_n(pass.sums(operand, s, q), width, scratch_.at(0, q - begin_));
    }
    for (Index b = block_ + 1; b < weights.blocks() && weights.begin(b) < end_; ++b) {
      Strips sums(1, weights.bundles(b) * PackedColumns<float>::height);
      weights.multiply(b, 0, begin_, values.at(s, 0), sums.at(0, 0));
      for (Index q = weights.begin(b); q < std::min(end_, weights.end(b)); ++q) {
        std::copy_n(sums.at(0, q - weights.begin(b)), width, scratch_.at(0, q - begin_));
      }
    }
  }

  void add_scratch() {
    float* const to = moves_.at(0, 0);
    const float* const from = scratch_.at(0, 0);
    for (Index i = 0; i < (end_ - begin_) * width; ++i) to[i] += from[i];
  }

  Index block_, begin_, end_;
  Strips moves_, scratch_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
