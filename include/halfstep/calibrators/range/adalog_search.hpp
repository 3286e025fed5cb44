#pragma once

/// \file
/// AdaLog's searches: which quantizers suit the operands of a linear layer, of a layer after GELU, of queries times
/// keys and of probabilities times values.
///
/// Source: Wu et al., AdaLog, ECCV 2024, section 3.4, and its published program, whose starts, orders and grids these
/// are: alternation has several fixed points, and another start would end in another. Two things differ: a progressive
/// search returns the best candidate that it tried (there the best of its last step), and of equal ones the first.

#include "halfstep/calibrators/range/adalog_turn.hpp"
#include "halfstep/calibrators/range/alternating_search.hpp"
#include "halfstep/calibrators/range/candidate_search.hpp"
#include "halfstep/calibrators/range/observed_product.hpp"
#include "halfstep/calibrators/range/progressive_search.hpp"
#include "halfstep/calibrators/range/uniform_grid.hpp"
#include "halfstep/calibrators/range/value_loss.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/progress.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/quantizers/adalog.hpp"
#include "halfstep/quantizers/uniform.hpp"

#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Options of AdaLog's searches.
struct AdaLogSearchOptions {
  int rounds = 3;                  ///< of turns, at least 1
  ExecutorRef executor = {};       ///< results do not depend on it
  ProgressCallback progress = {};  ///< may cancel; the best so far is returned
};

/// Refuses options that no search can follow.
inline void require_adalog_options(std::string_view where, const AdaLogSearchOptions& options) {
  if (options.rounds < 1) raise(where, "rounds is ", options.rounds, ", expected at least 1");
}

/// Number `count - 2` of a grid for each granule: where AdaLog's searches start that have no search by values first.
template <int Bits>
[[nodiscard]] std::vector<Uniform<Bits>> second_last(const ProgressiveGrid<Uniform<Bits>>& grid) {
  const auto row = grid.candidates.row(grid.candidates.count() - 2);
  return {row.begin(), row.end()};
}

/// A linear layer: weights affine per output channel, input affine per tensor. Both by the mean squared error of their
/// own values first; then, `rounds` times, the weights and the input by the squared error of the output.
///
///     const auto found = adalog_linear<4, 4>({.lhs = view(x), .rhs = view(w)});
///     auto weight = quantize_with(w, found.rhs, {.tiling = per_row()});
///
/// Errors: operands that do not fit, without elements, or with a value that is not finite. Costs about 4600 products of
/// the reduced kind (`OutputLoss`). Class: bounded, for any executor.
template <int WeightBits, int InputBits>
[[nodiscard]] ProductQuantizers<Uniform<InputBits>, Uniform<WeightBits>> adalog_linear(
    const ObservedProduct& layer, const AdaLogSearchOptions& options = {}) {
  using W = Uniform<WeightBits>;
  using A = Uniform<InputBits>;
  require_adalog_options("adalog_linear", options);
  const std::span<const ObservedProduct> products(&layer, 1);
  GranuleValues weights = operand_values("adalog_linear", products, Operand::rhs, per_row(), options.executor);
  GranuleValues inputs = operand_values("adalog_linear", products, Operand::lhs, {}, options.executor);
  const ProgressiveTurn<W> weight_turn{uniform_grid<WeightBits>(weights, adalog_weight_grid<WeightBits>)};
  const ProgressiveTurn<A> input_turn{uniform_grid<InputBits>(inputs, adalog_input_grid<InputBits>),
                                      {.least_scale = adalog_input_grid<InputBits>.least_scale}};
  SearchRun run({options.executor, options.progress},
                (options.rounds + 1) * (weight_turn.count() + input_turn.count()));
  const auto first_weights =
      progressive_search(weight_turn.grid, ValueLoss<W>(std::move(weights)), weight_turn.refinement, run);
  std::vector<A> first_inputs = second_last(input_turn.grid);
  if (!run.is_cancelled()) {
    first_inputs =
        quantizers_of(progressive_search(input_turn.grid, ValueLoss<A>(std::move(inputs)), input_turn.refinement, run));
  }
  AlternatingSearch<A, W> search(products, {.rhs_tiling = per_row(), .executor = options.executor},
                                 std::move(first_inputs), quantizers_of(first_weights), run);
  for (int round = 0; round < options.rounds; ++round) {
    search.rhs(weight_turn);
    search.lhs(input_turn);
  }
  return search.take();
}

/// A linear layer whose input `A` (an `AdaLog`) comes out of GELU: weights affine per output channel, by their own
/// values first; then, `rounds` times, base and scale of the input (`AdaLogTurn`) and the weights, by the squared error
/// of the output. The input's shift is `shift` throughout; `decode` takes it off again.
///
/// Errors: as `adalog_linear`. Costs about 2700 whole and 2300 reduced products. Class: bounded, for any executor.
template <int WeightBits, ScalarQuantizer A>
[[nodiscard]] ProductQuantizers<A, Uniform<WeightBits>> adalog_gelu(const ObservedProduct& layer,
                                                                    const AdaLogSearchOptions& options = {},
                                                                    float shift = gelu_shift) {
  using W = Uniform<WeightBits>;
  require_adalog_options("adalog_gelu", options);
  const std::span<const ObservedProduct> products(&layer, 1);
  GranuleValues weights = operand_values("adalog_gelu", products, Operand::rhs, per_row(), options.executor);
  const ProgressiveTurn<W> weight_turn{uniform_grid<WeightBits>(weights, adalog_weight_grid<WeightBits>)};
  const AdaLogTurn<A> input_turn{adalog_scales(operand_values("adalog_gelu", products, Operand::lhs, {}).at(0), shift)};
  SearchRun run({options.executor, options.progress},
                weight_turn.count() + options.rounds * (weight_turn.count() + input_turn.count()));
  const auto first_weights =
      progressive_search(weight_turn.grid, ValueLoss<W>(std::move(weights)), weight_turn.refinement, run);
  A start;
  start.scale = input_turn.scales.at(adalog_base_count - 2, adalog_base_count);
  start.shift = shift;
  AlternatingSearch<A, W> search(products, {.rhs_tiling = per_row(), .executor = options.executor}, {start},
                                 quantizers_of(first_weights), run);
  for (int round = 0; round < options.rounds; ++round) {
    search.lhs(input_turn);
    search.rhs(weight_turn);
  }
  return search.take();
}

/// Probabilities (lhs, `A`, an `AdaLog` of scale 1, one for all heads) times values (rhs, affine per head), one product
/// per image and head. `rounds` times: the base by the squared error of the output over all heads, then the values of
/// each head. Values start at the last but one candidate of their grid.
///
/// Errors: as `OutputLoss`. Costs about 900 products per round. Class: bounded, for any executor.
template <ScalarQuantizer A, int ValueBits>
[[nodiscard]] ProductQuantizers<A, Uniform<ValueBits>> adalog_softmax(std::span<const ObservedProduct> products,
                                                                      const AdaLogSearchOptions& options = {}) {
  using V = Uniform<ValueBits>;
  require_adalog_options("adalog_softmax", options);
  const ScanTurn<A> base_turn{Candidates<A>(adalog_base_candidates(A{}))};
  const ProgressiveTurn<V> value_turn{uniform_grid<ValueBits>(
      operand_values("adalog_softmax", products, Operand::rhs, {}, options.executor), adalog_weight_grid<ValueBits>)};
  SearchRun run({options.executor, options.progress}, options.rounds * (base_turn.count() + value_turn.count()));
  AlternatingSearch<A, V> search(products, {.lhs_tiling = Heads::together, .executor = options.executor}, {A{}},
                                 second_last(value_turn.grid), run);
  for (int round = 0; round < options.rounds; ++round) {
    search.lhs(base_turn);
    search.rhs(value_turn);
  }
  return search.take();
}

/// Queries (lhs) times keys (rhs), both affine per head, one product per image and head: `rounds` times queries, then
/// keys, by the squared error of the output. Both start at the last but one candidate of their grids.
///
/// Errors: as `OutputLoss`. Costs about 1500 products per round. Class: bounded, for any executor.
template <int LhsBits, int RhsBits>
[[nodiscard]] ProductQuantizers<Uniform<LhsBits>, Uniform<RhsBits>> adalog_attention(
    std::span<const ObservedProduct> products, const AdaLogSearchOptions& options = {}) {
  require_adalog_options("adalog_attention", options);
  const ProgressiveTurn<Uniform<LhsBits>> lhs_turn{uniform_grid<LhsBits>(
      operand_values("adalog_attention", products, Operand::lhs, {}, options.executor), adalog_weight_grid<LhsBits>)};
  const ProgressiveTurn<Uniform<RhsBits>> rhs_turn{uniform_grid<RhsBits>(
      operand_values("adalog_attention", products, Operand::rhs, {}, options.executor), adalog_weight_grid<RhsBits>)};
  SearchRun run({options.executor, options.progress}, options.rounds * (lhs_turn.count() + rhs_turn.count()));
  AlternatingSearch<Uniform<LhsBits>, Uniform<RhsBits>> search(
      products, {.executor = options.executor}, second_last(lhs_turn.grid), second_last(rhs_turn.grid), run);
  for (int round = 0; round < options.rounds; ++round) {
    search.lhs(lhs_turn);
    search.rhs(rhs_turn);
  }
  return search.take();
}

}  // namespace halfstep::inline HALFSTEP_ABI
