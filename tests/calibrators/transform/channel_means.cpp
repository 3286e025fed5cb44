#include "halfstep/calibrators/transform/channel_means.hpp"

#include <limits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("means over all rows of all batches, of values or of magnitudes") {
  const MatrixF a{{1, -2}, {3, 2}}, b{{8, -6}};
  CHECK(channel_means("test", {a, b}) == std::vector<float>{4, -2});
  CHECK(channel_means("test", {a, b}, {}, MeanOf::magnitudes) == std::vector<float>{4, static_cast<float>(10.0 / 3)});
  CHECK(channel_means("test", {MatrixF(0, 2), b}) == std::vector<float>{8, -6});
}

TEST_CASE("means are the same on any number of threads") {
  const FloatMatrix x = random_matrix(1000, 19, 1);
  ThreadPool pool(3);
  CHECK(channel_means("test", {x.view()}, pool) == channel_means("test", {x.view()}));
}

TEST_CASE("means say what is wrong") {
  MatrixF x = MatrixF::Zero(70, 2);
  CHECK_RAISES(channel_means("test", {}), "test: there are no tokens in the calibration batches");
  CHECK_RAISES(channel_means("test", {MatrixF(0, 2)}), "there are no tokens");
  CHECK_RAISES(channel_means("test", {x, MatrixF(1, 3)}), "test: batch 1 has 3 columns, expected 2 as before");
  x(69, 1) = std::numeric_limits<float>::infinity();
  CHECK_RAISES(channel_means("test", {x}), "test: batch 0 is not finite: row 69, column 1 is inf");
}
