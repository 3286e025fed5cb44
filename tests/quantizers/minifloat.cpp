#include "halfstep/quantizers/minifloat.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "halfstep/core/float8.hpp"
#include "simd/sweep.hpp"
#include "support/catch.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// The magnitudes by their definition.
template <int E, int M>
std::vector<double> magnitudes(int count) {
  std::vector<double> values;
  for (int code = 0; code < count; ++code) {
    const int e = code >> M, m = code & ((1 << M) - 1);
    const double significand = (e > 0 ? 1.0 : 0.0) + std::ldexp(m, -M);
    values.push_back(std::ldexp(significand, (e > 0 ? e : 1) - ((1 << (E - 1)) - 1)));
  }
  return values;
}

/// The code of the nearest magnitude; of two, the one of even significand, which is the larger where the format has no
/// mantissa bits. In double, of the float quotient.
template <int M>
std::int32_t nearest(const std::vector<double>& values, float quotient, int sign_bit) {
  if (std::isnan(quotient)) return 0;
  const double x = std::fabs(static_cast<double>(quotient));
  std::size_t best = values.size() - 1;
  for (std::size_t i = 0; i + 1 < values.size(); ++i) {
    const double middle = (values[i] + values[i + 1]) / 2;
    if (x < middle || (x == middle && (M > 0 ? i % 2 == 0 : i == 0))) {
      best = i;
      break;
    }
  }
  return static_cast<std::int32_t>(best) + (std::signbit(quotient) ? 1 << sign_bit : 0);
}

template <int E, int M, TopCodes Top = TopCodes::finite>
void check_format() {
  using Q = Float<E, M, Top>;
  CAPTURE(E, M);
  const std::vector<double> values = magnitudes<E, M>(Q::largest_code + 1);
  CHECK(static_cast<double>(Q::largest_value) == values.back());
  std::vector<float> xs = sweep_of_floats(20000);
  for (std::size_t i = 0; i + 1 < values.size(); ++i) {
    const auto middle = static_cast<float>((values[i] + values[i + 1]) / 2);
    for (const float x :
         {middle, std::nextafter(middle, 0.0f), std::nextafter(middle, 1e9f), static_cast<float>(values[i])}) {
      xs.insert(xs.end(), {x, -x});
    }
  }
  for (const float scale : {1.0f, 0.37f, 1e-30f, 3e30f}) {
    const Q q{scale};
    int wrong_codes = 0, wrong_values = 0;
    for (const float x : xs) wrong_codes += q.encode(x) == nearest<M>(values, x / scale, E + M) ? 0 : 1;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto value = static_cast<float>(values[i] * static_cast<double>(scale));
      const auto code = static_cast<std::int32_t>(i);
      wrong_values += q.decode(code) == value && q.decode(code + (1 << (E + M))) == -value ? 0 : 1;
    }
    CAPTURE(scale);
    CHECK(wrong_codes == 0);
    CHECK(wrong_values == 0);
  }
}

}  // namespace

TEST_CASE("minifloat codes are the nearest ones, ties to even, and values those of the format", "[minifloat]") {
  check_format<2, 1>();
  check_format<1, 2>();
  check_format<3, 0>();
  check_format<1, 1>();
  check_format<2, 2>();
  check_format<3, 2>();
  check_format<2, 3>();
  check_format<4, 3>();
  check_format<5, 2>();
  check_format<4, 3, TopCodes::reserved>();
  check_format<5, 2, TopCodes::reserved>();
}

TEST_CASE("FP8 codes have the values that files give them", "[minifloat]") {
  for (int code = 0; code < 256; ++code) {
    const auto byte = static_cast<std::uint8_t>(code);
    if (std::isfinite(decode_e4m3(byte))) CHECK(Fp8E4M3{}.decode(std::int32_t{code}) == decode_e4m3(byte));
    if (std::isfinite(decode_e5m2(byte))) CHECK(Fp8E5M2{}.decode(std::int32_t{code}) == decode_e5m2(byte));
  }
  CHECK(Fp8E4M3{}.decode(0x7f) == 448);
  CHECK(Fp8E4M3{}.encode(1e9f) == 0x7e);
  CHECK(Fp8E5M2{}.encode(-std::numeric_limits<float>::infinity()) == 0xfb);
}

TEST_CASE("negative values that round to zero keep their sign", "[minifloat]") {
  CHECK(Fp4E2M1{}.encode(-0.0f) == 8);
  CHECK(Fp4E2M1{}.encode(-0.1f) == 8);
  CHECK(Fp4E2M1{}.encode(0.1f) == 0);
  CHECK(Fp4E2M1{}.encode(-std::numeric_limits<float>::quiet_NaN()) == 0);
}

TEST_CASE("a real exponent bias is a scale", "[minifloat]") {
  CHECK(Fp4E2M1::with_exponent_bias(1).scale == 1);  // OCP FP4
  CHECK(Fp4E2M1::with_exponent_bias(3).scale == 0.25f);
  for (const float bias : {-3.7f, 0.0f, 0.3f, 12.25f}) {
    const auto q = Fp6E3M2::with_exponent_bias(bias);
    CHECK(static_cast<double>(q.exponent_bias()) == Approx(static_cast<double>(bias)).margin(1e-6));
    const double largest = (2 - 0.25) * std::exp2(8.0 - 1 - static_cast<double>(bias));
    CHECK(static_cast<double>(q.decode(31)) == Approx(largest).epsilon(1e-6));
  }
}

TEST_CASE("FP4 and FP6 lower exactly, in one plane but for E3M2; FP8 within a table's error", "[minifloat]") {
  CHECK(lower(Fp4E2M1{0.7f}).plane_count == 1);
  CHECK(lower(Fp4E1M2{0.7f}).plane_count == 1);
  CHECK(lower(Fp4E3M0{0.7f}).plane_count == 1);
  CHECK(lower(Fp6E2M3{0.7f}).plane_count == 1);
  CHECK(lower(Fp6E3M2{0.7f}).plane_count == 2);
  CHECK(lower(Fp4E2M1{0.7f}).max_error == 0);
  CHECK(lower(Fp4E1M2{0.7f}).max_error == 0);
  CHECK(lower(Fp4E3M0{0.7f}).max_error == 0);
  CHECK(lower(Fp6E2M3{0.7f}).max_error == 0);
  CHECK(lower(Fp6E3M2{0.7f}).max_error == 0);
  CHECK(lower(Fp4E2M1{2}).planes[0].values[7] == 12);  // twice 6
  CHECK(lower(Fp8E4M3{1}).max_error <= 2 * 448.0f / 65534 * 0.51f);
}
