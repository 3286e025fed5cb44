#include "halfstep/simd/math.hpp"

#include "simd/sweep.hpp"
#include "support/special_values.hpp"

namespace simd = halfstep::simd;
using namespace halfstep_tests;

namespace {

std::vector<float> finite_within(const std::vector<float>& xs, float limit) {
  std::vector<float> kept;
  for (float x : xs) {
    if (std::abs(x) < limit) kept.push_back(x);
  }
  return kept;
}

}  // namespace

TEST_CASE("a batch does what a float does, bit for bit") {
  const auto xs = sweep_of_floats();
  check_same_on_floats([](auto x) { return simd::round_even(x); }, xs);
  check_same_on_floats([](auto x) { return simd::floor(x); }, xs);
  check_same_on_floats([](auto x) { return simd::abs(x); }, xs);
  check_same_on_floats([](auto x) { return simd::sqrt(x); }, xs);
  check_same_on_floats([](auto x) { return simd::min(x, 1.5f); }, xs);
  check_same_on_floats([](auto x) { return simd::max(x, 1.5f); }, xs);
  check_same_on_floats([](auto x) { return simd::min(x, not_a_number); }, xs);
  check_same_on_floats([](auto x) { return simd::max(x, not_a_number); }, xs);
  check_same_on_floats([](auto x) { return simd::min(x, 0.0f); }, xs);
  check_same_on_floats([](auto x) { return simd::max(x, -0.0f); }, xs);
  check_same_on_floats([](auto x) { return simd::clamp(x, -3, 12); }, xs);
  check_same_on_floats([](auto x) { return simd::round_clamp(x, -128, 127); }, xs);
  check_same_on_floats([](auto x) { return simd::round_clamp(x / 0.3f, 0, 65535); }, xs);
  check_same_on_floats([](auto x) { return simd::to_bits(x); }, xs);
  check_same_on_floats([](auto x) { return simd::select(x < 2.0f, x * 3.0f, 1.0f); }, xs);
  check_same_on_floats([](auto x) { return simd::select(x < 2.0f, simd::to_bits(x), 7); }, xs);
  check_same_on_floats([](auto x) { return simd::select(simd::to_bits(x) > 5, -x, x); }, xs);
  check_same_on_floats([](auto x) { return simd::is_nan(x); }, xs);
  check_same_on_floats([](auto x) { return simd::is_finite(x); }, xs);
  const auto small = finite_within(xs, 2147483648.0f);
  check_same_on_floats([](auto x) { return simd::to_int(x); }, small);
  check_same_on_floats([](auto x) { return simd::round_to_int(x); }, small);
}

TEST_CASE("a batch does what an int32 does") {
  std::vector<std::int32_t> ks;
  for (float x : sweep_of_floats()) ks.push_back(std::bit_cast<std::int32_t>(x));
  check_same_on_ints([](auto k) { return simd::to_float(k); }, ks);
  check_same_on_ints([](auto k) { return simd::from_bits(k); }, ks);
  check_same_on_ints([](auto k) { return simd::abs(k); }, ks);
  check_same_on_ints([](auto k) { return simd::min(k, 77); }, ks);
  check_same_on_ints([](auto k) { return simd::max(k, -77); }, ks);
  check_same_on_ints([](auto k) { return simd::clamp(k, -77, 500); }, ks);
  check_same_on_ints([](auto k) { return simd::select(k > 3, k, -5); }, ks);
  check_same_on_ints([](auto k) { return simd::shift_right_logical(k, 7); }, ks);
}

TEST_CASE("rounding is to nearest, ties to even, and keeps the sign") {
  int wrong = 0;
  for (float x : sweep_of_floats()) {
    const double oracle = std::nearbyint(static_cast<double>(x));  // exact, and so is its conversion to float
    wrong += !same(simd::round_even(x), static_cast<float>(oracle));
    wrong += !same(simd::floor(x), static_cast<float>(std::floor(static_cast<double>(x))));
    if (std::abs(x) < 2147483648.0f) wrong += simd::round_to_int(x) != static_cast<std::int64_t>(oracle);
  }
  CHECK(wrong == 0);
  CHECK(std::signbit(simd::round_even(-0.3f)));
  CHECK(simd::round_even(2.5f) == 2.0f);
  CHECK(simd::round_even(8388609.0f) == 8388609.0f);
}

TEST_CASE("a code is the clamped, rounded number; NaN is the code of zero") {
  int wrong = 0;
  for (float x : sweep_of_floats()) {
    const double real = x != x ? 0.0 : static_cast<double>(x);
    wrong += simd::round_clamp(x, -5, 10) != static_cast<int>(std::nearbyint(std::clamp(real, -5.0, 10.0)));
  }
  CHECK(wrong == 0);
  CHECK(simd::round_clamp(infinity, -5, 10) == 10);
  CHECK(simd::round_clamp(-infinity, -5, 10) == -5);
  CHECK(simd::round_clamp(not_a_number, -5, 10) == 0);
  CHECK(simd::round_clamp(not_a_number, 3, 10) == 3);
  CHECK(simd::round_clamp(3e38f, -5, 10) == 10);
}

TEST_CASE("least and greatest of a pair: the second operand where the comparison is false") {
  CHECK(same(simd::min(not_a_number, 1.0f), 1.0f));
  CHECK(same(simd::min(1.0f, not_a_number), not_a_number));
  CHECK(same(simd::max(not_a_number, 1.0f), 1.0f));
  CHECK(same(simd::min(-0.0f, 0.0f), 0.0f));
  CHECK(same(simd::max(0.0f, -0.0f), -0.0f));
  CHECK(same(simd::clamp(not_a_number, -2.0f, 3.0f), -2.0f));
}

TEST_CASE("NaN and infinity are recognized by their bits") {
  for (float x : sweep_of_floats(1000)) {
    const std::uint32_t magnitude = std::bit_cast<std::uint32_t>(x) & 0x7fffffffu;
    REQUIRE(simd::is_nan(x) == (magnitude > 0x7f800000u));
    REQUIRE(simd::is_finite(x) == (magnitude < 0x7f800000u));
  }
}

TEST_CASE("masks count, combine and convert between floats and integers") {
  float xs[simd::batch_lanes];
  for (std::size_t i = 0; i < simd::batch_lanes; ++i) xs[i] = static_cast<float>(i);
  const auto x = simd::load<simd::FloatBatch>(xs);
  for (std::size_t n = 0; n <= simd::batch_lanes; ++n) {
    const auto below = x < static_cast<float>(n);
    CHECK(simd::count_true(below) == static_cast<int>(n));
    CHECK(simd::count_true(simd::as_int_mask(below)) == static_cast<int>(n));
    CHECK(simd::count_true(!below) == static_cast<int>(simd::batch_lanes - n));
    CHECK(simd::any(below) == (n > 0));
    CHECK(simd::all(below) == (n == simd::batch_lanes));
  }
  CHECK(simd::count_true(true) == 1);
  CHECK_FALSE(simd::all(false));
}
