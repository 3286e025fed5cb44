#include "halfstep/simd/polynomial.hpp"

#include "simd/sweep.hpp"

namespace simd = halfstep::simd;
using namespace halfstep_tests;

TEST_CASE("a polynomial is summed from its highest coefficient down, each product rounded") {
  static_assert(simd::polynomial(2.0f, 1.0f, 3.0f, 5.0f) == 27.0f);
  CHECK(simd::polynomial(4.0f, 7.0f) == 7.0f);
  const auto xs = sweep_of_floats();
  check_same_on_floats([](auto x) { return simd::polynomial(x, 0.1f, 0.3f, -0.7f, 1.1f); }, xs);
  int wrong = 0;
  for (float x : xs) {
    volatile float y = 0.3f;  // each step through memory, where nothing can be fused
    y = y * x;
    y = y + 0.1f;
    wrong += !same(simd::polynomial(x, 0.1f, 0.3f), y);
  }
  CHECK(wrong == 0);
}
