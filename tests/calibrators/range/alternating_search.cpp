#include "halfstep/calibrators/range/alternating_search.hpp"

#include <cstddef>
#include <vector>

#include "calibrators/range/output_reference.hpp"
#include "halfstep/calibrators/range/candidate_ranges.hpp"
#include "halfstep/core/thread_pool.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

using U4 = Uniform<4>;

struct AlternatingLayer {
  FloatMatrix x = random_matrix(50, 12, 1), w = random_matrix(9, 12, 2, 0.3f);
  std::vector<ObservedProduct> products{{.lhs = x.view(), .rhs = w.view()}};
  std::vector<U4> lhs{{0.9f, 8}}, rhs = std::vector<U4>(9, U4{0.2f, 8});
  ScanTurn<U4> lhs_turn{Candidates<U4>(scaled_candidates(U4{0.4f, 8}))};
  ScanTurn<U4> rhs_turn{Candidates<U4>(scaled_candidates(U4{0.15f, 8}), 9)};

  [[nodiscard]] ProductQuantizers<U4, U4> search(int rounds, const SearchOptions& options = {}) const {
    SearchRun run(options, rounds * 200);
    AlternatingSearch<U4, U4> search(products, {.rhs_tiling = per_row(), .executor = options.executor}, lhs, rhs, run);
    for (int round = 0; round < rounds; ++round) {
      search.rhs(rhs_turn);
      search.lhs(lhs_turn);
    }
    return search.take();
  }
  [[nodiscard]] double loss(const std::vector<U4>& left, const std::vector<U4>& right) const {
    const auto become = [](const U4& q, float v) { return q.decode(q.encode(v)); };
    return reference_losses(
        products, [&](std::size_t, Index, float v) { return become(left.at(0), v); },
        [&](std::size_t, Index r, float v) { return become(right.at(static_cast<std::size_t>(r)), v); },
        OutputMetric::squared, 1, [](std::size_t, Index, Index) { return std::size_t{0}; })[0];
  }
};

}  // namespace

TEST_CASE("turns see what the other operand has become, and losses never rise over the same candidates") {
  const AlternatingLayer layer;
  const auto found = layer.search(3);
  CHECK(found.is_complete);
  REQUIRE(found.losses.size() == 6);
  for (std::size_t i = 2; i < 6; ++i) CHECK(found.losses[i] <= found.losses[i - 1] * (1 + 1e-6));
  CHECK(found.losses.back() == Approx(layer.loss(found.lhs, found.rhs)).epsilon(1e-4));
  CHECK(found.losses.back() < layer.loss(layer.lhs, layer.rhs));
  const auto one = layer.search(1);
  CHECK(one.losses[0] == found.losses[0]);
  CHECK(one.losses[1] == found.losses[1]);
}

TEST_CASE("a turn may leave the other operand in float, and may be any function") {
  const AlternatingLayer layer;
  SearchRun run({}, 200);
  AlternatingSearch<U4, U4> search(layer.products, {.rhs_tiling = per_row()}, layer.lhs, layer.rhs, run);
  search.lhs(layer.lhs_turn, OtherOperand::as_float);
  const OutputLoss<U4> loss(layer.products);
  const auto expected = candidate_search(layer.lhs_turn.candidates, loss);
  std::vector<U4> seen;
  search.lhs([&](const OutputLoss<U4>&, const std::vector<U4>& current, SearchRun&) {
    seen = current;
    return SearchResult<U4>{{{U4{0.5f, 8}, 0, 7.0}}, true};
  });
  CHECK(seen == quantizers_of(expected));
  const auto found = search.take();
  CHECK(found.lhs == std::vector<U4>{{0.5f, 8}});
  CHECK(found.losses.at(0) == expected.choices[0].loss);
  CHECK(found.losses.at(1) == 7);
}

TEST_CASE("an alternating search does not depend on the executor") {
  const AlternatingLayer layer;
  ThreadPool pool(3);
  const auto expected = layer.search(2), found = layer.search(2, {.executor = pool});
  CHECK(found.lhs == expected.lhs);
  CHECK(found.rhs == expected.rhs);
  CHECK(found.losses == expected.losses);
}

TEST_CASE("an alternating search that is cancelled returns the best so far") {
  const AlternatingLayer layer;
  double before = layer.loss(layer.lhs, layer.rhs);
  for (const Index stop : {Index{32}, Index{100}, Index{132}, Index{200}, Index{232}, Index{332}}) {
    Index total = 0;
    const auto until = [&](const Progress& p) { return total = p.total, p.done < stop; };
    const auto found = layer.search(2, {.progress = until});
    CAPTURE(stop);
    CHECK(total == 400);
    CHECK(!found.is_complete);
    const double loss = layer.loss(found.lhs, found.rhs);
    CHECK(loss <= before * (1 + 1e-4));  // the longer it ran, the better; to the rounding of a loss
    before = loss;
  }
}
