#include "halfstep/calibrators/range/progressive_search.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "halfstep/calibrators/range/uniform_grid.hpp"
#include "halfstep/calibrators/range/value_loss.hpp"
#include "halfstep/core/thread_pool.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

using U4 = Uniform<4>;

/// Granule g wants a scale and a zero point.
struct Target {
  std::vector<U4> wanted;
  [[nodiscard]] Index granules() const { return static_cast<Index>(wanted.size()); }
  void operator()(std::span<const U4> quantizers, std::span<double> losses) const {
    for (std::size_t g = 0; g < wanted.size(); ++g) {
      losses[g] = std::fabs(static_cast<double>(quantizers[g].scale) - static_cast<double>(wanted[g].scale)) +
                  std::fabs(quantizers[g].zero_point - wanted[g].zero_point);
    }
  }
};

ProgressiveGrid<U4> grid_of(Index granules) {
  std::vector<U4> list;
  for (std::int32_t zero_point = 4; zero_point < 12; ++zero_point) {
    for (int i = 1; i <= 16; ++i) list.push_back({static_cast<float>(i), zero_point});
  }
  return {Candidates<U4>(list, granules), std::vector<float>(static_cast<std::size_t>(granules), 1.0f)};
}

}  // namespace

TEST_CASE("a progressive search closes in on the best, granule by granule") {
  const Target loss{{{3.3f, 5}, {11.77f, 9}}};
  Index total = 0;
  const auto count = [&](const Progress& p) {
    CHECK(p.total == 768);
    total = p.done;
    return true;
  };
  const auto result = progressive_search(grid_of(2), loss, {}, {.progress = count});
  CHECK(total == 768);
  CHECK(progressive_count(128, {}) == 768);
  CHECK(result.is_complete);
  for (std::size_t g = 0; g < 2; ++g) {
    CHECK(result.choices[g].quantizer.zero_point == loss.wanted[g].zero_point);
    // After four divisions of the step children lie 1 / 7.5^4 / 7 apart.
    CHECK(std::fabs(result.choices[g].quantizer.scale - loss.wanted[g].scale) <= 1 / 3164.0f / 7);
  }
  const auto grid_alone = progressive_search(grid_of(2), loss, {.steps = 1});
  CHECK(grid_alone.choices[1].quantizer.scale == 12);
}

TEST_CASE("a candidate of an early step that is never beaten wins") {
  // The wanted scale is in the grid; children are 1/14 of a step away at least.
  const auto result = progressive_search(grid_of(1), Target{{{7, 6}}}, {});
  CHECK(result.choices[0].loss == 0);
  CHECK(result.choices[0].index == 2 * 16 + 6);
}

TEST_CASE("survivors are the least losses, of equals the first, numbers before what is none") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> losses = {nan, 0, 2, 0, 1, 0, 2, 0, nan, 0, 1, 0};  // two granules
  CHECK(least_losses(losses, 2, 0, 4) == std::vector<Index>{2, 5, 1, 3});
  CHECK(least_losses(losses, 2, 0, 9) == std::vector<Index>{2, 5, 1, 3, 0, 4});
  CHECK(least_losses(losses, 2, 1, 2) == std::vector<Index>{0, 1});
}

TEST_CASE("children lie around their parents, and stay above the least scale and above 0") {
  const Candidates<U4> parents(std::vector<U4>{{1, 5}, {4, 6}});
  const std::vector<double> losses = {2, 1};
  const auto children = children_of(parents, losses, {3.0f}, {.keep = 2, .children = 4, .least_scale = 0.5f});
  REQUIRE(children.count() == 8);
  CHECK(children.at(0, 0) == U4{2.5f, 6});
  CHECK(children.at(1, 0) == U4{3.5f, 6});
  CHECK(children.at(3, 0) == U4{5.5f, 6});
  CHECK(children.at(4, 0) == U4{1, 5});     // -0.5 is no scale
  CHECK(children.at(5, 0) == U4{0.5f, 5});  // 0.5
  CHECK(children.at(7, 0) == U4{2.5f, 5});
}

TEST_CASE("a progressive search over values beats its grid, for any executor") {
  const FloatMatrix matrix = random_matrix(12, 200, 1);
  const ValueLoss<U4> loss(matrix.view(), per_row());
  const auto grid = uniform_grid<4>(values_of_granules("test", matrix.view(), per_row()));
  const auto coarse = candidate_search(grid.candidates, loss), fine = progressive_search(grid, loss);
  for (std::size_t g = 0; g < 12; ++g) CHECK(fine.choices[g].loss <= coarse.choices[g].loss);
  CHECK(mean_loss(fine) < mean_loss(coarse));
  ThreadPool pool(3);
  const BackwardsExecutor backwards;
  CHECK(progressive_search(grid, loss, {}, {.executor = pool}) == fine);
  CHECK(progressive_search(grid, loss, {}, {.executor = backwards}) == fine);
}

TEST_CASE("a progressive search that is cancelled returns the best of what was tried") {
  const Target loss{{{3.3f, 5}}};
  const auto stop = [](const Progress& p) { return p.done < 256; };
  const auto result = progressive_search(grid_of(1), loss, {}, {.progress = stop});
  CHECK(!result.is_complete);
  CHECK(std::fabs(result.choices[0].quantizer.scale - 3.3f) <= 0.5f / 7 + 1e-6f);
  CHECK(result.choices[0].loss <= progressive_search(grid_of(1), loss, {.steps = 1}).choices[0].loss);
}

TEST_CASE("a progressive search says what is wrong") {
  const Target loss{{{3.3f, 5}}};
  CHECK_RAISES(progressive_search(grid_of(1), loss, {.keep = 0}), "keep is 0, expected at least 1");
  CHECK_RAISES(progressive_search(grid_of(1), loss, {.children = 1}), "children is 1, expected at least 2");
  CHECK_RAISES(progressive_search(grid_of(1), loss, {.steps = 0}), "steps is 0, expected at least 1");
  CHECK_RAISES(progressive_search(grid_of(2), loss), "candidates are for 2 granules, the loss has 1");
  auto grid = grid_of(1);
  grid.steps.push_back(1);
  CHECK_RAISES(progressive_search(grid, loss), "grid has 2 steps for 1 granules");
}
