#include "halfstep/calibrators/transform/channel_maxima.hpp"

#include <limits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("the largest magnitude of each channel, of activations and of all weights") {
  const MatrixF x{{1, -2, 0}, {-3, 0.5f, 0}};
  CHECK(channel_absmax(x) == std::vector<float>{3, 2, 0});
  CHECK(channel_absmax(std::vector<Range>{{-4, 3, 0}, {1, 2, 0}}) == std::vector<float>{4, 2});
  const MatrixF w0{{0.5f, 1, -7}}, w1{{-1, 0, 6}, {0.25f, 0, 0}};
  CHECK(column_absmax("test", {w0, w1}, 3) == std::vector<float>{1, 1, 7});
  CHECK(column_absmax("test", {MatrixF(0, 2)}, 2) == std::vector<float>{0, 0});
}

TEST_CASE("column maxima are the same on any number of threads") {
  const FloatMatrix w = random_matrix(1000, 37, 1);
  ThreadPool pool(3);
  const std::vector<float> found = column_absmax("test", {w.view()}, 37, pool);
  CHECK(found == column_absmax("test", {w.view()}, 37));
  CHECK(found == channel_absmax(w.view()));
}

TEST_CASE("channel maxima say what is wrong") {
  MatrixF w = MatrixF::Zero(70, 3);
  CHECK_RAISES(column_absmax("test", {}, 3), "test: weights is empty");
  CHECK_RAISES(column_absmax("test", {w, MatrixF(1, 4)}, 3), "test: weight 1 has 4 columns, expected 3 (channels)");
  w(66, 2) = std::numeric_limits<float>::quiet_NaN();
  CHECK_RAISES(column_absmax("test", {w}, 3), "test: weight 0 is not finite: row 66, column 2 is nan");
  CHECK_RAISES(channel_absmax(MatrixF(0, 3)), "no data was observed");
  CHECK_RAISES(require_maxima("test", "m", std::vector<float>{0, -1}), "test: m of channel 1 is -1");
}
