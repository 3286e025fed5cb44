#include "halfstep/quantizers/mx_float.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "simd/sweep.hpp"
#include "support/catch.hpp"
#include "support/special_values.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// The exponent of a block's scale by the rule's formula, in double and with the library's logarithm replaced by frexp.
template <class Element>
int expected_exponent(ExponentRule rule, float amax) {
  const auto floor_log2 = [](double x) { return x > 0 ? std::ilogb(x) : -1000; };
  const auto ceil_log2 = [&](double x) { return floor_log2(x) + (x > std::ldexp(1.0, floor_log2(x)) ? 1 : 0); };
  const int emax = std::ilogb(Element::largest_value);
  int e = 0;
  if (rule == ExponentRule::floor) e = floor_log2(static_cast<double>(amax)) - emax;
  if (rule == ExponentRule::ceil) e = ceil_log2(static_cast<double>(amax)) - emax;
  if (rule == ExponentRule::rceil) e = ceil_log2(static_cast<double>(amax * (1 / Element::largest_value)));
  if (rule == ExponentRule::even) {
    const int power = floor_log2(static_cast<double>(amax));
    const double mantissa = std::ldexp(static_cast<double>(amax), -power);  // 1 <= mantissa < 2
    const bool rounds_up = mantissa >= 2 - std::ldexp(1.0, -Element::mantissa_bits - 1);
    e = power + (rounds_up ? 1 : 0) - emax;
  }
  return std::clamp(e, -127, 127 - emax);
}

template <class Element, ExponentRule Rule>
void check_rule() {
  int wrong = 0;
  for (float x : sweep_of_floats(3000)) {
    if (!std::isfinite(x)) continue;
    x = std::fabs(x);
    const auto q = MxFloat<Element, Rule>::fit({-x, x / 2, 0});
    wrong += static_cast<double>(q.scale) == std::ldexp(1.0, expected_exponent<Element>(Rule, x)) ? 0 : 1;
    wrong += std::isfinite(q.decode(Element::largest_code)) ? 0 : 1;
    // Only `floor`, and `even` in part, clip; the others never do where the scale may be as large as it should.
    if ((Rule == ExponentRule::ceil || Rule == ExponentRule::rceil) && x < 0x1p120f) {
      wrong += static_cast<double>(x) > 1.0000002 * static_cast<double>(q.decode(Element::largest_code)) &&
                       Rule == ExponentRule::rceil
                   ? 1
                   : 0;
    }
  }
  CHECK(wrong == 0);
}

template <class Element>
void check_rules() {
  check_rule<Element, ExponentRule::floor>();
  check_rule<Element, ExponentRule::even>();
  check_rule<Element, ExponentRule::ceil>();
  check_rule<Element, ExponentRule::rceil>();
}

}  // namespace

TEST_CASE("scales are the powers of two that the rules give", "[mx_float]") {
  check_rules<Fp4E2M1>();
  check_rules<Fp6E2M3>();
  check_rules<Fp6E3M2>();
  check_rules<Fp8E4M3>();
  check_rules<Fp8E5M2>();
}

TEST_CASE("a block of zeros has the least scale, and zeros", "[mx_float]") {
  const auto q = MXFP4::fit({0, 0, 0});
  CHECK(q.scale == 0x1p-127f);
  CHECK(q.encode(0.0f) == 0);
  CHECK(q.decode(0) == 0);
  CHECK(MXFP4::fit({-largest_float, 0, 0}).scale == 0x1p125f);
}

TEST_CASE("planes are the same for every block, down to the least scale", "[mx_float]") {
  for (const float scale : {1.0f, 0x1p-127f, 0x1p-60f, 0x1p100f}) {
    CHECK(lower(MXFP4{scale}).planes == lower(MXFP4{}).planes);
    CHECK(lower(MXFP4{scale}).max_error == 0);
    CHECK(lower(MXFP6E3M2{scale}).plane_count == 2);
    CHECK(lower(MXFP6E3M2{scale}).planes == lower(MXFP6E3M2{}).planes);
    CHECK(lower(MXFP6E3M2{scale}).max_error == 0);
    CHECK(lower(MXFP8E4M3{scale}).planes == lower(MXFP8E4M3{}).planes);
  }
  // What FP8 loses as two bytes of fixed point: half of the span over 65534, whose rounding to float counts 32767
  // times.
  CHECK(lower(MXFP8E4M3{1}).max_error <= 448 / 65534.0f * (1 + 0x1p-8f));
  CHECK(lower(MXFP8E5M2{1}).max_error <= 57344 / 65534.0f * (1 + 0x1p-8f));
}
