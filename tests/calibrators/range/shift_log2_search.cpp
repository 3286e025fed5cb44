#include "halfstep/calibrators/range/shift_log2_search.hpp"

#include <cstddef>
#include <limits>
#include <vector>

#include "calibrators/range/samples.hpp"
#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("the search for shift-log2 tries every eta, its ends from the data") {
  const FloatMatrix x = sample(distributions()[5], 40, 6, 1);
  ThreadPool pool(2);
  const auto found = shift_log2_search<4>(x.view(), {.tiling = per_column()});
  CHECK(found == shift_log2_search<4>(x.view(), {.tiling = per_column(), .executor = pool}));
  const auto values = values_by_granule(x.view(), per_column());
  for (std::size_t g = 0; g < 6; ++g) {
    RangeStatistic seen;
    seen.add(values[g].data(), 40);
    const auto candidates = shift_log2_candidates<4>(seen.range(), ShiftLog2SearchOptions().etas);
    REQUIRE(candidates.size() == 11);
    CHECK(candidates[3] ==
          ShiftLog2<4>{0.02f, simd::log2(seen.range().min + 0.02f), simd::log2(seen.range().max + 0.02f)});
    for (const auto& q : candidates) CHECK(found.choices[g].loss <= squared_error(q, values[g]) / 40);
    CHECK(found.choices[g].quantizer == candidates[static_cast<std::size_t>(found.choices[g].index)]);
  }
}

TEST_CASE("the search for shift-log2 says what is wrong, and can be cancelled") {
  FloatMatrix x = sample(distributions()[5], 4, 5, 2);
  CHECK_RAISES(shift_log2_search<4>(x.view(), {.etas = {}}), "etas is empty, expected at least one");
  CHECK_RAISES(shift_log2_search<4>(x.view(), {.etas = {0}}), "eta is 0, expected more than 0");
  CHECK_RAISES(shift_log2_search<4>(x.view().row_range(0, 0)), "matrix of shape [0, 5] has no elements");
  const auto stop = [](const Progress&) { return false; };
  CHECK(shift_log2_search<4>(x.view(), {.progress = stop}).is_complete);  // eleven are tried at once
  const std::vector<float> etas(33, 0.5f);
  CHECK(!shift_log2_search<4>(x.view(), {.etas = etas, .progress = stop}).is_complete);
  x.values[7] = -0.25f;
  CHECK_RAISES(shift_log2_search<4>(x.view()),
               "eta is 0.001, expected more than 0 and more than minus the least value, -0.25");
  x.values[7] = std::numeric_limits<float>::quiet_NaN();
  CHECK_RAISES(shift_log2_search<4>(x.view()), "shift_log2_search: matrix is not finite: row 1, column 2 is nan");
}
