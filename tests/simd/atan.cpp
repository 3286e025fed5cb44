#include "halfstep/simd/atan.hpp"

#include "simd/oracle.hpp"

namespace simd = halfstep::simd;
using namespace halfstep_tests;

TEST_CASE("the arc tangent keeps to the relative error that it states") {
  const auto atan = [](float x) { return simd::atan(x); };
  const auto oracle = [](double x) { return std::atan(x); };
  CHECK(greatest_error(floats_within(-20.0f, 20.0f), atan, oracle, relative) <= 3e-7);
  CHECK(greatest_error(floats_within(0.41f, 0.42f, 20000), atan, oracle, relative) <= 3e-7);
  CHECK(greatest_error(floats_within(2.41f, 2.42f, 20000), atan, oracle, relative) <= 3e-7);
  CHECK(greatest_error(floats_within(1e5f, 1e30f, 2000), atan, oracle, relative) <= 3e-7);
  CHECK(same(simd::atan(-0.0f), -0.0f));
  CHECK(simd::atan(std::numeric_limits<float>::infinity()) == 0x1.921fb6p+0f);
  CHECK(simd::atan(-std::numeric_limits<float>::infinity()) == -0x1.921fb6p+0f);
  CHECK(simd::is_nan(simd::atan(std::numeric_limits<float>::quiet_NaN())));
  check_same_on_floats([](auto x) { return simd::atan(x); }, floats_within(-20.0f, 20.0f));
}
