#include "halfstep/calibrators/transform/channel_balance.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("maxima are averaged over samples, then over steps, in each range by itself") {
  TimestepMaxima seen({.last_steps = {499, 799}, .sigma = 0.5f});
  CHECK(seen.ranges() == 3);
  for (const Index step : {0, 499}) CHECK(seen.range_of(step) == 0);
  for (const Index step : {500, 799}) CHECK(seen.range_of(step) == 1);
  for (const Index step : {800, 100000}) CHECK(seen.range_of(step) == 2);
  const MatrixF x{{1, -2}, {0, 1}, {-5, 4}, {3, 0}};  // two samples of two tokens
  seen.observe(x, 2, 10);
  CHECK(seen.maxima(0) == std::vector<float>{3, 3});
  seen.observe(MatrixF(2 * x), 2, 499);
  CHECK(seen.maxima(0) == std::vector<float>{4.5f, 4.5f});
  seen.observe(x, 1, 500);
  CHECK(seen.maxima(1) == std::vector<float>{5, 4});
  CHECK_RAISES(seen.maxima(2), "TimestepMaxima::maxima: no time step of range 2 was observed");
  CHECK_RAISES(seen.maxima(3), "range is 3 of 3");
  CHECK(TimestepMaxima().ranges() == 1);
}

TEST_CASE("channels are balanced by the published formula but for what was never seen") {
  const MatrixF w{{0.5f, 0, 2}};
  const std::vector<float> maxima{4, 8, 0};
  const ShiftScale t = channel_balance(maxima, {w}, {.alpha = 0.5f});
  CHECK(t.scale[0] == Approx(std::sqrt(4 / 0.5)).epsilon(1e-6));
  CHECK(t.scale[1] == Approx(std::sqrt(8 / 1e-5)).epsilon(1e-6));
  CHECK(t.scale[2] == 1);
  const ShiftScale published = channel_balance(maxima, {w}, {.alpha = 0.5f, .inactive = InactiveChannel::published});
  CHECK(published.scale[2] == Approx(std::sqrt(1e-5 / 2)).epsilon(1e-6));
}

TEST_CASE("maxima of time steps are the same on any number of threads") {
  const FloatMatrix x = random_matrix(600, 23, 1);
  ThreadPool pool(3);
  TimestepMaxima serial, pooled;
  serial.observe(x.view(), 3, 0);
  pooled.observe(x.view(), 3, 0, pool);
  CHECK(serial.maxima() == pooled.maxima());
}

TEST_CASE("channel balancing says what is wrong") {
  TimestepMaxima seen;
  MatrixF x = MatrixF::Ones(6, 2);
  CHECK_RAISES(seen.observe(x, 4, 0), "TimestepMaxima::observe: x has 6 rows, expected tokens of 4 samples");
  CHECK_RAISES(seen.observe(x, 0, 0), "expected tokens of 0 samples");
  CHECK_RAISES(seen.observe(MatrixF(0, 2), 1, 0), "x has 0 rows");
  x(4, 1) = std::numeric_limits<float>::quiet_NaN();
  CHECK_RAISES(seen.observe(x, 2, 0), "TimestepMaxima::observe: x is not finite: row 4, column 1 is nan");
  x(4, 1) = 0;
  seen.observe(x, 2, 0);
  CHECK_RAISES(seen.observe(MatrixF::Ones(2, 3).eval(), 1, 0), "x has 3 columns, expected 2 as before");
  CHECK_RAISES(TimestepMaxima({.last_steps = {5, 5}}), "TimestepMaxima: last_steps[1] is 5, expected more than 5");
  CHECK_RAISES(TimestepMaxima({.sigma = 2}), "sigma is 2");
  CHECK_RAISES(channel_balance(std::vector<float>{1}, {}), "channel_balance: weights is empty");
  CHECK_RAISES(channel_balance(std::vector<float>{1}, {x}), "channel_balance: weight 0 has 2 columns, expected 1");
  CHECK_RAISES(channel_balance(std::vector<float>{1, 1}, {x}, {.alpha = 3}), "channel_balance: alpha is 3");
}
