#include "halfstep/simd/bits.hpp"

#include "simd/sweep.hpp"

namespace simd = halfstep::simd;
using namespace halfstep_tests;

TEST_CASE("exponent and mantissa take a float apart exactly") {
  int wrong = 0;
  for (float x : sweep_of_floats()) {
    if (!simd::is_finite(x) || x == 0.0f) continue;
    int e = 0;
    const double m = std::frexp(std::abs(static_cast<double>(x)), &e);  // in [1/2, 1)
    wrong += simd::exponent(x) != e - 1;
    wrong += static_cast<double>(simd::mantissa(x)) != 2 * m;
  }
  CHECK(wrong == 0);
  constexpr float inf = std::numeric_limits<float>::infinity();
  CHECK(simd::exponent(0.0f) == -150);
  CHECK(simd::exponent(-0.0f) == -150);
  CHECK(simd::exponent(0x1p-149f) == -149);
  CHECK(simd::exponent(inf) == 128);
  CHECK(simd::exponent(std::numeric_limits<float>::quiet_NaN()) == 128);
  CHECK(simd::mantissa(0.0f) == 1.0f);
  CHECK(simd::mantissa(inf) == 1.0f);
  const auto xs = sweep_of_floats();
  check_same_on_floats([](auto x) { return simd::exponent(x); }, xs);
  check_same_on_floats([](auto x) { return simd::mantissa(x); }, xs);
}

TEST_CASE("powers of two are exact over the whole range") {
  std::vector<std::int32_t> ks;
  for (int k = -400; k <= 400; ++k) ks.push_back(k);
  for (std::int32_t k : ks) CHECK(same(simd::exp2_int(k), static_cast<float>(std::ldexp(1.0, k))));
  ks.insert(ks.end(), {std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()});
  check_same_on_ints([](auto k) { return simd::exp2_int(k); }, ks);
  for (std::int32_t k = -126; k <= 127; ++k) CHECK(same(simd::power_of_two(k), static_cast<float>(std::ldexp(1.0, k))));
}

TEST_CASE("scaling by a power of two rounds once") {
  int wrong = 0;
  for (float x : sweep_of_floats(2000)) {
    if (x != x) continue;
    for (int k : {-126, -100, -3, 0, 5, 127}) {
      wrong += !same(simd::scale_by_power(x, k), static_cast<float>(std::ldexp(static_cast<double>(x), k)));
    }
  }
  CHECK(wrong == 0);
  check_same_on_floats([](auto x) { return simd::scale_by_power(x, -100); }, sweep_of_floats());
}

TEST_CASE("copy_sign takes the sign alone") {
  for (float x : sweep_of_floats(2000)) {
    REQUIRE(same(simd::copy_sign(x, -0.0f), std::copysign(x, -1.0f)));
    REQUIRE(same(simd::copy_sign(1.5f, x), std::copysign(1.5f, x)));
  }
  check_same_on_floats([](auto x) { return simd::copy_sign(x, -2.0f); }, sweep_of_floats());
}
