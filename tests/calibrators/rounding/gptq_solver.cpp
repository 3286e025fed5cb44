#include "halfstep/calibrators/rounding/gptq_solver.hpp"

#include <vector>

#include "calibrators/rounding/gptq_samples.hpp"
#include "support/catch.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("gptq_solver: a column map only where groups are fitted during a sweep in another order") {
  const std::vector<Index> order{3, 0, 4, 1, 2};
  CHECK(gptq_tiling({}, order) == per_row());
  CHECK(gptq_tiling({.scope = GridScope::tensor}, order) == per_tensor());
  CHECK(gptq_tiling({.group_size = 2, .act_order = true}, order) == per_group(2));
  CHECK(gptq_tiling({.group_size = 2, .group_fit = GroupFit::during}, order) == per_group(2));
  const GptqOptions scattered{.group_size = 2, .group_fit = GroupFit::during, .act_order = true};
  CHECK(gptq_tiling(scattered, order) == per_column_map({0, 1, 2, 0, 1}));
  GptqOptions whole = scattered;
  whole.order = ActOrder::by_group;
  CHECK(gptq_tiling(whole, order) == per_group(2));
}

TEST_CASE("gptq_solver: what is prepared, and what the report says") {
  const SampleLayer layer(2, 20, 100, 1, {7});
  const GptqOptions options{
      .group_size = 5, .group_fit = GroupFit::during, .act_order = true, .damping = {.share = 0.1}};
  GptqSolver solver(layer.hessian, options);
  CHECK(solver.plan().order == descending_order(solver.curvature().diagonal()));
  CHECK(solver.plan().dynamic_group == 5);
  for (std::size_t q = 0; q < 20; ++q) CHECK(solver.plan().is_zeroed[q] == (solver.plan().order[q] == 7 ? 1 : 0));
  REQUIRE(solver.factor());
  double mean = 0;  // of the published diagonal, the dead channel at the mean of the others
  for (Index c = 0; c < 20; ++c) mean += 2 * layer.hessian.sum()(c, c) / 19;
  CHECK(solver.report().damping == Approx(0.1 * mean));
  CHECK(solver.report().share == 0.1);
  CHECK(solver.report().rank == 19);
  CHECK(solver.report().dead_channels == 1);
  CHECK(solver.report().tokens == 100);
  CHECK(solver.report().condition >= 1);
  for (std::size_t q = 0; q < 20; ++q) {
    const double expected = (solver.plan().order[q] == 7 ? 1.1 : 0.1) * mean;
    CHECK(solver.plan().added[q] * solver.curvature().to_published() == Approx(expected));
  }
  CHECK(!solver.compares());
  CHECK(solver.hessian().blocks() == 0);
}
