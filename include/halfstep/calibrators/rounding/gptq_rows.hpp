#pragma once

/// \file
/// GPTQ over some rows of a weight: the part that no quantizer's type enters.

#include "halfstep/calibrators/rounding/column_sweep.hpp"
#include "halfstep/calibrators/rounding/error_feedback.hpp"
#include "halfstep/calibrators/rounding/packed_columns.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/simd/real_tile.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// What all rows of a weight share. "Position" is a column's place in the order of rounding.
struct GptqPlan {
  std::vector<Index> order;             ///< the column at each position
  std::vector<Index> group_of;          ///< the group at each position
  std::vector<std::uint8_t> is_zeroed;  ///< of each position: the channel is dead, and its weights count as 0
  Index dynamic_group = 0;    ///< 0: grids are fitted before the sweep; else positions of a group fitted in it
  std::vector<double> added;  ///< at each position: what was added to the diagonal of H
  const ErrorFeedback* feedback = nullptr;
  const PackedColumns<float>* shift = nullptr;  ///< GPTAQ's P, or none

  [[nodiscard]] Index columns() const { return static_cast<Index>(order.size()); }
};

/// The grid of some rows. Rows count from the first of them.
struct GridCalls {
  /// Codes and values of `lanes` rows from `row` on, in one column of `group`.
  FunctionRef<void(Index row, Index lanes, Index group, const float* x, float* values, std::uint8_t* codes)> round;
  /// Fits the grid of a row and group to the `count` weights of its columns.
  FunctionRef<void(Index row, Index group, const float* weights, Index count)> fit;
};

/// Whether columns answer the errors of those before them. Without, each weight is rounded to nearest.
enum class Feedback { on, off };

/// GPTQ over the rows of a few strips.
class GptqRows {
 public:
  using Strips = RowStrips<float>;
  static constexpr Index width = Strips::width;

  GptqRows(const GptqPlan& plan, Index rows)
      : plan_(plan),
        rows_(rows),
        errors_(chunk_count(rows, width), plan.columns()),
        codes_(static_cast<std::size_t>(errors_.strips() * plan.columns() * width)) {}

  [[nodiscard]] Index rows() const { return rows_; }
  [[nodiscard]] Index strips() const { return errors_.strips(); }
  /// w - v of all positions, after a sweep.
  [[nodiscard]] const Strips& errors() const { return errors_; }
  /// The codes of a strip at a position.
  [[nodiscard]] const std::uint8_t* codes(Index s, Index q) const {
    return codes_.data() + (s * plan_.columns() + q) * width;
  }
  [[nodiscard]] std::uint8_t* codes(Index s, Index q) { return codes_.data() + (s * plan_.columns() + q) * width; }
  /// `(w - v) (H + added) (w - v)^T` of each row, in the unit of the curvature.
  [[nodiscard]] const std::vector<double>& losses() const { return losses_; }

  /// Rounds all rows, `weight(row, to)` giving one in the order of the columns. Dead channels count as 0.
  void sweep(FunctionRef<void(Index row, float* to)> weight, Feedback feedback, const GridCalls& grid) {
    load(weight);
    losses_.assign(static_cast<std::size_t>(strips() * width), 0.0);
    const bool shifts = plan_.shift != nullptr && feedback == Feedback::on;
    Strips values, aims;  // of GPTAQ
    ColumnSweep<float> pass(strips());
    pass.add(plan_.feedback->weights, errors_, errors_);
    if (shifts) {
      values = Strips(strips(), plan_.columns());
      aims = Strips(strips(), plan_.columns());
      pass.add(*plan_.shift, values, aims);
    }
    const auto visit = [&](Index s, Index q) {
      const float* const fed = pass.sums(0, s, q);
      const float* const shift = shifts ? pass.sums(1, s, q) : nullptr;
      float* const w = errors_.at(s, q);
      float target[width], x[width], value[width];
      for (Index r = 0; r < width; ++r) target[r] = shifts ? w[r] + shift[r] : w[r];
      for (Index r = 0; r < width; ++r) x[r] = feedback == Feedback::on ? target[r] + fed[r] : target[r];
      grid.round(s * width, width, plan_.group_of[static_cast<std::size_t>(q)], x, value, codes(s, q));
      if (shifts) {
        std::copy_n(x, width, aims.at(s, q));
        std::copy_n(value, width, values.at(s, q));
      }
      for (Index r = 0; r < width; ++r) w[r] = target[r] - value[r];
      add_loss(s, q, fed);
    };
    const auto fit_groups = [&](Index block) {
      fit_dynamic_groups(block, pass, shifts ? &values : nullptr, feedback, grid);
    };
    if (plan_.dynamic_group > 0) {
      pass.run(visit, fit_groups);
    } else {
      pass.run(visit);
    }
    if (shifts) take_shift_back(weight, values);
  }

 private:
  void load(FunctionRef<void(Index row, float* to)> weight) {
    std::vector<float> row(plan_.order.size());
    for (Index r = 0; r < strips() * width; ++r) {
      if (r < rows_) weight(r, row.data());
      for (Index q = 0; q < plan_.columns(); ++q) {
        const auto at = static_cast<std::size_t>(q);
        errors_(r, q) = r < rows_ && plan_.is_zeroed[at] == 0 ? row[static_cast<std::size_t>(plan_.order[at])] : 0.0f;
      }
    }
  }

  /// After GPTAQ errors count from targets that were moved: makes them w - v, and the losses those of w - v.
  void take_shift_back(FunctionRef<void(Index row, float* to)> weight, const Strips& values) {
    load(weight);
    for (Index s = 0; s < strips(); ++s) {
      float* const w = errors_.at(s, 0);
      const float* const v = values.at(s, 0);
      for (Index i = 0; i < plan_.columns() * width; ++i) w[i] -= v[i];
    }
    measure();
  }

  /// The losses of the errors as they are.
  void measure() {
    losses_.assign(static_cast<std::size_t>(strips() * width), 0.0);
    ColumnSweep<float> pass(strips());
    pass.add(plan_.feedback->weights, errors_, errors_);
    pass.run([&](Index s, Index q) { add_loss(s, q, pass.sums(0, s, q)); });
  }

  void add_loss(Index s, Index q, const float* fed) {
    double* const losses = losses_.data() + s * width;
    const float* const error = errors_.at(s, q);
    const double pivot = plan_.feedback->pivots[static_cast<std::size_t>(q)];
    for (Index r = 0; r < width; ++r) {
      const double residual = static_cast<double>(error[r] + fed[r]);
      losses[r] += pivot * residual * residual;
    }
  }

  /// Fits the groups that begin in a block to their weights as they stand at its start: with the answers to the errors
  /// of earlier blocks, without those to errors in this one.
  void fit_dynamic_groups(Index block, const ColumnSweep<float>& pass, const Strips* values, Feedback feedback,
                          const GridCalls& grid) {
    const PackedColumns<float>& weights = plan_.feedback->weights;
    const Index begin = weights.begin(block), block_end = weights.end(block), size = plan_.dynamic_group;
    const Index first = chunk_count(begin, size) * size;
    if (first >= block_end) return;
    const Index end = std::min(((block_end - 1) / size + 1) * size, plan_.columns());
    for (Index s = 0; s < strips(); ++s) {
      Strips ahead(1, end - begin);
      if (feedback == Feedback::on) {
        sums_ahead(pass, 0, weights, errors_, s, block, end, ahead);
        // What all free columns together would answer: x T = sums, T being the part of these columns.
        for (Index q = begin; q < end; ++q) {
          float* const x = ahead.at(0, q - begin);
          for (Index k = begin; k < q; ++k) {
            const float weight = weights(k, q);
            for (Index r = 0; r < width; ++r) x[r] -= weight * ahead.at(0, k - begin)[r];
          }
        }
        if (values != nullptr) {
          Strips shift(1, end - begin);
          sums_ahead(pass, 1, *plan_.shift, *values, s, block, end, shift);
          for (Index q = begin; q < end; ++q) {
            for (Index r = 0; r < width; ++r) ahead.at(0, q - begin)[r] += shift.at(0, q - begin)[r];
          }
        }
      }
      std::vector<float> group(static_cast<std::size_t>(size));
      for (Index q = first; q < end; q += size) {
        const Index count = std::min(size, end - q);
        for (Index r = 0; r < width && s * width + r < rows_; ++r) {
          for (Index i = 0; i < count; ++i) {
            group[static_cast<std::size_t>(i)] = errors_.at(s, q + i)[r] + ahead.at(0, q + i - begin)[r];
          }
          grid.fit(s * width + r, plan_.group_of[static_cast<std::size_t>(q)], group.data(), count);
        }
      }
    }
  }

  /// The sums of a strip over the columns before `block`, for the columns from the block's first to `end`.
  static void sums_ahead(const ColumnSweep<float>& pass, std::size_t operand, const PackedColumns<float>& weights,
                         const Strips& from, Index s, Index block, Index end, Strips& ahead) {
    const Index begin = weights.begin(block);
    for (Index q = begin; q < std::min(end, weights.end(block)); ++q) {
      std::copy_n(pass.sums(operand, s, q), width, ahead.at(0, q - begin));
    }
    for (Index b = block + 1; b < weights.blocks() && weights.begin(b) < end; ++b) {
      Strips sums(1, weights.bundles(b) * PackedColumns<float>::height);
      weights.multiply(b, 0, begin, from.at(s, 0), sums.at(0, 0));
      for (Index q = weights.begin(b); q < std::min(end, weights.end(b)); ++q) {
        std::copy_n(sums.at(0, q - weights.begin(b)), width, ahead.at(0, q - begin));
      }
    }
  }

  const GptqPlan& plan_;
  Index rows_;
  Strips errors_;
  std::vector<std::uint8_t> codes_;
  std::vector<double> losses_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
