#include "halfstep/kernels/shift_exp.hpp"

#include <cmath>
#include <cstdint>

#include "halfstep/kernels/reference_integer.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("shift exponentials of a lane and of a register are the reference's", "[shift_exp]") {
  for (const float scale : {0x1p-15f, 0.0005f, 0.013f, 0.05f, 0.11f, 0.33333334f, 0.7f, 1.0f, 3.0f}) {
    const hs::ShiftExp exp{hs::ShiftExp::root(scale), 15};
    const std::int32_t step = 1 - exp.lowest() / 5000;
    for (std::int32_t x = 0; x >= exp.lowest(); x -= step) {
      CAPTURE(scale, x);
      REQUIRE(exp(x) == hs::reference_shift_exp(x, exp.x0, 15));
      REQUIRE(hs::simd::all(exp(hs::simd::IntBatch(x)) == hs::simd::IntBatch(exp(x))));
    }
    CHECK(exp(exp.lowest()) == -exp.x0);  // 2^-15 of the largest, and everything below it
    CHECK(hs::reference_shift_exp(10 * std::int64_t{exp.lowest()}, exp.x0, 15) == -exp.x0);
  }
}

TEST_CASE("the root of a step is rounded as float quotients are", "[shift_exp]") {
  CHECK(hs::ShiftExp::root(0.05f) == -20);  // 1 / 0.05f is just below 20, and rounds to it
  CHECK(hs::ShiftExp::root(0.013f) == -77);
  CHECK(hs::ShiftExp::root(1.0f) == -1);
  CHECK(hs::ShiftExp::root(0x1p100f) == -1);
}

TEST_CASE("shift exponentials stay within their stated bounds", "[shift_exp]") {
  for (const float scale : {0.001f, 0.01f, 0.02f, 0.05f, 0.1f, 0.25f}) {
    const hs::ShiftExp exp{hs::ShiftExp::root(scale), 15};
    const auto s = static_cast<double>(scale), unit = std::fabs(static_cast<double>(exp.x0)) * 0x1p15;
    for (std::int32_t x = 0; static_cast<float>(x) * scale > -10.0f; --x) {
      const double t = -s * x, found = static_cast<double>(exp(x)) / unit, exact = std::exp(-t);
      // docs/numerics.md, section 7. Above: 1 + f / 2 for 2^f, 1.4375 for log2(e), both shifts, |x0| for 1 / scale.
      const double above = 1.0615 * std::exp2((1.44270 - 1.4375) * t + 0.9375 * s + 1.4375 * t * s);
      CAPTURE(scale, x, found, exact);
      CHECK(found <= exact * above + 0x1p-15);
      CHECK(found >= exact * std::exp2(-0.5 * s) - 1 / unit);
    }
  }
}
