#include "halfstep/calibrators/range/output_search.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "calibrators/range/output_reference.hpp"
#include "calibrators/range/samples.hpp"
#include "halfstep/calibrators/range/candidate_ranges.hpp"
#include "halfstep/core/thread_pool.hpp"
#include "halfstep/quantizers/adalog.hpp"
#include "halfstep/quantizers/tanq.hpp"
#include "halfstep/quantizers/twin_uniform.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

template <ScalarQuantizer Q>
double loss_of(const std::vector<ObservedProduct>& products, Operand operand, OutputMetric metric, const Q& q) {
  const Become searched = [&](std::size_t, Index, float x) { return q.decode(q.encode(x)); };
  return reference_losses(products, operand == Operand::lhs ? searched : same,
                          operand == Operand::lhs ? same : searched, metric, 1,
                          [](std::size_t, Index, Index) { return std::size_t{0}; })[0];
}

template <ScalarQuantizer Q>
void check_never_worse(const std::vector<ObservedProduct>& products, Operand operand) {
  const auto values = operand_values("test", products, operand, {}).at(0);
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const Range range{*low, *high, 0};
  const Candidates<Q> candidates(shrunk_candidates<Q>(range));
  for (const OutputMetric metric : all_metrics()) {
    const auto best = output_search<Q>(products, candidates, {.operand = operand, .metric = metric}).choices.at(0);
    const double searched = loss_of(products, operand, metric, best.quantizer);
    const double min_max = loss_of(products, operand, metric, Q::fit(range));
    CAPTURE(static_cast<int>(metric), operand == Operand::lhs, best.index, searched, min_max);
    CHECK(searched <= min_max * (1 + 1e-4));  // the slack of tests/calibrators/range/output_loss.cpp
    CHECK(best.loss == Approx(searched).epsilon(1e-4).margin(1e-12));
  }
}

}  // namespace

TEST_CASE("a search by output error is never worse than min-max") {
  for (const Distribution& distribution : distributions()) {
    if (distribution.name == "tiny") continue;  // squares of products of 1e-30 are no floats
    const FloatMatrix x = sample(distribution, 40, 12, 1), w = random_matrix(10, 12, 2, 0.3f);
    const FloatMatrix gradient = random_matrix(40, 10, 3);
    const std::vector<ObservedProduct> layer = {{.lhs = x.view(), .rhs = w.view(), .gradient = gradient.view()}};
    CAPTURE(distribution.name);
    check_never_worse<Uniform<4>>(layer, Operand::lhs);
    check_never_worse<Uniform<3>>(layer, Operand::rhs);
  }
}

TEST_CASE("any scalar quantizer can be searched for") {
  const FloatMatrix x = sample(distributions()[2], 40, 12, 4);  // after GELU
  const FloatMatrix w = random_matrix(10, 12, 5, 0.3f), gradient = random_matrix(40, 10, 6);
  const std::vector<ObservedProduct> layer = {{.lhs = x.view(), .rhs = w.view(), .gradient = gradient.view()}};
  check_never_worse<TwinGelu<4>>(layer, Operand::lhs);
  check_never_worse<AdaLog<4>>(layer, Operand::lhs);
  const FloatMatrix p = sample(distributions()[5], 20, 12, 7);  // like probabilities
  const FloatMatrix other = random_matrix(20, 10, 8);
  const std::vector<ObservedProduct> product = {{.lhs = p.view(), .rhs = w.view(), .gradient = other.view()}};
  check_never_worse<TanQ<4>>(product, Operand::lhs);
  check_never_worse<TwinSoftmax<4>>(product, Operand::lhs);
}

TEST_CASE(
    "a search by output error finds the least of all, weighs what the other operand weighs, and can be cancelled") {
  FloatMatrix x = random_matrix(60, 8, 9);
  FloatMatrix w = random_matrix(20, 8, 10);
  for (Index t = 0; t < 60; ++t) x.values[static_cast<std::size_t>(t * 8)] *= 50;  // a channel of large values
  for (Index o = 0; o < 20; ++o) w.values[static_cast<std::size_t>(o * 8)] = 0;    // that no output reads
  const std::vector<ObservedProduct> layer = {{.lhs = x.view(), .rhs = w.view()}};
  const auto values = operand_values("test", layer, Operand::lhs, {}).at(0);
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const std::vector<Uniform<4>> list = shrunk_candidates<Uniform<4>>({*low, *high, 0});
  ThreadPool pool(3);
  const auto best = output_search(layer, Candidates<Uniform<4>>(list), {.executor = pool});
  CHECK(best == output_search(layer, Candidates<Uniform<4>>(list)));
  for (const auto& q : list) {
    CHECK(best.choices[0].loss <= loss_of(layer, Operand::lhs, OutputMetric::squared, q) * (1 + 1e-4));
  }
  CHECK(best.choices[0].index > 80);  // the large channel is clipped
  const auto stop = [](const Progress&) { return false; };
  const auto cancelled = output_search(layer, Candidates<Uniform<4>>(list), {.progress = stop});
  CHECK(!cancelled.is_complete);
  CHECK(cancelled.choices[0].index < 32);
}
