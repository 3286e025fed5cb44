#include "halfstep/simd/pinned.hpp"

#include "halfstep/simd/math.hpp"
#include "support/catch.hpp"

namespace simd = halfstep::simd;

TEST_CASE("pinned hides a product from the sum that follows") {
  // (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24, whose last term a rounded product loses and a fused multiply-add keeps.
  const float a = 1.0f + 0x1p-12f;
  volatile float opaque = a;
  const float x = opaque;
  CHECK(simd::pinned(x * x) - (1.0f + 0x1p-11f) == 0.0f);
  const simd::FloatBatch batch(x);
  CHECK(simd::all(simd::pinned(batch * batch) - (1.0f + 0x1p-11f) == 0.0f));
  CHECK(simd::pinned(double{x} * 3.0) == double{x} * 3.0);
  static_assert(simd::pinned(2.0f) * 2.0f == 4.0f);
}
