#pragma once

/// \file
/// GPTQ over some rows of a weight: the part that no quantizer's type enters.

#include "halfstep/calibrators/rounding/column_sweep.hpp"
#include "halfstep/calibrators/rounding/error_feedback.hpp"
#include "halfstep/calibrators/rounding/groups_ahead.hpp"
#include "halfstep/calibrators/rounding/packed_columns.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"

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
  [[nodiscard]] Index group(Index position) const { return group_of[static_cast<std::size_t>(position)]; }
};

/// Writes a row of weights, in the order of the columns.
using WeightRow = FunctionRef<void(Index row, float* to)>;

/// The grid of some rows. Rows count from the first of them.
struct GridCalls {
  /// Codes and values of `lanes` rows from `row` on, in one column of `group`.
  FunctionRef<void(Index row, Index lanes, Index group, const float* x, float* values, std::uint8_t* codes)> round;
  /// What codes stand for.
  FunctionRef<void(Index row, Index lanes, Index group, const std::uint8_t* codes, float* values)> decode;
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
      : plan_(&plan),
        rows_(rows),
        errors_(chunk_count(rows, width), plan.columns()),
        codes_(static_cast<std::size_t>(errors_.strips() * plan.columns() * width)) {}

  [[nodiscard]] Index rows() const { return rows_; }
  [[nodiscard]] Index strips() const { return errors_.strips(); }
  /// w - v of all positions, after a sweep.
  [[nodiscard]] Strips& errors() { return errors_; }
  /// The codes of a strip at a position.
  [[nodiscard]] std::uint8_t* codes(Index s, Index q) { return codes_.data() + (s * plan_->columns() + q) * width; }
  [[nodiscard]] const std::uint8_t* codes(Index s, Index q) const {
    return codes_.data() + (s * plan_->columns() + q) * width;
  }
  /// `(w - v) (H + added) (w - v)^T` of a row, in the unit of the curvature.
  [[nodiscard]] double loss(Index row) const { return losses_[static_cast<std::size_t>(row)]; }

  /// Weights by position, those of dead channels 0, in the place of errors.
  void load(WeightRow weight) {
    std::vector<float> row(plan_->order.size());
    for (Index r = 0; r < strips() * width; ++r) {
      if (r < rows_) weight(r, row.data());
      float* const to = errors_.at(r / width, 0) + r % width;
      for (std::size_t q = 0; q < row.size(); ++q) {
        const bool counts = r < rows_ && plan_->is_zeroed[q] == 0;
        to[static_cast<Index>(q) * width] = counts ? row[static_cast<std::size_t>(plan_->order[q])] : 0.0f;
      }
    }
  }

  /// Rounds all rows.
  void sweep(WeightRow weight, Feedback feedback, const GridCalls& grid) {
    load(weight);
    losses_.assign(static_cast<std::size_t>(strips() * width), 0.0);
    if (plan_->shift != nullptr && feedback == Feedback::on) return sweep_to_shifted_targets(weight, grid);
    ColumnSweep<float> pass(strips());
    pass.add(plan_->feedback->weights, errors_, errors_);
    const auto visit = [&](Index s, Index q) {
      const float* const fed = pass.sums(0, s, q);
      float* const w = errors_.at(s, q);
      float x[width], value[width];
      for (Index r = 0; r < width; ++r) x[r] = feedback == Feedback::on ? w[r] + fed[r] : w[r];
      grid.round(s * width, width, plan_->group(q), x, value, codes(s, q));
      for (Index r = 0; r < width; ++r) w[r] -= value[r];
      add_loss(s, q, fed);
    };
    const auto fit_groups = [&](Index block) {
      fit_groups_of(block, grid, [&](Index s, GroupsAhead& ahead) {
        if (feedback == Feedback::on) ahead.add_feedback(pass, 0, plan_->feedback->weights, errors_, s);
      });
    };
    run(pass, visit, fit_groups);
  }

  /// The losses of the errors as they are.
  void measure() {
    losses_.assign(static_cast<std::size_t>(strips() * width), 0.0);
    ColumnSweep<float> pass(strips());
    pass.add(plan_->feedback->weights, errors_, errors_);
    pass.run([&](Index s, Index q) { add_loss(s, q, pass.sums(0, s, q)); });
  }

  /// `(w - v) H (w - v)^T` of each row, or with a `pull` z `(w - v) H (w - v)^T + 2 (w - v) z^T`.
  [[nodiscard]] std::vector<double> objectives(const RowStrips<double>* pull) const {
    std::vector<double> result = losses_;
    for (Index q = 0; q < plan_->columns(); ++q) {
      const double added = plan_->added[static_cast<std::size_t>(q)];
      for (Index r = 0; r < rows_; ++r) {
        const auto error = static_cast<double>(errors_(r, q));
        const double pulled = pull != nullptr ? 2 * (*pull)(r, q) : 0.0;
        result[static_cast<std::size_t>(r)] += error * (pulled - added * error);
      }
    }
    return result;
  }

  /// Replaces a row by that of another task of the same rows.
  void take_row(const GptqRows& other, Index row) {
    const Index s = row / width, lane = row % width;
    for (Index q = 0; q < plan_->columns(); ++q) {
      errors_.at(s, q)[lane] = other.errors_.at(s, q)[lane];
      codes(s, q)[lane] = other.codes(s, q)[lane];
    }
    losses_[static_cast<std::size_t>(row)] = other.losses_[static_cast<std::size_t>(row)];
  }

 private:
  /// The same for GPTAQ. Errors count from the moved targets until all columns are rounded.
  void sweep_to_shifted_targets(WeightRow weight, const GridCalls& grid) {
    Strips values(strips(), plan_->columns()), aims(strips(), plan_->columns());
    ColumnSweep<float> pass(strips());
    pass.add(plan_->feedback->weights, errors_, errors_);
    pass.add(*plan_->shift, values, aims);
    const auto visit = [&](Index s, Index q) {
      float* const w = errors_.at(s, q);
      float* const x = aims.at(s, q);
      float* const value = values.at(s, q);
      for (Index r = 0; r < width; ++r) w[r] += pass.sums(1, s, q)[r];
      for (Index r = 0; r < width; ++r) x[r] = w[r] + pass.sums(0, s, q)[r];
      grid.round(s * width, width, plan_->group(q), x, value, codes(s, q));
      for (Index r = 0; r < width; ++r) w[r] -= value[r];
    };
    const auto fit_groups = [&](Index block) {
      fit_groups_of(block, grid, [&](Index s, GroupsAhead& ahead) {
        ahead.add_feedback(pass, 0, plan_->feedback->weights, errors_, s);
        ahead.add_sums(pass, 1, *plan_->shift, values, s);
      });
    };
    run(pass, visit, fit_groups);
    load(weight);
    for (Index s = 0; s < strips(); ++s) {
      float* const w = errors_.at(s, 0);
      const float* const v = values.at(s, 0);
      for (Index i = 0; i < plan_->columns() * width; ++i) w[i] -= v[i];
    }
    measure();
  }

  void run(ColumnSweep<float>& pass, ColumnSweep<float>::Visit visit, ColumnSweep<float>::VisitBlock fit_groups) {
    pass.run(visit, plan_->dynamic_group > 0 ? fit_groups : ColumnSweep<float>::VisitBlock());
  }

  void add_loss(Index s, Index q, const float* fed) {
    double* const losses = losses_.data() + s * width;
    const float* const error = errors_.at(s, q);
    const double pivot = plan_->feedback->pivots[static_cast<std::size_t>(q)];
    for (Index r = 0; r < width; ++r) {
      const auto residual = static_cast<double>(error[r] + fed[r]);
      losses[r] += pivot * residual * residual;
    }
  }

  /// Fits the groups that begin in a block to their weights as they stand at its start; `move` says how far from w.
  void fit_groups_of(Index block, const GridCalls& grid, FunctionRef<void(Index s, GroupsAhead& ahead)> move) {
    const PackedColumns<float>& weights = plan_->feedback->weights;
    const Index begin = weights.begin(block), block_end = weights.end(block), size = plan_->dynamic_group;
    const Index first = chunk_count(begin, size) * size;
    if (first >= block_end) return;
    const Index end = std::min(chunk_count(block_end, size) * size, plan_->columns());
    std::vector<float> group(static_cast<std::size_t>(size));
    for (Index s = 0; s < strips(); ++s) {
      GroupsAhead ahead(block, begin, end);
      move(s, ahead);
      for (Index q = first; q < end; q += size) {
        const Index count = std::min(size, end - q);
        for (Index r = 0; r < width && s * width + r < rows_; ++r) {
          for (Index i = 0; i < count; ++i) {
            group[static_cast<std::size_t>(i)] = errors_.at(s, q + i)[r] + ahead.at(q + i)[r];
          }
          grid.fit(s * width + r, plan_->group(q), group.data(), count);
        }
      }
    }
  }

  const GptqPlan* plan_;
  Index rows_;
  Strips errors_;
  std::vector<std::uint8_t> codes_;
  std::vector<double> losses_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
