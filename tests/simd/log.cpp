#include "halfstep/simd/log.hpp"

#include "simd/oracle.hpp"
#include "support/special_values.hpp"

namespace simd = halfstep::simd;
using namespace halfstep_tests;

TEST_CASE("the logarithm keeps to the relative error that it states, near 1 and for subnormals too") {
  const auto log2 = [](float x) { return simd::log2(x); };
  const auto oracle = [](double x) { return std::log2(x); };
  CHECK(greatest_error(floats_within(0x1p-149f, 3.4e38f), log2, oracle, relative) <= 4e-7);
  CHECK(greatest_error(floats_within(0.5f, 2.0f), log2, oracle, relative) <= 4e-7);
  CHECK(greatest_error(floats_within(0.9999f, 1.0001f), log2, oracle, relative) <= 4e-7);
  CHECK(greatest_error(floats_within(0x1p-149f, 0x1p-126f), log2, oracle, relative) <= 4e-7);
}

TEST_CASE("the logarithm is exact at powers of two and sane elsewhere") {
  for (int k = -149; k <= 127; ++k) CHECK(simd::log2(static_cast<float>(std::ldexp(1.0, k))) == static_cast<float>(k));
  CHECK(simd::log2(0.0f) == -infinity);
  CHECK(simd::log2(-0.0f) == -infinity);
  CHECK(simd::log2(infinity) == infinity);
  for (float x : {-1.0f, -0x1p-149f, -infinity, not_a_number, -not_a_number}) CHECK(simd::is_nan(simd::log2(x)));
}

TEST_CASE("the logarithm of a batch has the bits of that of a float, here and on every machine") {
  auto xs = sweep_of_floats();
  for (float x : floats_within(0, 4)) xs.push_back(x);
  check_same_on_floats([](auto x) { return simd::log2(x); }, xs);
  CHECK(bit_hash([](float x) { return simd::log2(x); }, 0x1p-149f, 3e38f) == 0x0dc9f22e);
}
