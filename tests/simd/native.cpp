#include "halfstep/simd/native.hpp"

#include "simd/sweep.hpp"

namespace simd = halfstep::simd;
using namespace halfstep_tests;

TEST_CASE("operators of float batches give the bits of those of a float") {
  const auto xs = sweep_of_floats();
  check_same_on_floats([](auto x) { return x / 0.3f; }, xs);
  check_same_on_floats([](auto x) { return 7.0f / x; }, xs);
  check_same_on_floats([](auto x) { return x * x; }, xs);
  check_same_on_floats([](auto x) { return -x; }, xs);
  check_same_on_floats([](auto x) { return simd::pinned(x * 0.1f) - 0.3f; }, xs);
  check_same_on_floats([](auto x) { return -(simd::pinned(x * 3.0f) - 1e-3f); }, xs);
  check_same_on_floats([](auto x) { return (x >= 1.0f) & (x <= 3.0f); }, xs);
  check_same_on_floats([](auto x) { return (x == 1.0f) | (x != x) | (x > 100.0f); }, xs);
  check_same_on_floats([](auto x) { return (x < 1.0f) ^ !(2.0f < x); }, xs);
  const auto updated = [](auto x) {
    auto y = x;
    y += 1.0f;
    y *= x;
    y = simd::pinned(y);
    y -= 2.0f;
    y /= x;
    return y;
  };
  check_same_on_floats(updated, xs);
}

TEST_CASE("operators of integer batches wrap and shift as those of an int32") {
  std::vector<std::int32_t> ks;
  for (float x : sweep_of_floats()) ks.push_back(std::bit_cast<std::int32_t>(x));
  check_same_on_ints([](auto k) { return -k | 1; }, std::vector<std::int32_t>{0, 1, -1, 5, 1 << 30});
  check_same_on_ints([](auto k) { return k >> 5; }, ks);
  check_same_on_ints([](auto k) { return (k & 0xffff) << 3; }, ks);
  check_same_on_ints([](auto k) { return k >> (k & 31); }, ks);
  check_same_on_ints([](auto k) { return (k & 1) << (k & 31); }, ks);
  check_same_on_ints([](auto k) { return ((k & 0x3fff) * (k & 0xff) - 3 + (k & 3)) ^ ~(k | 9); }, ks);
  check_same_on_ints([](auto k) { return (k == 3) | (k != 4) | (k < 7); }, ks);
  const auto updated = [](auto k) {
    auto j = k;
    j &= 0xfffff;
    j += 7;
    j *= 3;
    j -= 100;
    j |= 1;
    j ^= 0x55;
    return j;
  };
  check_same_on_ints(updated, ks);
}

TEST_CASE("sums of integer batches wrap around") {
  const auto greatest = std::numeric_limits<std::int32_t>::max();
  CHECK(lanes(simd::IntBatch(greatest) + 1)[0] == std::numeric_limits<std::int32_t>::min());
  CHECK(lanes(simd::PortableInt(greatest) + 1)[0] == std::numeric_limits<std::int32_t>::min());
}

TEMPLATE_TEST_CASE("masks of one truth value", "", simd::FloatMask, simd::IntMask, simd::PortableMask) {
  for (bool p : {false, true}) {
    for (bool q : {false, true}) {
      for (std::size_t i = 0; i < TestType::size; ++i) {
        REQUIRE(lanes(TestType(p) & TestType(q))[i] == (p && q));
        REQUIRE(lanes(TestType(p) | TestType(q))[i] == (p || q));
        REQUIRE(lanes(TestType(p) ^ TestType(q))[i] == (p != q));
        REQUIRE(lanes(!TestType(p))[i] == !p);
      }
    }
  }
}
