#include "halfstep/core/error_stats.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "halfstep/core/random.hpp"

#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("error statistics of a few numbers by hand", "[core][error_stats]") {
  hs::ErrorStats stats;
  stats.observe(1.0f, 1.5f, {0, 0});
  stats.observe(-2.0f, 0.0f, {0, 1});
  stats.observe(0.5f, -0.5f, {1, 0});
  CHECK(stats.count() == 3);
  CHECK(stats.mean_error() == (0.5 + 2.0 - 1.0) / 3);
  CHECK(stats.mse() == (0.25 + 4.0 + 1.0) / 3);
  CHECK(stats.max_abs_error() == 2.0);
  CHECK(stats.worst() == hs::Position{0, 1});
  CHECK(stats.rounded_to_zero() == 1);
  CHECK(stats.sign_flips() == 1);
  CHECK(stats.sqnr_db() == Approx(0.0).margin(1e-12));  // signal 1 + 4 + 0.25 over error 0.25 + 4 + 1
}

TEST_CASE("no error is infinite dB, and values that are not finite are counted apart", "[core][error_stats]") {
  hs::ErrorStats stats;
  CHECK(stats.mse() == 0.0);
  stats.observe(3.0f, 3.0f);
  CHECK(std::isinf(stats.sqnr_db()));
  stats.observe(std::numeric_limits<float>::quiet_NaN(), 1.0f);
  stats.observe(1.0f, std::numeric_limits<float>::infinity());
  CHECK(stats.non_finite() == 2);
  CHECK(stats.count() == 1);
  CHECK(stats.mse() == 0.0);
}

TEST_CASE("merging two halves is seeing both", "[core][error_stats]") {
  hs::ErrorStats whole, first, second;
  for (int i = 0; i < 100; ++i) {
    const float x = static_cast<float>(i) * 0.25f, y = x + (i % 3 == 0 ? 0.5f : -0.25f) * static_cast<float>(i % 7);
    whole.observe(x, y, {0, i});
    (i < 50 ? first : second).observe(x, y, {0, i});
  }
  first.merge(second);
  CHECK(first.count() == whole.count());
  CHECK(first.mse() == whole.mse());  // all sums are exact here: multiples of 1/16
  CHECK(first.worst() == whole.worst());
  CHECK(first.sqnr_db() == whole.sqnr_db());
}

TEST_CASE("compare reads any layout and refuses different shapes; the worst rows come first", "[core][error_stats]") {
  hs::MatrixF reference(3, 2), approximation(3, 2);
  reference << 1, 2, 3, 4, 5, 6;
  approximation << 1, 2, 3, 5, 7, 6;
  Eigen::MatrixXf by_columns = approximation;
  CHECK(hs::compare(reference, approximation).mse() == 5.0 / 6);
  CHECK(hs::compare(reference, by_columns).worst() == hs::Position{2, 0});
  const auto worst = hs::worst_rows(reference, by_columns, 2);
  REQUIRE(worst.size() == 2);
  CHECK(worst[0].row == 2);
  CHECK(worst[1].row == 1);
  CHECK(hs::worst_rows(reference, by_columns, 9).size() == 3);
  CHECK_RAISES(hs::compare(reference, by_columns.transpose().eval()),
               "approximation has shape [2, 3], reference has [3, 2]");
}

TEST_CASE("sums of squared errors have the same bits with and without fused multiply-add", "[core][error_stats]") {
  // Approximations far smaller than the reference: the error has more bits than a square keeps, so a compiler that
  // contracts on some instruction sets only would show here.
  const hs::Random random(5);
  hs::ErrorStats stats;
  double sum = 0;
  for (std::uint64_t i = 0; i < 5000; ++i) {
    const float reference = random.normal(i);
    const float approximation = 1e-4f * random.normal(i + 100000);
    stats.observe(reference, approximation);
    const double error = static_cast<double>(approximation) - static_cast<double>(reference);
    sum = std::fma(error, error, sum);
  }
  CHECK(std::bit_cast<std::uint64_t>(stats.mse()) == std::bit_cast<std::uint64_t>(sum / 5000));
}

TEST_CASE("a row with a value that is not finite is worse than any finite error", "[core][error_stats]") {
  hs::MatrixF reference = hs::MatrixF::Constant(4, 2, 1.0f), approximation = reference;
  approximation(0, 0) = 1000.0f;
  approximation(1, 1) = std::numeric_limits<float>::quiet_NaN();
  approximation(3, 0) = std::numeric_limits<float>::infinity();
  approximation(3, 1) = 2.0f;
  const auto worst = hs::worst_rows(reference, approximation, 4);
  REQUIRE(worst.size() == 4);
  CHECK(worst[0].row == 3);  // one such value too, and an error beside it
  CHECK(worst[1].row == 1);
  CHECK(worst[2].row == 0);
  CHECK(worst[3].row == 2);
}

TEST_CASE("an error without a signal is minus infinite dB; equal errors keep the first as worst",
          "[core][error_stats]") {
  hs::ErrorStats stats;
  stats.observe(0.0f, 1.0f, {2, 3});
  stats.observe(0.0f, -1.0f, {4, 5});
  CHECK(stats.sqnr_db() == -std::numeric_limits<double>::infinity());
  CHECK(stats.worst() == hs::Position{2, 3});
  hs::ErrorStats other;
  other.observe(0.0f, 1.0f, {0, 0});
  stats.merge(other);
  CHECK(stats.worst() == hs::Position{2, 3});
  CHECK(hs::ErrorStats().sqnr_db() == std::numeric_limits<double>::infinity());
}
