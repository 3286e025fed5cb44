#include "halfstep/quantizers/log_sqrt2.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "simd/sweep.hpp"
#include "support/catch.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

template <class Q>
std::int32_t expected_half_step(const Q& q, float x, double floor) {
  double ratio = static_cast<double>(x / q.scale);
  if (!(ratio > floor)) ratio = floor;
  if (ratio == 0) return Q::last_code;
  if (std::isinf(ratio)) return 0;
  const double code = std::nearbyint(-2 * std::log2(ratio));
  return static_cast<std::int32_t>(std::clamp(code, 0.0, static_cast<double>(Q::last_code)));
}

template <class Q>
void check_half_steps(double floor) {
  std::vector<float> xs = sweep_of_floats(20000);
  for (int quarter = -4 * 149; quarter <= 4 * 127; ++quarter) {
    const auto x = static_cast<float>(std::exp2(quarter / 4.0));
    xs.insert(xs.end(), {x, std::nextafter(x, 0.0f), std::nextafter(x, 3e38f)});
  }
  for (const float scale : {1.0f, 0.37f, 1e-20f}) {
    const Q q{scale};
    int wrong_codes = 0, wrong_values = 0;
    for (const float x : xs) wrong_codes += q.encode(x) == expected_half_step(q, x, floor) ? 0 : 1;
    for (int code = 0; code < Q::last_code; ++code) {
      const double value = std::exp2(-code / 2.0) * static_cast<double>(scale);
      // The square root of 2 and two products are rounded; deep values also to a subnormal.
      wrong_values +=
          std::fabs(static_cast<double>(q.decode(std::int32_t{code})) - value) <= 2e-7 * value + 0x1p-149 ? 0 : 1;
    }
    CAPTURE(scale);
    CHECK(wrong_codes == 0);
    CHECK(wrong_values == 0);
    CHECK(differences<simd::FloatBatch>([&](auto x) { return q.encode(x); }, xs) == 0);
  }
}

}  // namespace

TEST_CASE("log-sqrt2 codes and values are those of the formula", "[log_sqrt2]") {
  check_half_steps<LogSqrt2<2>>(0);
  check_half_steps<LogSqrt2<4>>(0);
  check_half_steps<LogSqrt2<4, ZeroPolicy::clamp>>(0);
  check_half_steps<LogSqrt2<6, ZeroPolicy::mask>>(0);
  check_half_steps<LogSqrt2<8>>(0);
  check_half_steps<LogSqrt2<8, ZeroPolicy::mask, LogFloor::published>>(static_cast<double>(published_log_floor));
}

TEST_CASE("even and odd codes of log-sqrt2 are two planes of powers of two", "[log_sqrt2]") {
  const Lowering lowering = lower(LogSqrt2<4, ZeroPolicy::clamp>{2.0f});
  REQUIRE(lowering.plane_count == 2);
  CHECK(lowering.unit == 2.0f / 128);
  CHECK(lowering.planes[0].weight == 1.0f);
  CHECK(lowering.planes[1].weight == 0.70710678f);
  for (std::size_t code = 0; code < 16; ++code) {
    const int power = 1 << (7 - code / 2);
    CHECK(lowering.planes[0].values[code] == (code % 2 == 0 ? power : 0));
    CHECK(lowering.planes[1].values[code] == (code % 2 == 0 ? 0 : power));
  }
  CHECK(lowering.max_error <= 2 * 0x1p-23f);  // the rounding of sqrt(2)
  CHECK(lower(LogSqrt2<6>{1}).max_error <= 0x1p-17f * 1.01f);
}
