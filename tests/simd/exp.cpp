#include "halfstep/simd/exp.hpp"

#include "simd/oracle.hpp"
#include "support/special_values.hpp"

namespace simd = halfstep::simd;
using namespace halfstep_tests;

TEST_CASE("exponentials keep to the relative error that they state") {
  const auto exp2 = [](float x) { return simd::exp2(x); };
  const auto exp = [](float x) { return simd::exp(x); };
  const auto oracle2 = [](double x) { return std::exp2(x); };
  const auto oracle = [](double x) { return std::exp(x); };
  CHECK(greatest_error(floats_within(-126, 128), exp2, oracle2, relative) <= 4e-7);
  CHECK(greatest_error(floats_within(-87.0f, 89.0f), exp, oracle, relative) <= 4e-7);
  CHECK(greatest_error(floats_within(-1, 1), exp2, oracle2, relative) <= 4e-7);
  CHECK(greatest_error(floats_within(-1, 1), exp, oracle, relative) <= 4e-7);
  // Subnormal results: a rounding to a multiple of 2^-149 on top.
  const auto least = [](double, double) { return 0x1p-149; };
  CHECK(greatest_error(floats_within(-160, -126), exp2, oracle2, least) <= 1.0);
  CHECK(greatest_error(floats_within(-110, -87.4f), exp, oracle, least) <= 1.0);
}

TEST_CASE("exponentials are exact at integers and sane at the ends") {
  for (int k = -160; k <= 130; ++k) {
    CHECK(same(simd::exp2(static_cast<float>(k)), static_cast<float>(std::ldexp(1.0, k))));
  }
  CHECK(simd::exp(0.0f) == 1.0f);
  CHECK(simd::exp(-0.0f) == 1.0f);
  CHECK(simd::exp2(infinity) == infinity);
  CHECK(simd::exp(infinity) == infinity);
  CHECK(simd::exp(89.0f) == infinity);
  CHECK(simd::exp2(3e38f) == infinity);
  CHECK(simd::exp2(-infinity) == 0.0f);
  CHECK(simd::exp(-infinity) == 0.0f);
  CHECK(simd::exp(-3e38f) == 0.0f);
  CHECK(simd::is_nan(simd::exp2(not_a_number)));
  CHECK(simd::is_nan(simd::exp(-not_a_number)));
}

TEST_CASE("exponentials of a batch have the bits of those of a float") {
  auto xs = sweep_of_floats();
  for (float x : floats_within(-151, 130)) xs.push_back(x);
  check_same_on_floats([](auto x) { return simd::exp2(x); }, xs);
  check_same_on_floats([](auto x) { return simd::exp(x); }, xs);
  // A sum that follows does not fuse with the last product.
  check_same_on_floats([](auto x) { return simd::exp(x) + 0.7f; }, xs);
}

TEST_CASE("exponentials have the same bits on every machine") {
  CHECK(bit_hash([](float x) { return simd::exp2(x); }, -160, 140) == 0x81d69741);
  CHECK(bit_hash([](float x) { return simd::exp(x); }, -110, 95) == 0xd1e90ac1);
}
