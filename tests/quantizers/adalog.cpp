#include "halfstep/quantizers/adalog.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "support/catch.hpp"

using namespace halfstep;

namespace {

/// The real number that is rounded to the code, in double; the last code where there is none.
template <class Q>
double exact_steps(const Q& q, float x) {
  const double u = (static_cast<double>(x) + static_cast<double>(q.shift)) / static_cast<double>(q.scale);
  if (!(u > 0)) return Q::last_code;
  return std::clamp(-std::log2(std::fmin(u, 1.0)) * adalog_root / q.q, 0.0, static_cast<double>(Q::last_code));
}

/// The table form in double.
template <int Bits>
double exact_value(const AdaLog<Bits>& q, int code) {
  const double denominator = std::ldexp(2.0, Bits) - 2;
  const double mantissa = std::nearbyint(std::exp2(-((code * q.q) % 37) / 37.0) * denominator);
  const double level = code == q.last_code ? 0.0 : std::ldexp(mantissa / denominator, -(code * q.q / 37));
  return level * static_cast<double>(q.scale) - static_cast<double>(q.shift);
}

template <int Bits>
void check_formula() {
  std::mt19937 generator(7);
  std::uniform_real_distribution<float> exponent(-20, 0.5f);
  for (const std::int32_t base : {10, 17, 37, 74, 137, 1000}) {
    for (const float shift : {0.0f, gelu_shift}) {
      const AdaLog<Bits> q{1.7f, shift, base};
      CAPTURE(Bits, base, shift);
      int wrong_codes = 0, wrong_values = 0;
      for (int i = 0; i < 5000; ++i) {
        const float x = std::exp2(exponent(generator)) * q.scale - shift;
        // x + shift is rounded, which moves a small sum; the logarithm, two products and a quotient are rounded.
        const double sum = static_cast<double>(x) + static_cast<double>(shift);
        const double slack = 6e-7 * (30 + 1.5 * std::fabs(static_cast<double>(x)) / std::fmax(sum, 1e-9)) * 37 / base;
        wrong_codes += std::fabs(q.encode(x) - exact_steps(q, x)) <= 0.5 + slack ? 0 : 1;
      }
      for (int code = 0; code <= q.last_code; ++code) {
        const double value = exact_value(q, code);
        const double rounding = 3e-7 * (std::fabs(value) + 2 * static_cast<double>(shift)) + 1e-44;
        wrong_values += std::fabs(static_cast<double>(q.decode(std::int32_t{code})) - value) <= rounding ? 0 : 1;
      }
      CHECK(wrong_codes == 0);
      CHECK(wrong_values == 0);
    }
  }
}

}  // namespace

TEST_CASE("AdaLog codes and values are those of the formula", "[adalog]") {
  check_formula<2>();
  check_formula<3>();
  check_formula<4>();
  check_formula<6>();
  check_formula<8>();
}

TEST_CASE("the mantissas of AdaLog are 2^(-j / 37) rounded", "[adalog]") {
  for (const int denominator : {6, 14, 30, 62, 126, 254, 510}) {
    const auto mantissas = adalog_mantissas(denominator);
    for (int j = 0; j < 37; ++j) {
      CHECK(mantissas[static_cast<std::size_t>(j)] == std::nearbyint(std::exp2(-j / 37.0) * denominator));
    }
  }
}

TEST_CASE("AdaLog never gives a larger value a smaller level", "[adalog]") {
  for (const std::int32_t base : {10, 37, 100}) {
    const AdaLog<6> q{1, gelu_shift, base};
    std::int32_t before = q.last_code;
    for (int i = -3000; i <= 12000; ++i) {
      const std::int32_t code = q.encode(static_cast<float>(i) * 1e-4f);
      REQUIRE(code <= before);
      before = code;
    }
    CHECK(before == 0);
  }
}

TEST_CASE("what has no logarithm gets the last code of AdaLog, or the floor's", "[adalog]") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  const AdaLog<8> q{1, 0, 37};
  CHECK(q.encode(0.0f) == 255);
  CHECK(q.encode(-0.1f) == 255);
  CHECK(q.encode(-infinity) == 255);
  CHECK(q.encode(nan) == 255);
  CHECK(q.encode(infinity) == 0);
  CHECK(q.decode(255) == 0);
  const AdaLog<8, ZeroPolicy::mask, LogFloor::published> published{1, 0, 37};
  CHECK(published.encode(0.0f) == 50);  // rne(-log2(1e-15))
  CHECK(published.encode(nan) == 50);
}
