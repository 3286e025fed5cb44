#include "halfstep/calibrators/range/uniform_grid.hpp"

#include <cstddef>
#include <set>
#include <vector>

#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("a grid has every zero point around the middle with every scale between two spans") {
  std::vector<float> values;
  for (int i = 100; i >= 0; --i) values.push_back(static_cast<float>(i));  // Q(0.1) = 10, Q(0.9) = 90
  const auto grid = uniform_grid<4>({values, {-1, 1}});
  REQUIRE(grid.candidates.granules() == 2);
  REQUIRE(grid.candidates.count() == 128);  // 8 zero points, 16 scales
  CHECK(grid.candidates.at(0, 0).scale == Approx(80.0 / 15).epsilon(1e-6));
  CHECK(grid.candidates.at(15, 0).scale == Approx(100.0 / 15).epsilon(1e-6));
  CHECK(grid.steps.at(0) == Approx(20.0 / 15 / 15).epsilon(1e-5));
  for (Index c = 0; c < 128; ++c) {
    CHECK(grid.candidates.at(c, 0).zero_point == 4 + c / 16);
    CHECK(grid.candidates.at(c, 0).scale == grid.candidates.at(c % 16, 0).scale);
  }
  CHECK(grid.candidates.at(127, 1).scale == 2.0f / 15);  // the whole range
}

TEST_CASE("grids for weights and inputs are AdaLog's") {
  const std::vector<float> values = random_matrix(1, 200, 1).values;
  std::set<std::int32_t> zero_points;
  const auto weights = uniform_grid<3>({values}, adalog_weight_grid<3>),
             inputs = uniform_grid<3>({values}, adalog_input_grid<3>);
  for (Index c = 0; c < weights.candidates.count(); ++c) zero_points.insert(weights.candidates.at(c, 0).zero_point);
  CHECK(zero_points == std::set<std::int32_t>{2, 3, 4, 5});
  zero_points.clear();
  for (Index c = 0; c < inputs.candidates.count(); ++c) zero_points.insert(inputs.candidates.at(c, 0).zero_point);
  CHECK(zero_points == std::set<std::int32_t>{0, 1, 2, 3, 4, 5, 6, 7});
  CHECK(uniform_grid<8>({values}, adalog_weight_grid<8>).candidates.at(0, 0).zero_point == 120);
}

TEST_CASE("grids over constants and few values have usable scales") {
  for (const std::vector<float>& values : {std::vector<float>(50, 0.0f), std::vector<float>(50, -3.0f), {5.0f}}) {
    const auto grid = uniform_grid<4>({values});
    for (Index c = 0; c < grid.candidates.count(); ++c) CHECK(grid.candidates.at(c, 0).scale == 1);
    CHECK(grid.steps[0] == 0);
  }
  std::vector<float> sparse(100, 0.0f);  // the inner 80 % have no span
  sparse[7] = 15;
  CHECK(uniform_grid<4>({sparse}).candidates.at(0, 0).scale == 1);
  CHECK(uniform_grid<4>({sparse}).candidates.at(1, 0).scale == Approx(1.0 / 15));
  const std::vector<float> tiny(100, 1e-6f);
  CHECK(uniform_grid<4>({{0, 1e-6f}}, adalog_input_grid<4>).candidates.at(0, 0).scale == 1e-4f);
}

TEST_CASE("a grid says what is wrong") {
  CHECK_RAISES(uniform_grid<4>({{1, 2}, {}}), "uniform_grid: granule 1 has no values");
  CHECK_RAISES(uniform_grid<4>({{1, 2}}, {.zero_points = 17}), "zero_points is 17, expected 1 to 16");
  CHECK_RAISES(uniform_grid<4>({{1, 2}}, {.candidates = 15, .zero_points = 8}),
               "candidates is 15, expected at least two for each of 8 zero points");
}
