// Agreement with golden/bitalloc.safetensors: optimal and greedy choices exactly, losses within 1e-9 of themselves, the
// Lagrangian's loss at most the stored one (plus 1e-9 of it), and an infeasible budget refused.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "halfstep/calibrators/precision/exact_allocation.hpp"
#include "halfstep/calibrators/precision/greedy_allocation.hpp"
#include "halfstep/calibrators/precision/lagrangian_allocation.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

std::vector<LayerOptions> layers_of(const Golden& g, const std::string& prefix) {
  const LoadedMatrix<double> loss = g.matrix<double>(prefix + "loss");
  const auto size = g.values<std::int32_t>(prefix + "size");
  std::vector<LayerOptions> layers;
  for (Index l = 0; l < loss.rows; ++l) {
    LayerOptions& layer = layers.emplace_back();
    for (Index o = 0; o < loss.cols; ++o) {
      layer.costs.push_back(size[static_cast<std::size_t>(l * loss.cols + o)]);
      layer.losses.push_back(loss.view()(l, o));
    }
  }
  return layers;
}

bool same_loss(double loss, double expected) { return std::fabs(loss - expected) <= 1e-9 * std::fabs(expected); }

/// Row `i` of a stored matrix of choices.
std::vector<int> choices_of(const std::vector<std::int32_t>& all, std::size_t i, std::size_t layers) {
  return {all.begin() + static_cast<std::ptrdiff_t>(i * layers),
          all.begin() + static_cast<std::ptrdiff_t>((i + 1) * layers)};
}

}  // namespace

TEST_CASE("golden: bitalloc exact, greedy and Lagrangian", "[golden]") {
  const Golden g("bitalloc");
  for (const GoldenCase& c : g.cases("*.bits")) {
    CAPTURE(c.name);
    const std::vector<LayerOptions> layers = layers_of(g, c.prefix);
    const auto budgets = g.values<std::int32_t>(c.prefix + "budget");
    const auto optimal = g.values<std::int32_t>(c.prefix + "opt_choice");
    const auto greedy = g.values<std::int32_t>(c.prefix + "greedy_choice");
    const auto lagrangian = g.values<std::int32_t>(c.prefix + "lagr_choice");
    const auto optimal_loss = g.values<double>(c.prefix + "opt_loss");
    const auto greedy_loss = g.values<double>(c.prefix + "greedy_loss");
    const auto lagrangian_loss = g.values<double>(c.prefix + "lagr_loss");
    for (std::size_t i = 0; i < budgets.size(); ++i) {
      CAPTURE(budgets[i]);
      const Allocation exact = allocate_exact(layers, budgets[i]);
      CHECK(exact.choices == choices_of(optimal, i, layers.size()));
      CHECK(same_loss(exact.loss, optimal_loss[i]));
      CHECK(exact.cost <= budgets[i]);
      const Allocation steps = allocate_greedy(layers, budgets[i]);
      CHECK(steps.choices == choices_of(greedy, i, layers.size()));
      CHECK(same_loss(steps.loss, greedy_loss[i]));
      const LagrangianAllocation priced = allocate_lagrangian(layers, budgets[i]);
      CHECK(priced.allocation.loss <= lagrangian_loss[i] * (1 + 1e-9));
      CHECK(priced.allocation.cost <= budgets[i]);
      CHECK(same_loss(allocation_of(layers, choices_of(lagrangian, i, layers.size())).loss, lagrangian_loss[i]));
      CHECK(exact.loss <= steps.loss);
      CHECK(exact.loss <= priced.allocation.loss);
      CHECK(priced.bound <= exact.loss * (1 + 1e-9));
    }
    const auto bits = g.values<std::int32_t>(c.name);
    const auto scores = g.values<float>(c.prefix + "score");
    std::vector<LayerOptions> by_relevance = layers;
    for (std::size_t l = 0; l < layers.size(); ++l) {
      by_relevance[l].losses = relevance_losses(static_cast<double>(scores[l]), bits);
    }
    const Allocation relevant = allocate_exact(by_relevance, budgets.at(1));
    CHECK(relevant.choices == g.values<std::int32_t>(c.prefix + "score_choice"));
    CHECK(same_loss(relevant.loss, g.scalar<double>(c.prefix + "score_loss")));
  }
  const std::vector<LayerOptions> layers = layers_of(g, "infeasible.");
  const auto budget = g.scalar<std::int32_t>("infeasible.budget");
  CHECK_RAISES(allocate_exact(layers, budget), "the least that the layers cost is");
  CHECK_RAISES(allocate_greedy(layers, budget), "the least that the layers cost is");
  CHECK_RAISES(allocate_lagrangian(layers, budget), "the least that the layers cost is");
}

TEST_CASE("golden: bitalloc is consumed", "[golden]") { Golden("bitalloc").require_all_consumed_at_end(); }
