#pragma once

/// \file
/// What `gptq` is told, and what it tells.

#include "halfstep/calibrators/rounding/column_order.hpp"
#include "halfstep/calibrators/rounding/damping.hpp"
#include "halfstep/calibrators/rounding/input_difference.hpp"
#include "halfstep/calibrators/rounding/row_grid.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/progress.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/scale_storage.hpp"

#include <cmath>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// What shares a grid where there are no groups.
enum class GridScope { row, tensor };

/// When grids of groups are fitted.
enum class GroupFit {
  before,  ///< to the weights as they were given ("static groups")
  during,  ///< to the weights as they stand when the sweep comes to the group's block. The published default; can lose
           ///< against rounding to nearest at 2 bits, as feedback inflates the range of later groups
};

/// What becomes of a row whose objective, `(w - v) H (w - v)^T`, ends above that of rounding to nearest.
enum class RowGuard {
  off,      ///< it stays, as published
  nearest,  ///< it takes the codes and the grid of rounding to nearest
};

/// How `gptq` rounds.
struct GptqOptions {
  Index group_size = 0;  ///< columns that share a grid; 0: see `scope` (a block format: its block)
  GridScope scope = GridScope::row;
  GroupFit group_fit = GroupFit::before;
  bool act_order = false;  ///< columns of large second moment first
  ActOrder order = ActOrder::all_columns;
  Symmetry symmetry = Symmetry::affine;  ///< for quantizers that know the difference, where no rule is given
  GridRange range = GridRange::min_max;
  /// Of `GridRange::objective`, beside 1; each finite and above 0.
  std::vector<float> range_factors = {1.3f, 1.15f, 0.9f, 0.8f, 0.7f, 0.57f, 0.44f};
  ScaleStorage scale_storage = ScaleStorage::f32;  ///< errors are those of the scale as it is stored
  DampingOptions damping = {};
  Index block_size = 128;  ///< columns; decides nothing but what `GroupFit::during` and GPTAQ see
  RowGuard row_guard = RowGuard::off;
  int descent_sweeps = 0;  ///< of coordinate descent over the codes, after the sweep
  /// How the inputs differ from the float model's. With it, objectives are the distance of the layer's output from the
  /// float model's, `|Xq v^T - Xf w^T|^2`. Must have seen the inputs of the Hessian.
  const InputDifference* float_path = nullptr;
  double alpha = 0;                ///< how much of it GPTAQ feeds into the sweep: 0.25 published, 0 none
  ExecutorRef executor = {};       ///< results do not depend on it
  ProgressCallback progress = {};  ///< told of rows; may cancel
};

/// What `gptq` has to tell beside its codes. Losses and damping are in the unit of the published Hessian, 2 / sequences
/// of the sum over tokens.
struct GptqReport {
  DampingRung rung = DampingRung::nearest;
  double share = 0;                ///< of the mean of the diagonal that was added to it at last
  double damping = 0;              ///< that share as a number: lambda
  double condition = 0;            ///< a lower bound of the condition number of the damped Hessian
  Index rank = 0;                  ///< of the Hessian; 0: no data
  Index tokens = 0;                ///< that it was summed over
  Index dead_channels = 0;         ///< that were never active: their weights count as 0
  std::vector<Index> order;        ///< the columns in the order in which they were rounded
  std::vector<double> row_losses;  ///< (w - v) (H + lambda I) (w - v)^T / 2 of each row, v the decoded codes
  double loss = 0;                 ///< their sum, GPTQ's published loss
  Index nearest_rows = 0;          ///< rows that `RowGuard::nearest` gave the codes of rounding to nearest
  bool is_complete = true;  ///< false if the call was cancelled: rows that it did not come to are rounded to nearest
};

/// Refuses options that cannot be followed.
inline void require_gptq_options(std::string_view where, const GptqOptions& options, Index columns, Index channels) {
  if (channels != columns) raise(where, "weight has ", columns, " columns, expected ", channels, " as the Hessian");
  if (options.group_size < 0) raise(where, "group_size is ", options.group_size, ", expected at least 0");
  if (options.group_size > 0 && options.scope == GridScope::tensor) {
    raise(where, "group_size is ", options.group_size, " with the scope of a tensor: expected one of the two");
  }
  if (options.block_size < 1) raise(where, "block_size is ", options.block_size, ", expected at least 1");
  if (options.act_order && options.order == ActOrder::by_group && options.group_size == 0) {
    raise(where, "order is by_group, which needs a group_size");
  }
  if (options.range == GridRange::objective) {
    if (options.scope == GridScope::tensor) raise(where, "range is objective, a search row by row: expected row scope");
    for (const float factor : options.range_factors) {
      if (!(factor > 0) || !std::isfinite(factor)) {
        raise(where, "range_factors has ", factor, ", expected finite numbers above 0");
      }
    }
    if (options.group_size > 0 && options.group_fit == GroupFit::during) {
      raise(where, "range is objective, which needs grids that are fitted before the sweep");
    }
  }
  if (options.descent_sweeps < 0) raise(where, "descent_sweeps is ", options.descent_sweeps, ", expected at least 0");
  if (!std::isfinite(options.alpha)) raise(where, "alpha is ", options.alpha, ", expected a finite number");
  if (options.alpha != 0 && options.float_path == nullptr) {
    raise(where, "alpha is ", options.alpha, " without a float_path");
  }
  if (options.float_path != nullptr && options.float_path->channels() != channels) {
    raise(where, "float_path has ", options.float_path->channels(), " channels, expected ", channels,
          " as the Hessian");
  }
  require_damping(where, options.damping);
}

}  // namespace halfstep::inline HALFSTEP_ABI
