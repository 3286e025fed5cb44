#pragma once

/// \file
/// Layers with random options, and the best allocation by trying all of them.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "halfstep/calibrators/precision/allocation.hpp"

namespace halfstep_tests {

/// Losses that mostly fall as costs grow, convex or not; sizes up to 20.
inline std::vector<halfstep::LayerOptions> random_options(std::size_t layers, int options, std::uint32_t seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<double> uniform(0, 1);
  std::vector<halfstep::LayerOptions> all(layers);
  for (halfstep::LayerOptions& layer : all) {
    std::int64_t cost = 0;
    double loss = 1;
    for (int o = 0; o < options; ++o) {
      cost += 1 + static_cast<std::int64_t>(generator() % 20);
      loss *= 1.2 * uniform(generator);
      layer.costs.push_back(cost);
      layer.losses.push_back(loss);
    }
  }
  return all;
}

/// The least that the layers cost, and the most.
inline std::int64_t least_cost(const std::vector<halfstep::LayerOptions>& layers) {
  std::int64_t sum = 0;
  for (const auto& layer : layers) sum += layer.costs.front();
  return sum;
}
inline std::int64_t most_cost(const std::vector<halfstep::LayerOptions>& layers) {
  std::int64_t sum = 0;
  for (const auto& layer : layers) sum += layer.costs.back();
  return sum;
}

/// The least loss within the budget, of all allocations.
inline double brute_force(const std::vector<halfstep::LayerOptions>& layers, std::int64_t budget) {
  std::vector<int> choices(layers.size(), 0);
  double best = std::numeric_limits<double>::infinity();
  while (true) {
    const halfstep::Allocation a = halfstep::allocation_of(layers, choices);
    if (a.cost <= budget && a.loss < best) best = a.loss;
    std::size_t l = 0;
    while (l < choices.size() && ++choices[l] == static_cast<int>(layers[l].costs.size())) choices[l++] = 0;
    if (l == choices.size()) return best;
  }
}

}  // namespace halfstep_tests
