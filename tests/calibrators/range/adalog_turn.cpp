#include "halfstep/calibrators/range/adalog_turn.hpp"

#include <cstddef>
#include <vector>

#include "calibrators/range/output_reference.hpp"
#include "halfstep/kernels/softmax.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

FloatMatrix turn_probabilities(Index rows, Index cols, std::uint32_t seed) {
  FloatMatrix p = random_matrix(rows, cols, seed, 3);
  softmax(p.view());
  return p;
}

}  // namespace

TEST_CASE("the base of probabilities is the best of all") {
  const FloatMatrix p = turn_probabilities(20, 16, 8), v = random_matrix(16, 6, 9);
  const auto best = fpcs<AdaLog<4>>(p.view(), v.view(), {});
  const ObservedProduct product{.lhs = p.view(), .rhs = transposed(v.view())};
  const auto loss = [&](const AdaLog<4>& a) {
    return reference_losses(
        {product}, [&](std::size_t, Index, float x) { return a.decode(a.encode(x)); }, same, OutputMetric::squared, 1,
        [](std::size_t, Index, Index) { return std::size_t{0}; })[0];
  };
  const auto candidates = adalog_base_candidates(AdaLog<4>{});
  REQUIRE(candidates.size() == 128);
  CHECK(candidates[0].q == 10);
  CHECK(candidates[127].q == 137);
  for (const AdaLog<4>& a : candidates) CHECK(loss(best) <= loss(a) * (1 + 1e-4));
}

TEST_CASE("scales after GELU lie between a percentile of the positive values and the largest") {
  std::vector<float> values(10, -0.1f);
  CHECK(adalog_scales(values, 0.25f).most == 0.25f);
  for (int i = 1; i <= 20; ++i) values.push_back(static_cast<float>(i));
  const AdaLogScales scales = adalog_scales(values, 0.25f);
  CHECK(scales.least == 18.25f);  // the 18th of 20
  CHECK(scales.most == 20.25f);
  CHECK(scales.at(0, 128) == 18.25f);
  CHECK(scales.at(127, 128) == 20.25f);
}
