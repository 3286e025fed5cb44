#pragma once

/// \file
/// One call of `gptq`: the weight's rows, their grids and the result.

#include "halfstep/calibrators/rounding/column_sweep.hpp"
#include "halfstep/calibrators/rounding/coordinate_descent.hpp"
#include "halfstep/calibrators/rounding/gptq_options.hpp"
#include "halfstep/calibrators/rounding/gptq_rows.hpp"
#include "halfstep/calibrators/rounding/gptq_solver.hpp"
#include "halfstep/calibrators/rounding/row_grid.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/progress.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/kernels/quantized_matrix.hpp"
#include "halfstep/quantizers/concepts.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// A weight rounded by `gptq`.
template <ScalarQuantizer Q>
struct GptqResult {
  QuantizedMatrix<Q> matrix;
  GptqReport report;
};

/// Columns by the group that they belong to.
struct ColumnGroups {
  std::vector<Index> columns;  ///< group after group
  std::vector<Index> starts;   ///< of each group in `columns`, and their end

  explicit ColumnGroups(const TilingGrid& grid) {
    std::vector<std::vector<Index>> of(static_cast<std::size_t>(grid.col_tiles()));
    for (Index c = 0; c < grid.shape().cols; ++c) of[static_cast<std::size_t>(grid.col_tile(c))].push_back(c);
    for (const std::vector<Index>& group : of) {
      starts.push_back(static_cast<Index>(columns.size()));
      columns.insert(columns.end(), group.begin(), group.end());
    }
    starts.push_back(static_cast<Index>(columns.size()));
  }
};

/// `gptq` of one weight whose rows `read(row, room for one)` gives.
template <ScalarQuantizer Q>
class GptqCall {
 public:
  using ReadRow = FunctionRef<const float*(Index row, float* scratch)>;

  GptqCall(Shape shape, ReadRow read, GptqSolver& solver, const GptqOptions& options, const GranuleFit<Q>& fit)
      : read_(read),
        solver_(solver),
        options_(options),
        fit_(fit),
        result_{QuantizedMatrix<Q>(shape, gptq_tiling(options, solver.plan().order), fit.scale_storage), {}},
        groups_(grid()),
        progress_(options.progress, shape.rows) {
    GptqPlan& plan = solver.plan();
    for (const Index c : plan.order) plan.group_of.push_back(grid().col_tile(c));
    if (options.scope == GridScope::tensor) fit_tensor();
  }

  GptqResult<Q> run() {
    progress_.advance(0);
    const bool has_feedback = !progress_.is_cancelled() && solver_.factor();
    GptqReport& report = solver_.report();
    report.row_losses.assign(static_cast<std::size_t>(rows()), 0.0);
    const Index strips = chunk_count(rows(), GptqRows::width);
    const Index at_a_time = std::clamp<Index>(strips / (2 * options_.executor.concurrency()), 1, 8);
    parallel_chunks(options_.executor, rows(), at_a_time * GptqRows::width, [&](Index, Index begin, Index end) {
      if (has_feedback && !progress_.is_cancelled()) {
        round(begin, end);
      } else {
        round_to_nearest(begin, end);
      }
      progress_.advance(end - begin);
    });
    for (const double loss : report.row_losses) report.loss += loss;
    report.is_complete = !was_cut_short_;
    report.nearest_rows = nearest_rows_;
    result_.report = std::move(report);
    return std::move(result_);
  }

 private:
  [[nodiscard]] const TilingGrid& grid() const { return result_.matrix.grid(); }
  [[nodiscard]] Index rows() const { return result_.matrix.rows(); }
  [[nodiscard]] Index cols() const { return result_.matrix.cols(); }

  void fit_tensor() {
    std::vector<float> values(static_cast<std::size_t>(rows() * cols()));
    std::vector<float> scratch(static_cast<std::size_t>(cols()));
    for (Index r = 0; r < rows(); ++r) std::copy_n(read_(r, scratch.data()), cols(), values.data() + r * cols());
    tensor_ = fit_(values, 1.0f);
  }

  /// Which weights of dead channels a grid is fitted to: 0, for groups of a sweep, or what they are.
  enum class DeadWeights { as_zero, as_given };

  /// Fits all groups of a row to its weights.
  void fit_row(Index row, RowGrid<Q>& grids, Index at, float factor, DeadWeights dead) {
    if (tensor_) {
      grids.at(at, 0) = *tensor_;
      return;
    }
    std::vector<float> scratch(static_cast<std::size_t>(cols()));
    const float* const weights = read_(row, scratch.data());
    if (options_.group_size == 0) {
      grids.at(at, 0) = fit_({weights, static_cast<std::size_t>(cols())}, factor);
      return;
    }
    std::vector<float> values(groups_.columns.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const Index c = groups_.columns[i];
      values[i] = dead == DeadWeights::as_zero && solver_.curvature().is_dead(c) ? 0.0f : weights[c];
    }
    for (Index g = 0; g < grids.groups(); ++g) {
      const Index begin = groups_.starts[static_cast<std::size_t>(g)];
      const Index end = groups_.starts[static_cast<std::size_t>(g + 1)];
      grids.at(at, g) = fit_({values.data() + begin, static_cast<std::size_t>(end - begin)}, factor);
    }
  }

  /// Codes and grids that some rows end with.
  struct Trial {
    GptqRows rows;
    RowGrid<Q> grids;
  };

  void round(Index begin, Index end) {
    const auto weight = [&](Index row, float* to) {
      const float* const from = read_(begin + row, to);
      if (from != to) std::copy_n(from, cols(), to);
    };
    Trial best = sweep(begin, end, weight, Feedback::on, 1.0f);
    RowStrips<double> pull;
    if (solver_.needs_pull()) pull = output_pull(solver_.difference(), solver_.plan().order, end - begin, weight);
    const RowStrips<double>* const pulls = solver_.needs_pull() ? &pull : nullptr;
    if (solver_.compares()) compare(begin, end, weight, pulls, best);
    if (options_.descent_sweeps > 0) {
      with_calls(best.grids, [&](const GridCalls& calls) {
        CoordinateDescent(solver_.hessian(), solver_.plan(), pulls, calls, best.rows)
            .run(options_.descent_sweeps, weight);
      });
    }
    store(begin, best.rows, best.grids);
  }

  /// Tries other grids, and rounding to nearest, and keeps what is better row by row.
  void compare(Index begin, Index end, WeightRow weight, const RowStrips<double>* pull, Trial& best) {
    std::vector<double> objectives = best.rows.objectives(pull);
    if (options_.range == GridRange::objective) {
      for (const float factor : options_.range_factors) {
        keep_better(sweep(begin, end, weight, Feedback::on, factor), pull, best, objectives);
      }
    }
    if (options_.row_guard == RowGuard::nearest) {
      nearest_rows_ += keep_better(sweep(begin, end, weight, Feedback::off, 1.0f), pull, best, objectives);
    }
  }

  static Index keep_better(Trial trial, const RowStrips<double>* pull, Trial& best, std::vector<double>& objectives) {
    const std::vector<double> found = trial.rows.objectives(pull);
    Index taken = 0;
    for (Index r = 0; r < trial.rows.rows(); ++r) {
      const auto at = static_cast<std::size_t>(r);
      if (!(found[at] < objectives[at])) continue;
      objectives[at] = found[at];
      best.rows.take_row(trial.rows, r);
      best.grids.take_row(trial.grids, r);
      ++taken;
    }
    return taken;
  }

  Trial sweep(Index begin, Index end, WeightRow weight, Feedback feedback, float factor) {
    Trial trial{GptqRows(solver_.plan(), end - begin), RowGrid<Q>(end - begin, grid().col_tiles())};
    if (solver_.plan().dynamic_group == 0) {
      for (Index r = begin; r < end; ++r) fit_row(r, trial.grids, r - begin, factor, DeadWeights::as_zero);
    }
    with_calls(trial.grids, [&](const GridCalls& calls) { trial.rows.sweep(weight, feedback, calls); });
    return trial;
  }

  void with_calls(RowGrid<Q>& grids, FunctionRef<void(const GridCalls&)> use) {
    const auto round = [&](Index row, Index lanes, Index group, const float* x, float* values, std::uint8_t* codes) {
      grids.round(row, lanes, group, x, values, codes);
    };
    const auto decode = [&](Index row, Index lanes, Index group, const std::uint8_t* codes, float* values) {
      grids.decode(row, lanes, group, codes, values);
    };
    const auto fit = [&](Index row, Index group, const float* weights, Index count) {
      grids.at(row, group) = fit_({weights, static_cast<std::size_t>(count)}, 1.0f);
    };
    use({round, decode, fit});
  }

  void store(Index begin, const GptqRows& task, RowGrid<Q>& grids) {
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(cols()));
    const double unit = solver_.curvature().to_published() / 2;
    for (Index r = 0; r < task.rows(); ++r) {
      for (Index q = 0; q < cols(); ++q) {
        codes[static_cast<std::size_t>(solver_.plan().order[static_cast<std::size_t>(q)])] =
            task.codes(r / GptqRows::width, q)[r % GptqRows::width];
      }
      store_row(begin + r, grids, r, codes.data());
      solver_.report().row_losses[static_cast<std::size_t>(begin + r)] = unit * task.loss(r);
    }
  }

  void store_row(Index row, RowGrid<Q>& grids, Index at, const std::uint8_t* codes) {
    result_.matrix.set_row(row, codes);
    if (tensor_ && row > 0) return;
    for (Index g = 0; g < grids.groups(); ++g) {
      result_.matrix.set_quantizer(row / grid().tile_rows() * grid().col_tiles() + g, grids.at(at, g));
    }
  }

  void round_to_nearest(Index begin, Index end) {
    RowGrid<Q> grids(1, grid().col_tiles());
    std::vector<float> scratch(static_cast<std::size_t>(cols()));
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(cols()));
    for (Index r = begin; r < end; ++r) {
      fit_row(r, grids, 0, 1.0f, DeadWeights::as_given);
      const float* const weights = read_(r, scratch.data());
      for (Index c = 0; c < cols(); ++c) {
        float value = 0;
        grids.round(0, 1, grid().col_tile(c), weights + c, &value, &codes[static_cast<std::size_t>(c)]);
      }
      store_row(r, grids, 0, codes.data());
    }
    if (progress_.is_cancelled()) was_cut_short_ = true;
  }

  ReadRow read_;
  GptqSolver& solver_;
  const GptqOptions& options_;
  GranuleFit<Q> fit_;
  GptqResult<Q> result_;
  ColumnGroups groups_;
  std::optional<Q> tensor_;
  ProgressCounter progress_;
  std::atomic<bool> was_cut_short_{false};
  std::atomic<Index> nearest_rows_{0};
};

}  // namespace halfstep::inline HALFSTEP_ABI
