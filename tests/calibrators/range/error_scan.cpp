#include "halfstep/calibrators/range/error_scan.hpp"

#include <cstddef>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// Candidate i moves every element by (i % 100 - 37) / 64.
void shift_all(const float*, Index first, MatrixD& changes) {
  for (Index i = 0; i < changes.rows(); ++i) {
    changes.row(i).setConstant(static_cast<double>((first + i) % 100 - 37) / 64);
  }
}

}  // namespace

TEST_CASE("a scan finds the first of the least errors, sees all of them, and counts") {
  const FloatMatrix other = random_matrix(3, 8, 41), operand = random_matrix(100, 8, 42);
  const ProductError error(other.view());
  std::vector<Index> counts;
  const auto count = [&](const Progress& p) {
    counts.push_back(p.done);
    CHECK(p.total == 200);
    return true;
  };
  SearchMeter meter(count, 200);
  Index visited = 0;
  const LeastError best = least_error(error, operand.view(), 200, {}, meter, shift_all, [&](Index i, double e) {
    CHECK(i == visited++);
    if (i % 100 == 37) CHECK(e == 0.0);
    if (i % 100 != 37) CHECK(e > 0.0);
  });
  CHECK(best.candidate == 37);  // 137 is as good
  CHECK(best.error == 0.0);
  CHECK(visited == 200);
  CHECK(counts == std::vector<Index>{64, 128, 192, 200});
  CHECK_FALSE(meter.is_stopped());
}

TEST_CASE("a scan that is stopped knows the best so far") {
  const FloatMatrix other = random_matrix(3, 8, 41), operand = random_matrix(10, 8, 42);
  const auto never = [](const Progress&) { return false; };
  SearchMeter meter(never, 200);
  const LeastError best = least_error(ProductError(other.view()), operand.view(), 200, {}, meter, shift_all);
  CHECK(meter.is_stopped());
  CHECK(best.candidate == 37);
}

TEST_CASE("summed errors are the same bits for any executor") {
  const FloatMatrix other = random_matrix(20, 8, 43), operand = random_matrix(333, 8, 44);
  const ProductError error(other.view());
  ThreadPool pool(3);
  const BackwardsExecutor backwards;
  const auto expected = summed_errors(error, operand.view(), 5, 20, {}, shift_all);
  CHECK(summed_errors(error, operand.view(), 5, 20, pool, shift_all) == expected);
  CHECK(summed_errors(error, operand.view(), 5, 20, backwards, shift_all) == expected);
}
