#include "halfstep/quantizers/tanq.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "support/catch.hpp"

using namespace halfstep;

namespace {

template <int Bits>
double tangent(const TanQ<Bits>& q, double u) {
  return std::tan(static_cast<double>(q.alpha) * (u - static_cast<double>(q.center)));
}

template <int Bits>
void check_formula(const TanQ<Bits>& q) {
  const double low = tangent(q, 0), span = tangent(q, 1) - low, scale = static_cast<double>(q.scale);
  int wrong_codes = 0, wrong_values = 0;
  std::int32_t before = 0;
  for (int i = -100; i <= 8300; ++i) {
    const float x = static_cast<float>(i) / 8192 * q.scale;
    const double u = std::clamp(static_cast<double>(x) / scale, 0.0, 1.0);
    const double steps = (tangent(q, u) - low) / span * q.max_code;
    const std::int32_t code = q.encode(x);
    // The tangent's error of 5e-7 at three places, and that of alpha (u - center), which its slope magnifies.
    const double slope = 1 + std::pow(std::fmax(std::fabs(low), std::fabs(low + span)), 2);
    wrong_codes += std::fabs(code - steps) <= 0.5 + (2e-6 + 3e-7 * slope / span) * q.max_code ? 0 : 1;
    REQUIRE(code >= before);
    before = code;
  }
  for (int code = 0; code <= q.max_code; ++code) {
    const double level =
        static_cast<double>(q.center) + std::atan(low + code * span / q.max_code) / static_cast<double>(q.alpha);
    wrong_values +=
        std::fabs(static_cast<double>(q.decode(std::int32_t{code})) - level * scale) <= 2e-6 * scale ? 0 : 1;
  }
  CAPTURE(Bits, q.scale, q.alpha, q.center);
  CHECK(wrong_codes == 0);
  CHECK(wrong_values == 0);
  CHECK(q.decode(0) == 0);
  CHECK(q.decode(q.max_code) == q.scale);
}

}  // namespace

TEST_CASE("TanQ codes and values are those of the formula, and never fall", "[tanq]") {
  for (const float scale : {1.0f, 0.37f, 1e-20f}) {
    check_formula(TanQ<2>{scale, 2, 0.5f});
    check_formula(TanQ<3>{scale, 3, 0.5f});
    check_formula(TanQ<4>{scale, 0.5f, 0.5f});
    check_formula(TanQ<6>{scale, 1.5f, 0});
    check_formula(TanQ<8>{scale, 1.75f, 0.2f});
  }
}

TEST_CASE("TanQ clips to its ends", "[tanq]") {
  const TanQ<4> q{0.5f, 2, 0.5f};
  CHECK(q.encode(-1.0f) == 0);
  CHECK(q.encode(2.0f) == 15);
  CHECK(q.encode(std::numeric_limits<float>::infinity()) == 15);
  CHECK(q.encode(std::numeric_limits<float>::quiet_NaN()) == 0);
  CHECK(TanQ<4>::fit({-1, 0.75f, 0}) == TanQ<4>{0.75f, 2, 0.5f});
  CHECK(TanQ<4>::fit({0, 0, 0}).scale == 1);
}
