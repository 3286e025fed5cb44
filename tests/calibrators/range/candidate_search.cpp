#include "halfstep/calibrators/range/candidate_search.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <stdexcept>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

using U4 = Uniform<4>;

/// Granule g wants the scale `wanted[g]`.
struct DistanceLoss {
  std::vector<float> wanted;
  [[nodiscard]] Index granules() const { return static_cast<Index>(wanted.size()); }
  void operator()(std::span<const U4> quantizers, std::span<double> losses) const {
    for (std::size_t g = 0; g < wanted.size(); ++g) {
      losses[g] = std::fabs(static_cast<double>(quantizers[g].scale) - static_cast<double>(wanted[g]));
    }
  }
};

std::vector<U4> scales(int count) {
  std::vector<U4> list;
  for (int i = 1; i <= count; ++i) list.push_back({static_cast<float>(i), 0});
  return list;
}

}  // namespace

TEST_CASE("each granule gets its best candidate, of equals the first") {
  const DistanceLoss loss{{7.25f, 100.0f, 3.5f}};
  const auto result = candidate_search(Candidates<U4>(scales(90), 3), loss);
  CHECK(result.is_complete);
  CHECK(quantizers_of(result) == std::vector<U4>{{7, 0}, {90, 0}, {3, 0}});
  CHECK(result.choices[0].index == 6);
  CHECK(result.choices[0].loss == 0.25);
  CHECK(result.choices[2].index == 2);  // 3 and 4 are equally far
  CHECK(mean_loss(result) == Approx((0.25 + 10 + 0.5) / 3));
}

TEST_CASE("granules may have candidates of their own") {
  const DistanceLoss loss{{1, 1}};
  const auto result =
      candidate_search(Candidates<U4>(std::vector<std::vector<U4>>{{{5, 0}, {2, 0}}, {{3, 0}, {9, 0}}}), loss);
  CHECK(quantizers_of(result) == std::vector<U4>{{2, 0}, {3, 0}});
}

TEST_CASE("losses that are no numbers do not win") {
  struct Loss {
    [[nodiscard]] Index granules() const { return 1; }
    void operator()(std::span<const U4> quantizers, std::span<double> losses) const {
      losses[0] = quantizers[0].scale == 4 ? 1 : std::numeric_limits<double>::quiet_NaN();
    }
  };
  CHECK(candidate_search(Candidates<U4>(scales(9)), Loss()).choices[0].quantizer.scale == 4);
  const auto none = candidate_search(Candidates<U4>(scales(3)), Loss());
  CHECK(none.choices[0].quantizer.scale == 1);  // still a quantizer
  CHECK(none.choices[0].loss == std::numeric_limits<double>::infinity());
}

TEST_CASE("a candidate search does not depend on the executor") {
  const DistanceLoss loss{{12.5f, 3.0f, 44.5f, 61.0f}};
  const Candidates<U4> candidates(scales(200), 4);
  ThreadPool pool(3);
  const BackwardsExecutor backwards;
  const auto expected = candidate_search(candidates, loss);
  CHECK(candidate_search(candidates, loss, {.executor = pool}) == expected);
  CHECK(candidate_search(candidates, loss, {.executor = backwards}) == expected);
}

TEST_CASE("a candidate search that is cancelled returns the best of what was tried") {
  const DistanceLoss loss{{70.0f}};
  std::vector<Index> seen;
  const auto stop_at_64 = [&](const Progress& p) {
    CHECK(p.total == 100);
    seen.push_back(p.done);
    return p.done < 64;
  };
  const auto result = candidate_search(Candidates<U4>(scales(100)), loss, {.progress = stop_at_64});
  CHECK(seen == std::vector<Index>{32, 64});
  CHECK(!result.is_complete);
  CHECK(result.choices[0].quantizer.scale == 64);
  seen.clear();
  const auto go_on = [&](const Progress& p) { return seen.push_back(p.done), true; };
  CHECK(candidate_search(Candidates<U4>(scales(100)), loss, {.progress = go_on}).is_complete);
  CHECK(seen == std::vector<Index>{32, 64, 96, 100});
  const auto too_late = [](const Progress& p) { return p.done < p.total; };
  CHECK(candidate_search(Candidates<U4>(scales(100)), loss, {.progress = too_late}).is_complete);
}

TEST_CASE("what a progress callback of a search throws reaches the caller") {
  ThreadPool pool(2);
  const auto refuse = [](const Progress&) -> bool { throw std::runtime_error("enough"); };
  CHECK_THROWS_WITH(
      candidate_search(Candidates<U4>(scales(9)), DistanceLoss{{1}}, {.executor = pool, .progress = refuse}), "enough");
}

TEST_CASE("a candidate search says what is wrong") {
  const DistanceLoss loss{{1, 2}};
  CHECK_RAISES(candidate_search(Candidates<U4>(scales(3)), loss),
               "candidate_search: candidates are for 1 granules, the loss has 2");
  CHECK_RAISES(candidate_search(Candidates<U4>(std::vector<U4>(), 2), loss),
               "candidates is empty, expected at least one");
  CHECK_RAISES(Candidates<U4>(std::vector<std::vector<U4>>{{{1, 0}}, {}}),
               "Candidates: granule 1 has 0 candidates, granule 0 has 1");
}
