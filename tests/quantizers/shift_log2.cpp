#include "halfstep/quantizers/shift_log2.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "support/catch.hpp"

using namespace halfstep;

namespace {

template <int Bits, LogSteps Steps>
void check_formula(const ShiftLog2<Bits, Steps>& q) {
  const double eta = static_cast<double>(q.eta), low = static_cast<double>(q.low);
  const double step = (static_cast<double>(q.high) - low) / q.last_code;
  int wrong_codes = 0, wrong_values = 0;
  std::int32_t before = 0;
  for (int i = -200; i <= 9000; ++i) {
    const float x = static_cast<float>(i) / 8192;
    const double sum = static_cast<double>(x) + eta;
    const double steps = sum > 0 ? (std::log2(sum) - low) / step : 0.0;
    const std::int32_t code = q.encode(x);
    // Sum, logarithm (4e-7 of itself), difference and step are rounded: 1e-5 covers logarithms up to 10.
    wrong_codes +=
        std::fabs(code - std::clamp(steps, 0.0, static_cast<double>(q.last_code))) <= 0.5 + 1e-5 / step ? 0 : 1;
    REQUIRE(code >= before);
    before = code;
  }
  for (int code = 0; code <= q.last_code; ++code) {
    const double exponent = std::nearbyint(code * step + low);
    wrong_values += q.exponent(std::int32_t{code}) == exponent ? 0 : 1;
    wrong_values += q.decode(std::int32_t{code}) == static_cast<float>(std::exp2(exponent) - eta) ? 0 : 1;
  }
  CAPTURE(Bits, q.eta, q.low, q.high);
  CHECK(wrong_codes == 0);
  CHECK(wrong_values == 0);
}

}  // namespace

TEST_CASE("shift-log2 codes and values are those of the formula, and never fall", "[shift_log2]") {
  check_formula(ShiftLog2<2>{0.01f, -6.6f, 0.01f});
  check_formula(ShiftLog2<3>{0.001f, -9.9f, 0.0f});
  check_formula(ShiftLog2<4>{0.05f, -4.3f, 0.05f});
  check_formula(ShiftLog2<8>{0.02f, -5.6f, 0.03f});
  check_formula(ShiftLog2<4, LogSteps::published>{0.05f, -4.3f, 0.05f});
}

TEST_CASE("published steps make one code more than the bits hold", "[shift_log2]") {
  STATIC_REQUIRE(ShiftLog2<4, LogSteps::published>::last_code == 16);
  STATIC_REQUIRE(ShiftLog2<4, LogSteps::published>::bits == 5);
  STATIC_REQUIRE(ShiftLog2<4, LogSteps::published>::stated_bits == 4);
  STATIC_REQUIRE(ShiftLog2<4>::bits == 4);
}

TEST_CASE("shift-log2 fits the logarithms of the ends", "[shift_log2]") {
  const auto q = ShiftLog2<4>::fit({0, 1, 0});
  CHECK(q == ShiftLog2<4>{1.0f / 64, -6, simd::log2(1.0f + 1.0f / 64)});
  CHECK(q.encode(0.0f) == 0);
  CHECK(q.encode(1.0f) == 15);
  const auto shifted = ShiftLog2<4>::fit({-0.5f, 0.5f, 0});
  CHECK(shifted.eta == 0.5f + 1.0f / 64);
  CHECK(shifted.low == -6);
  // Nothing to divide: one level, and no NaN.
  const auto constant = ShiftLog2<4>::fit({0.25f, 0.25f, 0});
  CHECK(constant.encode(0.25f) == 0);
  CHECK(constant.encode(std::numeric_limits<float>::infinity()) == 15);
  CHECK(constant.decode(15) == constant.decode(0));
}

TEST_CASE("shift-log2 lowers to multiples of its smallest power of two", "[shift_log2]") {
  const ShiftLog2<4> narrow{0.25f, -2, 5}, wide{0.25f, -10, 4};
  CHECK(lower(narrow).plane_count == 1);
  CHECK(lower(narrow).unit == 0.25f);
  CHECK(lower(narrow).zero == 1);
  CHECK(lower(narrow).max_error == 0);
  CHECK(lower(wide).plane_count == 2);
  CHECK(lower(wide).max_error == 0);
  CHECK(lower(ShiftLog2<4>{0.25f, -30, 0}).max_error <= 0x1.00001p-16f);
}
