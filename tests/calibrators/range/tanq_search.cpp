#include "halfstep/calibrators/range/tanq_search.hpp"

#include <cstddef>
#include <limits>
#include <vector>

#include "calibrators/range/samples.hpp"
#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("the search for TanQ tries every combination") {
  const FloatMatrix x = sample(distributions()[5], 30, 20, 1);
  const TanqGrid grid{.centers = {0.5f, 0.3f}, .alphas = {1.0f, 2.0f}, .percentiles = {0.9, 1.0}};
  const auto candidates = tanq_candidates<4>(x.values, grid);
  REQUIRE(candidates.size() == 8);
  CHECK(candidates[0] == TanQ<4>{quantile(x.values, 0.9), 1, 0.5f});
  CHECK(candidates[1] == TanQ<4>{*std::max_element(x.values.begin(), x.values.end()), 1, 0.5f});
  CHECK(candidates[6] == TanQ<4>{quantile(x.values, 0.9), 2, 0.3f});
  const auto best = tanq_search<4>(x.view(), {.grid = grid}).choices.at(0);
  for (const auto& q : candidates) {
    double loss = 0;
    ValueLoss<TanQ<4>>(x.view())({&q, 1}, {&loss, 1});
    CHECK(best.loss <= loss);
  }
  CHECK(best.quantizer == candidates[static_cast<std::size_t>(best.index)]);
}

TEST_CASE("the search for TanQ is never worse than its scale at the maximum, by granule, for any executor") {
  const FloatMatrix x = sample(distributions()[5], 40, 6, 2);
  ThreadPool pool(2);
  const auto found = tanq_search<3>(x.view(), {.tiling = per_column()});
  CHECK(found == tanq_search<3>(x.view(), {.tiling = per_column(), .executor = pool}));
  const auto values = values_by_granule(x.view(), per_column());
  for (std::size_t g = 0; g < 6; ++g) {
    const auto fitted = TanQ<3>::fit({0, *std::max_element(values[g].begin(), values[g].end()), 0});  // alpha 2
    CHECK(found.choices[g].loss <= squared_error(fitted, values[g]) / static_cast<double>(values[g].size()));
  }
}

TEST_CASE("the search for TanQ says what is wrong, and can be cancelled") {
  FloatMatrix x = sample(distributions()[5], 4, 5, 3);
  CHECK_RAISES(tanq_search<4>(x.view(), {.grid = {.centers = {}}}), "grid has 0 centers, 11 alphas, 4 percentiles");
  CHECK_RAISES(tanq_search<4>(x.view(), {.grid = {.centers = {0}}}),
               "alpha is 1.75, expected more than 0 and less than");
  CHECK_RAISES(tanq_search<4>(x.view(), {.grid = {.alphas = {0}}}), "alpha is 0, expected more than 0");
  CHECK_RAISES(tanq_search<4>(x.view(), {.grid = {.centers = {1.5f}}}), "center is 1.5, expected 0 to 1");
  CHECK_RAISES(tanq_search<4>(x.view(), {.grid = {.percentiles = {0.2}}}), "tanq_search");
  CHECK_RAISES(tanq_search<4>(x.view().row_range(0, 0)), "matrix of shape [0, 5] has no elements");
  CHECK_RAISES(tanq_candidates<4>({}), "values is empty");
  const auto stop = [](const Progress&) { return false; };
  CHECK(!tanq_search<4>(x.view(), {.progress = stop}).is_complete);
  x.values[7] = std::numeric_limits<float>::quiet_NaN();
  CHECK_RAISES(tanq_search<4>(x.view()), "tanq_search: matrix is not finite: row 1, column 2 is nan");
}
