#pragma once

/// \file
/// Allocation by a price for each unit of cost: fast for thousands of layers, and a bound for everybody else.

#include "halfstep/calibrators/precision/allocation.hpp"
#include "halfstep/config.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// What `allocate_lagrangian` settles on.
struct LagrangianAllocation {
  Allocation allocation;
  double price = 0;  ///< loss that one more unit of cost would save
  double bound = 0;  ///< no allocation within the budget loses less than this (but for rounding)
};

/// The options of a layer at which `loss + price * cost` is least for some price, cheapest first: its lower convex
/// hull, as far as losses fall.
[[nodiscard]] inline std::vector<int> convex_options(const LayerOptions& layer) {
  const auto slope = [&](int from, int to) {
    const auto a = static_cast<std::size_t>(from), b = static_cast<std::size_t>(to);
    return (layer.losses[a] - layer.losses[b]) / static_cast<double>(layer.costs[b] - layer.costs[a]);
  };
  std::vector<int> hull = {0};
  for (int o = 1; o < static_cast<int>(layer.costs.size()); ++o) {
    if (layer.losses[static_cast<std::size_t>(o)] >= layer.losses[static_cast<std::size_t>(hull.back())]) continue;
    while (hull.size() > 1 && slope(hull.back(), o) >= slope(hull[hull.size() - 2], hull.back())) hull.pop_back();
    hull.push_back(o);
  }
  return hull;
}

/// One step up the hull of a layer.
struct HullStep {
  double saving = 0;  ///< loss per unit of cost
  std::size_t layer = 0;
  int from = 0;
  int to = 0;
};

/// The least value of `loss + price * cost` of a layer.
[[nodiscard]] inline double priced_loss(const LayerOptions& layer, double price) {
  double least = layer.losses[0] + price * static_cast<double>(layer.costs[0]);
  for (std::size_t o = 1; o < layer.costs.size(); ++o) {
    least = std::min(least, layer.losses[o] + price * static_cast<double>(layer.costs[o]));
  }
  return least;
}

/// Starts with the cheapest option of every layer and takes the steps that save most loss for each unit of cost, along
/// the convex hull of each layer's options, until one does not fit (the allocation of least `loss + price * cost` for
/// the price of that step); then, in the same order, those that still fit. What is left of the budget at the first step
/// that does not fit is the most that it can be off by: see `bound`.
///
/// Errors: see `require_allocation`, an infeasible budget among them. Costs steps * log(steps). Class: exact.
[[nodiscard]] inline LagrangianAllocation allocate_lagrangian(std::span<const LayerOptions> layers,
                                                              std::int64_t budget) {
  require_allocation("allocate_lagrangian", layers, budget);
  std::vector<HullStep> steps;
  std::int64_t left = budget;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const std::vector<int> hull = convex_options(layers[l]);
    for (std::size_t i = 1; i < hull.size(); ++i) {
      const auto from = static_cast<std::size_t>(hull[i - 1]), to = static_cast<std::size_t>(hull[i]);
      const double saved = layers[l].losses[from] - layers[l].losses[to];
      steps.push_back(
          {saved / static_cast<double>(layers[l].costs[to] - layers[l].costs[from]), l, hull[i - 1], hull[i]});
    }
    left -= layers[l].costs[0];
  }
  // Slopes of one hull fall, so its steps stay in order.
  std::stable_sort(steps.begin(), steps.end(),
                   [](const HullStep& a, const HullStep& b) { return a.saving > b.saving; });
  LagrangianAllocation result;
  std::vector<int> choices(layers.size(), 0);
  bool is_split = false;
  for (const HullStep& step : steps) {
    const auto& costs = layers[step.layer].costs;
    const std::int64_t more = costs[static_cast<std::size_t>(step.to)] - costs[static_cast<std::size_t>(step.from)];
    if (choices[step.layer] != step.from) continue;  // a step below it did not fit
    if (more > left) {
      if (!is_split) result.price = step.saving;
      is_split = true;
      continue;
    }
    choices[step.layer] = step.to;
    left -= more;
  }
  result.allocation = allocation_of(layers, std::move(choices));
  result.bound = -result.price * static_cast<double>(budget);
  for (const LayerOptions& layer : layers) result.bound += priced_loss(layer, result.price);
  return result;
}

}  // namespace halfstep::inline HALFSTEP_ABI
