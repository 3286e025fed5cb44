#pragma once

/// \file
/// PTQ4ViT's searches: scales of both operands of a product, in turns, from a list of multiples of their first values,
/// by what the output loses.
///
/// Source: Yuan et al., PTQ4ViT, ECCV 2022, sections 3.2 and 3.3, and its published program. The published lists have a
/// 101st factor that is never tried; so does this one not.

#include "halfstep/calibrators/range/alternating_search.hpp"
#include "halfstep/calibrators/range/candidate_ranges.hpp"
#include "halfstep/calibrators/range/candidate_search.hpp"
#include "halfstep/calibrators/range/fit_each.hpp"
#include "halfstep/calibrators/range/granule_statistics.hpp"
#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/calibrators/range/observed_product.hpp"
#include "halfstep/calibrators/range/output_loss.hpp"
#include "halfstep/calibrators/range/published_fits.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/progress.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/quantizers/adalog.hpp"
#include "halfstep/quantizers/scale.hpp"
#include "halfstep/quantizers/twin_uniform.hpp"
#include "halfstep/quantizers/uniform.hpp"

#include <span>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Options of PTQ4ViT's searches.
struct Ptq4vitOptions {
  int rounds = 3;                               ///< of turns, at least 1
  int weight_blocks = 1;                        ///< of consecutive output channels that share a scale: 3 for qkv
  OutputMetric metric = OutputMetric::hessian;  ///< hessian: products bring gradients
  ScaleFactors factors = {};                    ///< of the scales; published for the cosine: 0.5 to 1.2, one round
  ExecutorRef executor = {};                    ///< results do not depend on it
  ProgressCallback progress = {};               ///< may cancel; the best so far is returned
};

/// PTQ4ViT's first values as a rule: `ptq4vit_fit` for uniform quantizers. For `TwinGelu`, with n = 2^(b-1), the
/// positive step is max / (n - 1/2), and the negative one 0.16997 / n whatever the data, so that it reaches GELU's
/// least value.
template <ScalarQuantizer Q>
struct Ptq4vitFit;
template <int Bits>
struct Ptq4vitFit<Uniform<Bits>> {
  Uniform<Bits> operator()(const Range& range) const { return ptq4vit_fit<Bits>(range); }
};
template <int Bits>
struct Ptq4vitFit<TwinGelu<Bits>> {
  TwinGelu<Bits> operator()(const Range& range) const {
    constexpr auto half = static_cast<float>(TwinGelu<Bits>::half);
    return {usable_scale(range.max / (half - 0.5f)), gelu_shift / half};
  }
};

/// What `rule` makes of the values of each granule of an operand.
template <ScalarQuantizer Q, FitRule<Q> Rule>
[[nodiscard]] std::vector<Q> fit_operand(std::string_view where, std::span<const ObservedProduct> products,
                                         Operand operand, const ProductTiling& tiling, const Rule& rule,
                                         ExecutorRef executor) {
  std::vector<Q> fitted;
  for (const std::vector<float>& values : operand_values(where, products, operand, tiling, executor)) {
    RangeStatistic seen;
    seen.add(values.data(), static_cast<Index>(values.size()));
    fitted.push_back(rule(seen.range()));
  }
  return fitted;
}

/// The turn that scans multiples of the scales of `start`, by granule.
template <HasScale Q>
[[nodiscard]] ScanTurn<Q> scale_turn(const std::vector<Q>& start, const ScaleFactors& factors) {
  std::vector<std::vector<Q>> lists;
  for (const Q& q : start) lists.push_back(scaled_candidates(q, factors));
  return {Candidates<Q>(lists)};
}

inline void require_ptq4vit_options(std::string_view where, const Ptq4vitOptions& options) {
  if (options.rounds < 1) raise(where, "rounds is ", options.rounds, ", expected at least 1");
}

/// A linear layer: weights symmetric per block of output channels, input `A` per tensor (`Uniform<Bits>`, or
/// `TwinGelu<Bits>` after GELU). Both start at `Ptq4vitFit`; `rounds` times the weights, then the input.
///
///     const auto found = ptq4vit_linear<8, TwinGelu<8>>({.lhs = view(x), .rhs = view(w), .gradient = view(g)});
///
/// `rule` makes the first quantizer of the input from its range. Errors: output channels that the blocks do not divide;
/// see `OutputLoss`. Costs 200 products per round. Class: bounded, for any executor.
template <int WeightBits, HasScale A, FitRule<A> Rule = Ptq4vitFit<A>>
[[nodiscard]] ProductQuantizers<A, Uniform<WeightBits>> ptq4vit_linear(const ObservedProduct& layer,
                                                                       const Ptq4vitOptions& options = {},
                                                                       const Rule& rule = {}) {
  using W = Uniform<WeightBits>;
  require_ptq4vit_options("ptq4vit_linear", options);
  const Index rows = layer.rhs.rows;
  if (options.weight_blocks < 1 || rows % options.weight_blocks != 0) {
    raise("ptq4vit_linear", "weight_blocks is ", options.weight_blocks, ", expected a divisor of the ", rows,
          " rows of rhs");
  }
  const std::span<const ObservedProduct> products(&layer, 1);
  const ProductTiling blocks = rows == 0 ? ProductTiling() : ProductTiling(per_row_block(rows / options.weight_blocks));
  auto inputs = fit_operand<A>("ptq4vit_linear", products, Operand::lhs, {}, rule, options.executor);
  auto weights = fit_operand<W>("ptq4vit_linear", products, Operand::rhs, blocks, Ptq4vitFit<W>(), options.executor);
  const ScanTurn<A> input_turn = scale_turn(inputs, options.factors);
  const ScanTurn<W> weight_turn = scale_turn(weights, options.factors);
  SearchRun run({options.executor, options.progress}, options.rounds * (input_turn.count() + weight_turn.count()));
  AlternatingSearch<A, W> search(products, {{}, blocks, options.metric, options.executor}, std::move(inputs),
                                 std::move(weights), run);
  for (int round = 0; round < options.rounds; ++round) {
    search.rhs(weight_turn);
    search.lhs(input_turn);
  }
  return search.take();
}

/// Queries times keys, one product per image and head, both symmetric per head: `rounds` times lhs, then rhs.
/// Errors, cost and class: as `ptq4vit_linear`.
template <int LhsBits, int RhsBits>
[[nodiscard]] ProductQuantizers<Uniform<LhsBits>, Uniform<RhsBits>> ptq4vit_attention(
    std::span<const ObservedProduct> products, const Ptq4vitOptions& options = {}) {
  using L = Uniform<LhsBits>;
  using R = Uniform<RhsBits>;
  require_ptq4vit_options("ptq4vit_attention", options);
  auto lhs = fit_operand<L>("ptq4vit_attention", products, Operand::lhs, {}, Ptq4vitFit<L>(), options.executor);
  auto rhs = fit_operand<R>("ptq4vit_attention", products, Operand::rhs, {}, Ptq4vitFit<R>(), options.executor);
  const ScanTurn<L> lhs_turn = scale_turn(lhs, options.factors);
  const ScanTurn<R> rhs_turn = scale_turn(rhs, options.factors);
  SearchRun run({options.executor, options.progress}, options.rounds * (lhs_turn.count() + rhs_turn.count()));
  AlternatingSearch<L, R> search(products, {{}, {}, options.metric, options.executor}, std::move(lhs), std::move(rhs),
                                 run);
  for (int round = 0; round < options.rounds; ++round) {
    search.lhs(lhs_turn);
    search.rhs(rhs_turn);
  }
  return search.take();
}

/// The splits 2^0 to 2^-19 of probabilities, coarsest first.
template <int Bits>
[[nodiscard]] std::vector<TwinSoftmax<Bits>> ptq4vit_splits() {
  std::vector<TwinSoftmax<Bits>> splits;
  for (int shift = 0; shift < 20; ++shift) splits.push_back({1.0f, shift});
  return splits;
}

/// Probabilities (lhs, one split for all heads) times values (rhs, symmetric per head), one product per image and head:
/// `rounds` times the split, with values in float as published, then the values of each head.
/// Errors and class: as `ptq4vit_linear`. Costs 120 products per round.
template <int Bits, int ValueBits>
[[nodiscard]] ProductQuantizers<TwinSoftmax<Bits>, Uniform<ValueBits>> ptq4vit_softmax(
    std::span<const ObservedProduct> products, const Ptq4vitOptions& options = {}) {
  using P = TwinSoftmax<Bits>;
  using V = Uniform<ValueBits>;
  require_ptq4vit_options("ptq4vit_softmax", options);
  auto values = fit_operand<V>("ptq4vit_softmax", products, Operand::rhs, {}, Ptq4vitFit<V>(), options.executor);
  const ScanTurn<P> split_turn{Candidates<P>(ptq4vit_splits<Bits>())};
  const ScanTurn<V> value_turn = scale_turn(values, options.factors);
  SearchRun run({options.executor, options.progress}, options.rounds * (split_turn.count() + value_turn.count()));
  AlternatingSearch<P, V> search(products, {Heads::together, {}, options.metric, options.executor}, {P{1.0f, 7}},
                                 std::move(values), run);
  for (int round = 0; round < options.rounds; ++round) {
    search.lhs(split_turn, OtherOperand::as_float);
    search.rhs(value_turn);
  }
  return search.take();
}

}  // namespace halfstep::inline HALFSTEP_ABI
