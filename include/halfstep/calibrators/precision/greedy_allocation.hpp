#pragma once

/// \file
/// Allocation step by step, from the most precise options down.

#include "halfstep/calibrators/precision/allocation.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/progress.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Starts with the last option of every layer and, while that is above the budget, lowers by one option the layer that
/// loses least for each unit of cost saved; of equals the first. Off the least loss where losses are not convex in
/// cost; `allocate_exact` is not. Errors: see `require_allocation`, an infeasible budget among them. Costs layers^2 *
/// options at most. Class: exact.
[[nodiscard]] inline Allocation allocate_greedy(std::span<const LayerOptions> layers, std::int64_t budget) {
  require_allocation("allocate_greedy", layers, budget);
  std::vector<int> choices;
  std::int64_t cost = 0;
  for (const LayerOptions& layer : layers) {
    choices.push_back(static_cast<int>(layer.costs.size()) - 1);
    cost += layer.costs.back();
  }
  while (cost > budget) {
    std::size_t best = layers.size();
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const auto option = static_cast<std::size_t>(choices[l]);
      if (option == 0) continue;
      const double increase = layers[l].losses[option - 1] - layers[l].losses[option];
      const double ratio = increase / static_cast<double>(layers[l].costs[option] - layers[l].costs[option - 1]);
      if (best != layers.size() && !(ratio < least)) continue;
      best = l;
      least = ratio;
    }
    const auto option = static_cast<std::size_t>(choices[best]--);
    cost -= layers[best].costs[option] - layers[best].costs[option - 1];
  }
  return allocation_of(layers, std::move(choices));
}

/// Measures what a model loses when each layer has the option that `choices` says. Called on the caller's thread.
using MeasureModel = FunctionRef<double(std::span<const int> choices)>;

/// Options of `allocate_measured`.
struct MeasuredAllocationOptions {
  ProgressCallback progress = {};  ///< with measurements done and the most that there can be; may cancel
};

/// The greedy allocation with the model measured after every step: each step lowers by one option the layer for which
/// `measure` grows least for each unit of cost saved; of equals the first. Interactions between layers are seen, which
/// sums of losses leave out. Weights and activations of a layer may be layers of their own here.
///
/// `costs[l]` are those of the options of layer l, growing. A run that is cancelled returns the choices reached, which
/// cost more than the budget. Errors: an infeasible budget and unusable costs, before anything is measured; a
/// measurement that is not finite, naming the layer. Costs up to layers^2 * options measurements.
/// Source: Tai et al., "MPTQ-ViT", 2024, Greedy MP; the score is the library's own.
[[nodiscard]] inline Allocation allocate_measured(std::span<const std::vector<std::int64_t>> costs, std::int64_t budget,
                                                  MeasureModel measure, const MeasuredAllocationOptions& options = {}) {
  std::vector<LayerOptions> layers;
  Index steps = 0;
  for (const auto& layer : costs) {
    layers.push_back({layer, std::vector<double>(layer.size(), 0.0)});
    steps += static_cast<Index>(layer.size());
  }
  require_allocation("allocate_measured", layers, budget);
  const Index total = 1 + (steps - static_cast<Index>(costs.size())) * static_cast<Index>(costs.size());
  Allocation all;
  Index done = 0;
  const auto measured = [&](std::string_view what, std::size_t l) {
    const double loss = measure(all.choices);
    if (!is_finite_bits(loss)) raise("allocate_measured", "measure gives ", loss, " with ", what, " ", l, " lowered");
    if (options.progress && !options.progress({++done, total})) all.is_complete = false;
    return loss;
  };
  for (const auto& layer : costs) {
    all.choices.push_back(static_cast<int>(layer.size()) - 1);
    all.cost += layer.back();
  }
  all.loss = measured("no layer of", costs.size());
  while (all.cost > budget && all.is_complete) {
    std::size_t best = costs.size();
    double least = std::numeric_limits<double>::infinity(), loss_of_best = 0;
    for (std::size_t l = 0; l < costs.size() && all.is_complete; ++l) {
      const auto option = static_cast<std::size_t>(all.choices[l]);
      if (option == 0) continue;
      --all.choices[l];
      const double loss = measured("layer", l);
      ++all.choices[l];
      const double ratio = (loss - all.loss) / static_cast<double>(costs[l][option] - costs[l][option - 1]);
      if (best != costs.size() && !(ratio < least)) continue;
      best = l;
      least = ratio;
      loss_of_best = loss;
    }
    if (!all.is_complete) break;  // a step of which not all was measured is not taken
    const auto option = static_cast<std::size_t>(all.choices[best]--);
    all.cost -= costs[best][option] - costs[best][option - 1];
    all.loss = loss_of_best;
  }
  return all;
}

}  // namespace halfstep::inline HALFSTEP_ABI
