#pragma once

/// \file
/// Allocation of least loss, by dynamic programming.

#include "halfstep/calibrators/precision/allocation.hpp"
#include "halfstep/calibrators/precision/greedy_allocation.hpp"
#include "halfstep/calibrators/precision/lagrangian_allocation.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/progress.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Options of `allocate_exact`.
struct ExactAllocationOptions {
  Index largest_states = Index{1} << 25;  ///< kept at a time: 24 bytes each
  ProgressCallback progress = {};         ///< with layers done and their number; may cancel
};

/// Combinations of options of the first layers: none of them costs no less and loses no less than another. Layer by
/// layer the next options are added; what cannot lead to less loss than is known is left out.
class AllocationFrontier {
 public:
  AllocationFrontier(std::span<const LayerOptions> layers, std::int64_t budget, const LagrangianAllocation& known,
                     double best_loss)
      : layers_(layers), budget_(budget), price_(known.price), best_loss_(best_loss) {
    least_cost_.assign(layers.size() + 1, 0);
    least_priced_.assign(layers.size() + 1, 0.0);
    for (std::size_t l = layers.size(); l-- > 0;) {
      least_cost_[l] = least_cost_[l + 1] + layers[l].costs[0];
      least_priced_[l] = least_priced_[l + 1] + priced_loss(layers[l], price_);
      for (const double loss : layers[l].losses) slack_ += std::fabs(loss) * 0x1p-40;  // of sums in another order
    }
    slack_ += price_ * static_cast<double>(budget) * 0x1p-40;
    fronts_.push_back({{0, 0.0, 0, 0}});
  }

  /// Adds the next layer. Returns the number of combinations kept.
  Index advance() {
    const std::size_t l = fronts_.size() - 1;
    const std::vector<State>& before = fronts_.back();
    std::vector<State> all;
    for (std::size_t o = 0; o < layers_[l].costs.size(); ++o) {
      for (std::size_t s = 0; s < before.size(); ++s) {
        const State next{before[s].cost + layers_[l].costs[o], before[s].loss + layers_[l].losses[o],
                         static_cast<std::uint32_t>(s), static_cast<std::int32_t>(o)};
        if (next.cost + least_cost_[l + 1] > budget_) break;  // costs grow
        if (can_win(next, l + 1)) all.push_back(next);
      }
    }
    // Of equals the lowest option: it was added first.
    std::stable_sort(all.begin(), all.end(), [](const State& a, const State& b) {
      return a.cost != b.cost ? a.cost < b.cost : a.loss < b.loss;
    });
    std::vector<State> front;
    for (const State& state : all) {
      if (front.empty() || state.loss < front.back().loss) front.push_back(state);
    }
    fronts_.push_back(std::move(front));
    return static_cast<Index>(fronts_.back().size());
  }

  /// The choices of least loss, once all layers are in.
  [[nodiscard]] std::vector<int> choices() const {
    std::vector<int> choices(layers_.size());
    std::size_t s = fronts_.back().size() - 1;  // losses fall along a front
    for (std::size_t l = layers_.size(); l-- > 0;) {
      const State& state = fronts_[l + 1][s];
      choices[l] = state.option;
      s = state.before;
    }
    return choices;
  }

 private:
  struct State {
    std::int64_t cost;
    double loss;
    std::uint32_t before;  // its place in the front before
    std::int32_t option;
  };

  /// Whether the other layers, at their best for the price, may bring it to the loss that is known.
  [[nodiscard]] bool can_win(const State& state, std::size_t layer) const {
    const double left = static_cast<double>(budget_ - state.cost);
    return state.loss + least_priced_[layer] - price_ * left <= best_loss_ + slack_;
  }

  std::span<const LayerOptions> layers_;
  std::int64_t budget_;
  double price_;
  double best_loss_;
  double slack_ = 0;
  std::vector<std::int64_t> least_cost_;  // of the layers from l on
  std::vector<double> least_priced_;      // of the layers from l on, budget aside
  std::vector<std::vector<State>> fronts_;
};

/// The allocation of least loss among all that cost at most `budget`, losses added in the order of the layers: never
/// above that of `allocate_greedy` or `allocate_lagrangian`. Of equal ones the cheapest, then the one with the lowest
/// options in the last layers.
///
/// Combinations that another one beats in both, or that a Lagrangian bound rules out, are dropped as layers are added;
/// how many stay depends on how many different sums the costs have: few where layers have a few sizes. `in_units` makes
/// them fewer. A run that is cancelled returns the better of the greedy and the Lagrangian allocation. Errors: see
/// `require_allocation`, an infeasible budget among them; more combinations than `largest_states`. Class: exact.
[[nodiscard]] inline Allocation allocate_exact(std::span<const LayerOptions> layers, std::int64_t budget,
                                               const ExactAllocationOptions& options = {}) {
  require_allocation("allocate_exact", layers, budget);
  if (options.largest_states < 1) {
    raise("allocate_exact", "largest_states is ", options.largest_states, ", expected at least 1");
  }
  const LagrangianAllocation lagrangian = allocate_lagrangian(layers, budget);
  Allocation known = allocate_greedy(layers, budget);
  if (lagrangian.allocation.loss < known.loss) known = lagrangian.allocation;
  AllocationFrontier frontier(layers, budget, lagrangian, known.loss);
  const Index most = std::min(options.largest_states, Index{std::numeric_limits<std::uint32_t>::max()});
  Index kept = 0;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    kept += frontier.advance();
    if (kept > most) {
      raise("allocate_exact", "layers 0 to ", l, " have ", kept, " combinations that may win, expected at most ", most,
            ": give the costs in larger units (in_units)");
    }
    if (options.progress && !options.progress({static_cast<Index>(l) + 1, static_cast<Index>(layers.size())})) {
      known.is_complete = l + 1 == layers.size();
      if (!known.is_complete) return known;
    }
  }
  return allocation_of(layers, frontier.choices());
}

/// The layers with costs in units of `unit`, rounded up, for a budget of `budget / unit`: what fits then fits the
/// budget. Options that come to cost the same are told apart by one unit more. Errors: a unit below 1; costs below 0.
[[nodiscard]] inline std::vector<LayerOptions> in_units(std::span<const LayerOptions> layers, std::int64_t unit) {
  if (unit < 1) raise("in_units", "unit is ", unit, ", expected at least 1");
  std::vector<LayerOptions> rounded(layers.begin(), layers.end());
  for (LayerOptions& layer : rounded) {
    for (std::size_t o = 0; o < layer.costs.size(); ++o) {
      std::int64_t& cost = layer.costs[o];
      if (cost < 0) raise("in_units", "an option costs ", cost, ", expected at least 0");
      cost = cost / unit + (cost % unit != 0 ? 1 : 0);
      if (o > 0 && cost <= layer.costs[o - 1]) cost = layer.costs[o - 1] + 1;
    }
  }
  return rounded;
}

}  // namespace halfstep::inline HALFSTEP_ABI
