#pragma once

/// \file
/// The part of a call of `gptq` that depends on the Hessian alone: order, damping, factor, feedback.

#include "halfstep/calibrators/rounding/column_order.hpp"
#include "halfstep/calibrators/rounding/coordinate_descent.hpp"
#include "halfstep/calibrators/rounding/curvature.hpp"
#include "halfstep/calibrators/rounding/damping.hpp"
#include "halfstep/calibrators/rounding/error_feedback.hpp"
#include "halfstep/calibrators/rounding/gptaq.hpp"
#include "halfstep/calibrators/rounding/gptq_options.hpp"
#include "halfstep/calibrators/rounding/gptq_rows.hpp"
#include "halfstep/calibrators/rounding/hessian.hpp"
#include "halfstep/calibrators/rounding/packed_columns.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/tiling.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The order in which columns are rounded.
[[nodiscard]] inline std::vector<Index> rounding_order(const Curvature& h, const GptqOptions& options) {
  if (!options.act_order) return plain_order(h.size());
  return options.order == ActOrder::by_group ? group_aware_order(h.diagonal(), options.group_size)
                                             : descending_order(h.diagonal());
}

/// The tiling of the result: groups of neighbours, unless grids are fitted during a sweep that takes columns of all
/// groups in turn.
[[nodiscard]] inline Tiling gptq_tiling(const GptqOptions& options, std::span<const Index> order) {
  if (options.group_size == 0) return options.scope == GridScope::tensor ? per_tensor() : per_row();
  const bool scatters = options.act_order && options.order == ActOrder::all_columns;
  if (options.group_fit == GroupFit::before || !scatters) return per_group(options.group_size);
  std::vector<std::int32_t> groups(order.size());
  for (std::size_t q = 0; q < order.size(); ++q) {
    groups[static_cast<std::size_t>(order[q])] = static_cast<std::int32_t>(static_cast<Index>(q) / options.group_size);
  }
  return per_column_map(std::move(groups));
}

/// Prepares the sweep.
class GptqSolver {
 public:
  GptqSolver(const HessianAccumulator& hessian, const GptqOptions& options)
      : options_(options), h_(hessian, options.damping.dead_diagonal) {
    plan_.order = rounding_order(h_, options);
    report_.order = plan_.order;
    report_.tokens = hessian.tokens();
    report_.dead_channels = h_.size() - h_.live();
    for (const Index c : plan_.order) plan_.is_zeroed.push_back(h_.is_dead(c) ? 1 : 0);
    if (options.group_fit == GroupFit::during) plan_.dynamic_group = options.group_size;
  }
  GptqSolver(const GptqSolver&) = delete;  // the plan points into it
  GptqSolver& operator=(const GptqSolver&) = delete;

  /// Factors the Hessian. Returns whether there is a feedback; if not, weights are to be rounded to nearest.
  bool factor() {
    report_.rank = rank_of(h_, options_.executor);
    LowerFactor<double> factor(h_.size());
    const Damping damping = DampingLadder(h_, plan_.order, options_.damping, factor, options_.executor).climb();
    report_.rung = damping.rung;
    if (damping.rung == DampingRung::nearest) return false;
    report_.share = damping.share;
    report_.damping = damping.share * h_.mean() * h_.to_published();
    report_.condition = condition_estimate(factor);
    feedback_.emplace(factor, block(), options_.executor);
    plan_.feedback = &*feedback_;
    for (const Index c : plan_.order) plan_.added.push_back(damped_diagonal(h_, damping, c) - h_(c, c));
    if (options_.alpha != 0) {
      shift_ =
          target_shift(factor, *feedback_, h_, *options_.float_path, plan_.order, options_.alpha, options_.executor);
      plan_.shift = &shift_;
    }
    if (options_.descent_sweeps > 0) {
      hessian_ = ordered_hessian(h_, plan_.order, block(), options_.executor);
    }
    if (needs_pull()) {
      difference_ = ordered_difference(*options_.float_path, h_.scale(), plan_.order, block(), options_.executor);
    }
    return true;
  }

  /// Whether objectives are compared, and whether the float path has a part in them.
  [[nodiscard]] bool compares() const {
    return options_.range == GridRange::objective || options_.row_guard != RowGuard::off;
  }
  [[nodiscard]] bool needs_pull() const {
    return options_.float_path != nullptr && (compares() || options_.descent_sweeps > 0);
  }
  /// H and `sum (f - x) x^T` by position, where they are needed.
  [[nodiscard]] const PackedColumns<double>& hessian() const { return hessian_; }
  [[nodiscard]] const PackedColumns<double>& difference() const { return difference_; }

  [[nodiscard]] GptqPlan& plan() { return plan_; }
  [[nodiscard]] GptqReport& report() { return report_; }
  [[nodiscard]] const Curvature& curvature() const { return h_; }

 private:
  [[nodiscard]] Index block() const { return std::min(options_.block_size, h_.size()); }

  const GptqOptions& options_;
  Curvature h_;
  GptqPlan plan_;
  GptqReport report_;
  std::optional<ErrorFeedback> feedback_;
  PackedColumns<float> shift_;
  PackedColumns<double> hessian_, difference_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
