#include "halfstep/calibrators/range/granule_statistics.hpp"

#include <limits>
#include <vector>

#include "calibrators/range/samples.hpp"
#include "halfstep/core/eigen.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// Counts values and adds them up in fixed point, so that any order gives the same.
struct CountAndSum {
  Index count = 0;
  std::int64_t sum = 0;
  void add(const float* x, Index n) {
    count += n;
    for (Index i = 0; i < n; ++i) sum += static_cast<std::int64_t>(x[i] * 1024);
  }
  void merge(const CountAndSum& other) {
    count += other.count;
    sum += other.sum;
  }
  friend bool operator==(const CountAndSum&, const CountAndSum&) = default;
};

std::vector<CountAndSum> oracle(const std::vector<FloatMatrix>& batches, const Tiling& tiling) {
  std::vector<CountAndSum> all;
  for (const FloatMatrix& batch : batches) {
    const auto values = values_by_granule(batch.view(), tiling);
    all.resize(values.size());
    for (std::size_t g = 0; g < values.size(); ++g) all[g].add(values[g].data(), static_cast<Index>(values[g].size()));
  }
  return all;
}

}  // namespace

TEST_CASE("statistics of batches under every tiling and executor") {
  const std::vector<FloatMatrix> batches = {random_matrix(8, 6, 1), random_matrix(8, 6, 2)};
  const BackwardsExecutor backwards;
  const FreshThreadsExecutor threads(3);
  for (const Tiling& tiling : all_tilings()) {
    CAPTURE(tiling.tile_rows, tiling.tile_cols, tiling.is_column_map());
    for (const ExecutorRef executor : {ExecutorRef(), ExecutorRef(backwards), ExecutorRef(threads)}) {
      GranuleStatistics<CountAndSum> seen(tiling);
      for (const FloatMatrix& batch : batches) seen.observe("call", batch.view(), executor);
      CHECK(seen.observed("call") == oracle(batches, tiling));
    }
  }
}

TEST_CASE("batches larger than a piece, with several threads and merged parts") {
  const FloatMatrix large = random_matrix(3001, 40, 3);  // more than three pieces of 32768 elements
  const FreshThreadsExecutor threads(4);
  for (const Tiling& tiling : {per_tensor(), per_column(), per_column_block(20), per_block(2999, 7), per_row()}) {
    CAPTURE(tiling.tile_rows, tiling.tile_cols);
    GranuleStatistics<CountAndSum> seen(tiling), alone(tiling);
    seen.observe("call", large.view(), threads);
    alone.observe("call", large.view(), {});
    CHECK(seen == alone);
    CHECK(seen.observed("call") == oracle({large}, tiling));
  }
}

TEST_CASE("batches may differ in rows where granules take all of them, and only there") {
  const FloatMatrix a = random_matrix(4, 6, 1), b = random_matrix(9, 6, 2), narrow = random_matrix(4, 5, 3);
  GranuleStatistics<CountAndSum> columns(per_column());
  columns.observe("call", a.view(), {});
  columns.observe("call", b.view(), {});
  CHECK(columns.observed("call") == oracle({a, b}, per_column()));
  CHECK_RAISES(columns.observe("call", narrow.view(), {}), "call: batch has 5 columns, expected 6 as before");
  CHECK(columns.observed("call") == oracle({a, b}, per_column()));

  GranuleStatistics<CountAndSum> rows(per_row());
  rows.observe("call", a.view(), {});
  CHECK_RAISES(rows.observe("call", b.view(), {}), "call: batch has 9 rows, expected 4 as before");
  GranuleStatistics<CountAndSum> other_rows(per_row());
  other_rows.observe("call", b.view(), {});
  CHECK_RAISES(rows.merge("call", other_rows), "call: other has 9 rows, expected 4 as before");
  CHECK_RAISES(rows.merge("call", columns), "other has another tiling");
  CHECK(rows.observed("call") == oracle({a}, per_row()));
}

TEST_CASE("merging gives what observing in one place gives; nothing adds nothing") {
  const FloatMatrix a = random_matrix(4, 6, 1), b = random_matrix(4, 6, 2), c = random_matrix(4, 6, 3);
  for (const Tiling& tiling : all_tilings()) {
    GranuleStatistics<CountAndSum> all(tiling), first(tiling), rest(tiling), none(tiling);
    for (const FloatMatrix* batch : {&a, &b, &c}) all.observe("call", batch->view(), {});
    rest.observe("call", c.view(), {});
    rest.observe("call", b.view(), {});
    first.observe("call", a.view(), {});
    rest.merge("call", none);
    none.merge("call", rest);
    none.merge("call", first);
    CHECK(none == all);
  }
}

TEST_CASE("no data is an error, and so is a batch that is not finite, which changes nothing") {
  GranuleStatistics<CountAndSum> seen(per_tensor());
  CHECK_RAISES(seen.observed("call"), "halfstep: call: no data was observed");
  FloatMatrix batch = random_matrix(3, 6, 1);
  seen.observe("call", read(batch).row_range(0, 0), {});
  CHECK_RAISES(seen.observed("call"), "no data was observed");
  seen.observe("call", read(batch), {});
  const GranuleStatistics<CountAndSum> before = seen;
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    batch.values[10] = bad;
    CHECK_RAISES(seen.observe("call", read(batch), {}), "row 1, column 4 is");
    CHECK(seen == before);
  }
  CHECK_RAISES(seen.observe("call", MatrixView<const float>(nullptr, 2, 2), {}), "null pointer");
}

TEST_CASE("a single granule can be asked for, several cannot") {
  CHECK(only_granule("call", std::vector<int>{7}, "all") == 7);
  CHECK_RAISES(only_granule("call", std::vector<int>{7, 8}, "calls"),
               "halfstep: call: the tiling gives 2 granules, expected 1: call calls");
}
