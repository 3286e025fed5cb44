#include "halfstep/quantizers/log2.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "simd/sweep.hpp"
#include "support/catch.hpp"
#include "support/special_values.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// The formula in double, whose logarithm is nowhere near a tie: floats keep 3e-8 away from the square root of 2.
template <class Q>
std::int32_t expected_code(const Q& q, float x, double floor) {
  double ratio = static_cast<double>(x / q.scale);
  if (!(ratio > floor)) ratio = floor;
  if (ratio == 0) return Q::last_code;
  if (std::isinf(ratio)) return 0;
  const double code = std::nearbyint(-std::log2(ratio));
  return static_cast<std::int32_t>(std::clamp(code, 0.0, static_cast<double>(Q::last_code)));
}

template <class Q>
void check_against_formula(double floor) {
  std::vector<float> xs = sweep_of_floats(20000);
  for (int power = -149; power <= 127; ++power) {  // powers of two, and their middles in the logarithm
    for (const double at : {1.0, 1.4142135623730951}) {
      const auto x = static_cast<float>(std::ldexp(at, power));
      xs.insert(xs.end(), {x, std::nextafter(x, 0.0f), std::nextafter(x, infinity)});
    }
  }
  for (const float scale : {1.0f, 0.37f, 1.5f, 1e-20f, 1e20f}) {
    const Q q{scale};
    int wrong = 0;
    for (const float x : xs) wrong += q.encode(x) == expected_code(q, x, floor) ? 0 : 1;
    CAPTURE(scale);
    CHECK(wrong == 0);
    CHECK(differences<simd::FloatBatch>([&](auto x) { return q.encode(x); }, xs) == 0);
    CHECK(differences<simd::PortableFloat>([&](auto x) { return q.encode(x); }, xs) == 0);
  }
}

}  // namespace

TEST_CASE("log2 codes are those of the formula, for every width, zero policy and floor", "[log2]") {
  check_against_formula<Log2<2>>(0);
  check_against_formula<Log2<4>>(0);
  check_against_formula<Log2<6, ZeroPolicy::clamp>>(0);
  check_against_formula<Log2<6, ZeroPolicy::mask>>(0);
  check_against_formula<Log2<7>>(0);
  check_against_formula<Log2<8>>(0);
  check_against_formula<Log2<8, ZeroPolicy::mask>>(0);
  check_against_formula<Log2<4, ZeroPolicy::mask, LogFloor::published>>(static_cast<double>(published_log_floor));
  check_against_formula<Log2<8, ZeroPolicy::mask, LogFloor::published>>(static_cast<double>(published_log_floor));
}

TEST_CASE("a zero policy says what the last code stands for", "[log2]") {
  CHECK(Log2<3>{8}.decode(6) == 0.125f);
  CHECK(Log2<3>{8}.decode(7) == 0);
  CHECK(Log2<3, ZeroPolicy::clamp>{8}.decode(7) == 0.0625f);
  CHECK(Log2<3, ZeroPolicy::mask>{8}.decode(7) == 0.0625f);
  CHECK(Log2<3, ZeroPolicy::mask>{8}.decode(8) == 0);
  CHECK(Log2<3>{}.encode(-1.0f) == 7);
  CHECK(Log2<3>{}.encode(0.0f) == 7);
  CHECK(Log2<3, ZeroPolicy::mask>{}.encode(0.0f) == 8);
  // A masked zero is one output more than the bits say: the code takes another bit, and says so.
  STATIC_REQUIRE(Log2<3, ZeroPolicy::mask>::bits == 4);
  STATIC_REQUIRE(Log2<3, ZeroPolicy::mask>::stated_bits == 3);
  STATIC_REQUIRE(ScalarQuantizer<Log2<7, ZeroPolicy::mask>>);
  STATIC_REQUIRE_FALSE(ScalarQuantizer<Log2<8, ZeroPolicy::mask>>);
}

TEST_CASE("log2 of up to 4 bits lowers exactly, more within 2^-16 of the scale", "[log2]") {
  CHECK(lower(Log2<3>{0.7f}).plane_count == 1);
  CHECK(lower(Log2<3>{0.7f}).max_error == 0);
  CHECK(lower(Log2<3, ZeroPolicy::clamp>{0.7f}).plane_count == 1);
  CHECK(lower(Log2<4>{0.7f}).max_error == 0);
  CHECK(lower(Log2<4, ZeroPolicy::clamp>{0.7f}).max_error == 0);
  CHECK(lower(Log2<4, ZeroPolicy::mask>{0.7f}).max_error == 0);
  CHECK(lower(Log2<8>{1}).max_error <= 0x1.000002p-16f);
  CHECK(lower(Log2<8>{1}).max_error > 0);
}

TEST_CASE("planes of log2 are the same for all scales", "[log2]") {
  for (const float scale : {0.37f, 1e-30f, 1.17549435e-38f, 3e38f}) {
    CHECK(lower(Log2<4>{scale}).planes == lower(Log2<4>{}).planes);
    CHECK(lower(Log2<6>{scale}).planes == lower(Log2<6>{}).planes);
  }
}
