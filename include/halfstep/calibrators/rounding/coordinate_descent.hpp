#pragma once

/// \file
/// Coordinate descent over the codes of a weight, after GPTQ.
///
/// The objective of a row is `e H e^T + 2 e z^T`, e = w - v, H without damping; z is 0, or what draws the output
/// towards the float model's: `z = w sum (f - x) x^T`. One column at a time, in the order of rounding, v_q becomes the
/// level nearest to the minimum, `v_q + (e H + z)_q / H_qq`, and stays so if that lowers the objective. Sums are
/// double: an objective is never raised. Within a block of columns changes are passed on one by one, beyond it block by
/// block, by sums taken afresh.

#include "halfstep/calibrators/rounding/column_sweep.hpp"
#include "halfstep/calibrators/rounding/curvature.hpp"
#include "halfstep/calibrators/rounding/gptq_rows.hpp"
#include "halfstep/calibrators/rounding/input_difference.hpp"
#include "halfstep/calibrators/rounding/packed_columns.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// H by position, without damping.
[[nodiscard]] inline PackedColumns<double> ordered_hessian(const Curvature& h, std::span<const Index> order,
                                                           Index block, ExecutorRef executor) {
  const auto read = [&](Index q, Index columns, Index rows, double* to) {
    std::vector<double> column(static_cast<std::size_t>(rows));
    for (Index i = 0; i < columns; ++i) {
      h.read(order, order[static_cast<std::size_t>(q + i)], column.data());
      for (std::size_t p = 0; p < column.size(); ++p)
        to[static_cast<Index>(p) * PackedColumns<double>::height + i] = column[p];
    }
  };
  return PackedColumns<double>(h.size(), block, ColumnExtent::whole, read, executor);
}

/// `sum (f - x) x^T` by position, in the unit of the curvature.
[[nodiscard]] inline PackedColumns<double> ordered_difference(const InputDifference& difference, double scale,
                                                              std::span<const Index> order, Index block,
                                                              ExecutorRef executor) {
  const auto read = [&](Index q, Index columns, Index rows, double* to) {
    for (Index p = 0; p < rows; ++p) {
      for (Index i = 0; i < columns; ++i) {
        to[p * PackedColumns<double>::height + i] =
            scale * difference(order[static_cast<std::size_t>(p)], order[static_cast<std::size_t>(q + i)]);
      }
    }
  };
  return PackedColumns<double>(difference.channels(), block, ColumnExtent::whole, read, executor);
}

/// z of some rows, for `difference` by position, in as many strips as `GptqRows` of those rows has lanes for. Weights
/// of dead channels count: the float model's are not dead.
[[nodiscard]] inline RowStrips<double> output_pull(const PackedColumns<double>& difference,
                                                   std::span<const Index> order, Index rows, WeightRow weight) {
  using Strips = RowStrips<double>;
  const Index strips = chunk_count(rows, GptqRows::width) * (GptqRows::width / Strips::width);
  Strips weights(strips, difference.size()), within(strips, difference.size()), result(strips, difference.size());
  std::vector<float> row(order.size());
  for (Index r = 0; r < rows; ++r) {
    weight(r, row.data());
    for (std::size_t q = 0; q < row.size(); ++q) {
      weights(r, static_cast<Index>(q)) = static_cast<double>(row[static_cast<std::size_t>(order[q])]);
    }
  }
  ColumnSweep<double> pass(strips);
  pass.add(difference, weights, within);
  pass.run([&](Index s, Index q) { std::copy_n(pass.sums(0, s, q), Strips::width, result.at(s, q)); });
  return result;
}

/// Coordinate descent over some rows that GPTQ has rounded.
class CoordinateDescent {
 public:
  using Strips = RowStrips<double>;
  static constexpr Index width = Strips::width;

  /// `hessian` by position; `pull` is z, or null for 0. All must outlive it.
  CoordinateDescent(const PackedColumns<double>& hessian, const GptqPlan& plan, const Strips* pull,
                    const GridCalls& grid, GptqRows& rows)
      : hessian_(hessian),
        plan_(plan),
        pull_(pull),
        grid_(grid),
        rows_(rows),
        values_(rows.strips(), plan.columns()),
        errors_(rows.strips() * (GptqRows::width / width), plan.columns()),
        changes_(errors_.strips(), plan.columns()) {}

  /// Goes over all columns `sweeps` times, or until no code changes. Leaves codes, errors and losses in the rows.
  void run(int sweeps, WeightRow weight) {
    start(weight);
    for (int i = 0; i < sweeps; ++i) {
      changed_ = 0;
      changes_.fill(0);
      ColumnSweep<double> pass(errors_.strips());
      pass.add(hessian_, errors_, changes_);
      pass.run([&](Index s, Index q) { visit(s, q, pass.sums(0, s, q)); });
      if (changed_ == 0) break;
    }
    for (Index r = 0; r < rows_.rows(); ++r) {
      for (Index q = 0; q < plan_.columns(); ++q) rows_.errors()(r, q) = static_cast<float>(errors_(r, q));
    }
    rows_.measure();
  }

 private:
  void start(WeightRow weight) {
    rows_.load(weight);
    for (Index s = 0; s < rows_.strips(); ++s) {
      for (Index q = 0; q < plan_.columns(); ++q) {
        grid_.decode(s * GptqRows::width, GptqRows::width, plan_.group(q), rows_.codes(s, q), values_.at(s, q));
      }
    }
    for (Index r = 0; r < rows_.rows(); ++r) {
      for (Index q = 0; q < plan_.columns(); ++q) {
        errors_(r, q) = static_cast<double>(rows_.errors()(r, q)) - static_cast<double>(values_(r, q));
      }
    }
  }

  void visit(Index s, Index q, const double* sums) {
    const double own = hessian_(q, q);
    if (!(own > 0)) return;  // a dead channel: nothing to gain
    const Index row = s * width, strip = row / GptqRows::width, lane = row % GptqRows::width;
    float* const values = values_.at(strip, q) + lane;
    std::uint8_t* const codes = rows_.codes(strip, q) + lane;
    double slopes[width];
    float x[width], moved[width];
    std::uint8_t moved_codes[width];
    for (Index r = 0; r < width; ++r) {
      slopes[r] = sums[r] + (pull_ != nullptr ? pull_->at(s, q)[r] : 0.0);
      x[r] = static_cast<float>(static_cast<double>(values[r]) + slopes[r] / own);
    }
    grid_.round(row, width, plan_.group(q), x, moved, moved_codes);
    for (Index r = 0; r < width; ++r) {
      const double change = static_cast<double>(moved[r]) - static_cast<double>(values[r]);
      if (!(change * (change * own - 2 * slopes[r]) < 0)) continue;
      values[r] = moved[r];
      codes[r] = moved_codes[r];
      errors_.at(s, q)[r] -= change;
      changes_.at(s, q)[r] = -change;
      ++changed_;
    }
  }

  const PackedColumns<double>& hessian_;
  const GptqPlan& plan_;
  const Strips* pull_;
  const GridCalls& grid_;
  GptqRows& rows_;
  RowStrips<float> values_;
  Strips errors_, changes_;
  Index changed_ = 0;
};

}  // namespace halfstep::inline HALFSTEP_ABI
