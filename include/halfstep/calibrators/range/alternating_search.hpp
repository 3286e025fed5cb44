#pragma once

/// \file
/// Searches for both operands of a product, in turns: each by the error of the output while the other is quantized.

#include "halfstep/calibrators/range/candidate_search.hpp"
#include "halfstep/calibrators/range/observed_product.hpp"
#include "halfstep/calibrators/range/output_loss.hpp"
#include "halfstep/calibrators/range/progressive_search.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/quantizers/concepts.hpp"

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Quantizers of both operands of products, by granule: what an alternating search settles on.
template <ScalarQuantizer L, ScalarQuantizer R>
struct ProductQuantizers {
  std::vector<L> lhs;          ///< input, queries, probabilities
  std::vector<R> rhs;          ///< weight, keys, values
  std::vector<double> losses;  ///< after each search: the mean over its granules
  bool is_complete = true;     ///< false where it was cancelled: the best so far
};

/// What an alternating search is about.
struct AlternatingOptions {
  ProductTiling lhs_tiling = {};                ///< which rows of lhs share a quantizer
  ProductTiling rhs_tiling = {};                ///< which rows of rhs: per_row() for weights by output channel
  OutputMetric metric = OutputMetric::squared;  ///< hessian: products bring gradients
  ExecutorRef executor = {};                    ///< results do not depend on it
};

/// What the operand that is not searched is multiplied as.
enum class OtherOperand { quantized, as_float };

/// A turn of an alternating search: the best of a list.
template <ScalarQuantizer Q>
struct ScanTurn {
  Candidates<Q> candidates;
  SearchResult<Q> operator()(const OutputLoss<Q>& loss, const std::vector<Q>&, SearchRun& run) const {
    return candidate_search(candidates, loss, run);
  }
  [[nodiscard]] Index count() const { return candidates.count(); }
};

/// A turn of an alternating search: a grid that is refined.
template <HasScale Q>
struct ProgressiveTurn {
  ProgressiveGrid<Q> grid;
  Refinement refinement = {};
  SearchResult<Q> operator()(const OutputLoss<Q>& loss, const std::vector<Q>&, SearchRun& run) const {
    return progressive_search(grid, loss, refinement, run);
  }
  [[nodiscard]] Index count() const { return progressive_count(grid.candidates.count(), refinement); }
};

/// The search for both operands of `products`, turn by turn. A turn is called as `turn(loss, current, run)` and gives a
/// `SearchResult`: `ScanTurn`, `ProgressiveTurn`, or a lambda. Turns after a cancellation do nothing; in a turn that is
/// cancelled, quantizers that were better than what it had found so far stay.
///
///     AlternatingSearch<Uniform<4>, Uniform<4>> search(layer, {.rhs_tiling = per_row()}, inputs, weights, run);
///     for (int round = 0; round < 3; ++round) {
///       search.rhs(weight_turn);
///       search.lhs(input_turn);
///     }
///     return search.take();
template <ScalarQuantizer L, ScalarQuantizer R>
class AlternatingSearch {
 public:
  /// Starts from `lhs` and `rhs`, by granule. `run` and what `products` view must outlive it.
  AlternatingSearch(std::span<const ObservedProduct> products, const AlternatingOptions& options, std::vector<L> lhs,
                    std::vector<R> rhs, SearchRun& run)
      : products_(products), options_(options), found_{std::move(lhs), std::move(rhs), {}, true}, run_(run) {}

  template <class Turn>
  void lhs(const Turn& turn, OtherOperand other = OtherOperand::quantized) {
    take_turn(Operand::lhs, options_.lhs_tiling, found_.lhs, options_.rhs_tiling, found_.rhs, other, turn);
  }
  template <class Turn>
  void rhs(const Turn& turn, OtherOperand other = OtherOperand::quantized) {
    take_turn(Operand::rhs, options_.rhs_tiling, found_.rhs, options_.lhs_tiling, found_.lhs, other, turn);
  }

  /// What was found. The search is over.
  [[nodiscard]] ProductQuantizers<L, R> take() {
    found_.is_complete = !run_.is_cancelled();
    return std::move(found_);
  }

 private:
  template <class Q, class Fixed, class Turn>
  void take_turn(Operand operand, const ProductTiling& tiling, std::vector<Q>& current,
                 const ProductTiling& fixed_tiling, const std::vector<Fixed>& fixed, OtherOperand other,
                 const Turn& turn) {
    if (run_.is_cancelled()) return;
    std::vector<MatrixF> values;
    if (other == OtherOperand::quantized) {
      values = fake_quantize_operand(products_, other_operand(operand), fixed, fixed_tiling, options_.executor);
    }
    const OutputLoss<Q> loss(products_, values, {operand, tiling, options_.metric, options_.executor});
    SearchResult<Q> result = turn(loss, current, run_);
    if (run_.is_cancelled()) {
      std::vector<double> losses(current.size());
      loss(current, losses);
      keep_better(current, losses, result);
    }
    current = quantizers_of(result);
    found_.losses.push_back(mean_loss(result));
  }

  template <class Q>
  static void keep_better(const std::vector<Q>& current, const std::vector<double>& losses, SearchResult<Q>& result) {
    for (std::size_t g = 0; g < current.size(); ++g) {
      if (losses[g] <= result.choices[g].loss) result.choices[g] = {current[g], -1, losses[g]};
    }
  }

  std::span<const ObservedProduct> products_;
  AlternatingOptions options_;
  ProductQuantizers<L, R> found_;
  SearchRun& run_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
