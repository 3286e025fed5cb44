#include "halfstep/simd/tan.hpp"

#include "simd/oracle.hpp"

namespace simd = halfstep::simd;
using namespace halfstep_tests;

TEST_CASE("the tangent keeps to the relative error that it states up to pi / 2") {
  constexpr float half_pi = 0x1.921fb6p+0f;
  const auto tan = [](float x) { return simd::tan(x); };
  const auto oracle = [](double x) { return std::tan(x); };
  CHECK(greatest_error(floats_within(-half_pi, half_pi), tan, oracle, relative) <= 5e-7);
  CHECK(greatest_error(floats_within(1.5707f, half_pi, 2000), tan, oracle, relative) <= 5e-7);
  CHECK(greatest_error(floats_within(0.785f, 0.786f, 20000), tan, oracle, relative) <= 5e-7);
  CHECK(same(simd::tan(-0.0f), -0.0f));
  CHECK(simd::is_nan(simd::tan(std::numeric_limits<float>::quiet_NaN())));
  const auto xs = floats_within(-half_pi, half_pi);
  check_same_on_floats([](auto x) { return simd::tan(x); }, xs);
  CHECK(bit_hash(tan, -half_pi, half_pi) == 0xf03b8e98);
}
