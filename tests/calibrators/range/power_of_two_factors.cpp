#include "halfstep/calibrators/range/power_of_two_factors.hpp"

#include <limits>
#include <vector>

#include "calibrators/range/samples.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// Channel c is 2^(c % 4) times as wide as channel 0, all symmetric about 0.
FloatMatrix scaled_channels(Index rows) {
  FloatMatrix matrix = random_matrix(rows, 8, 7);
  for (Index r = 0; r < rows; ++r) {
    for (Index c = 0; c < 8; ++c)
      matrix.values[static_cast<std::size_t>(r * 8 + c)] *= static_cast<float>(1 << (c % 4));
  }
  return matrix;
}

}  // namespace

TEST_CASE("power-of-two factors follow the widths of channels") {
  const FloatMatrix matrix = scaled_channels(400);
  const auto choice = power_of_two_factors<8>(matrix.view());
  REQUIRE(choice.quantizers.size() == 8);
  for (std::size_t c = 0; c < 8; ++c) {
    const PowerOfTwoFactor<8>& q = choice.quantizers[c];
    CHECK(q.scale == choice.quantizers[0].scale);
    CHECK(q.zero_point == choice.quantizers[0].zero_point);
    REQUIRE(choice.mse[c].size() == 4);
    for (const double mse : choice.mse[c]) CHECK(mse >= choice.mse[c][static_cast<std::size_t>(q.shift)]);
  }
  CHECK(choice.quantizers[0].shift < choice.quantizers[3].shift);
  // Errors are those of the matrix that the quantizers make.
  const MatrixF back = dequantize(quantize_with(matrix.view(), choice.quantizers, {.tiling = per_column()}));
  double sum = 0, expected = 0;
  for (Index i = 0; i < back.size(); ++i) {
    const double e =
        static_cast<double>(matrix.values[static_cast<std::size_t>(i)]) - static_cast<double>(back.data()[i]);
    sum += e * e;
  }
  for (std::size_t c = 0; c < 8; ++c) {
    expected += 400 * choice.mse[c][static_cast<std::size_t>(choice.quantizers[c].shift)];
  }
  CHECK(sum == Approx(expected).epsilon(1e-12));  // 3200 squares in another order
}

TEST_CASE("power-of-two factors of zeros and of constants") {
  const std::vector<float> zeros(12, 0.0f);
  const auto none = power_of_two_factors<8>(MatrixView<const float>(zeros.data(), 3, 4));
  for (const auto& q : none.quantizers) CHECK(q.shift == 0);  // all equal: the first
  const std::vector<float> mixed = {0, 5, -3, 0, 5, 3};
  const auto some = power_of_two_factors<8>(MatrixView<const float>(mixed.data(), 2, 3));
  CHECK(some.mse[0] == std::vector<double>(4, 0.0));
  CHECK(some.quantizers[0].shift == 0);
}

TEST_CASE("power-of-two factors are the same for any executor, and know how far to shift") {
  const FloatMatrix matrix = scaled_channels(100);
  const auto expected = power_of_two_factors<6>(matrix.view(), {.largest_shift = 5});
  CHECK(expected.mse[0].size() == 6);
  const BackwardsExecutor backwards;
  const auto other = power_of_two_factors<6>(matrix.view(), {.largest_shift = 5, .executor = backwards});
  CHECK(other.quantizers == expected.quantizers);
  CHECK(other.mse == expected.mse);
}

TEST_CASE("power-of-two factors say what is wrong") {
  FloatMatrix matrix = random_matrix(3, 4, 1);
  CHECK_RAISES(power_of_two_factors<8>(matrix.view(), {.largest_shift = 16}), "largest_shift is 16, expected 0 to 15");
  CHECK_RAISES(power_of_two_factors<8>(matrix.view(), {.largest_shift = -1}), "largest_shift is -1");
  CHECK_RAISES(power_of_two_factors<8>(matrix.view().col_range(0, 0)), "x of shape [3, 0] has no elements");
  matrix.values[5] = std::numeric_limits<float>::quiet_NaN();
  CHECK_RAISES(power_of_two_factors<8>(matrix.view()), "power_of_two_factors: x is not finite: row 1, column 1 is nan");
}
