#include "halfstep/simd/dot.hpp"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "simd/routes.hpp"

namespace simd = halfstep::simd;
using namespace halfstep_tests;

namespace {

constexpr std::uint32_t seed = 7;

template <class A>
std::int64_t oracle(const A* a, const std::int8_t* b, std::size_t n) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += std::int64_t{a[i]} * b[i];
  return sum;
}

/// 0, 1, all sizes around one and four registers of any route, and primes up to 300.
std::vector<std::size_t> sizes() {
  std::vector<std::size_t> n = {0, 1, 2, 3};
  for (std::size_t edge : {4u, 8u, 16u, 32u, 64u, 128u, 256u}) n.insert(n.end(), {edge - 1, edge, edge + 1});
  for (std::size_t p = 5; p < 300; ++p) {
    bool prime = true;
    for (std::size_t d = 2; d * d <= p; ++d) prime = prime && p % d != 0;
    if (prime) n.push_back(p);
  }
  return n;
}

/// Fills `n` bytes: random ones, or one value throughout.
template <class E>
void fill(E* p, std::size_t n, std::mt19937& random) {
  for (std::size_t i = 0; i < n; ++i) p[i] = static_cast<E>(random());
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("dot products of bytes are exact at every size and alignment", "", Routes) {
  CAPTURE(std::string(TestType::name), seed);
  std::mt19937 random(seed);
  for (std::size_t n : sizes()) {
    for (std::size_t offset : {0u, 1u, 3u}) {
      CAPTURE(n, offset);
      Exact<std::uint8_t> u(n, offset);
      Exact<std::int8_t> s(n, offset + 1), t(n, 2 * offset);
      fill(u.data, n, random);
      fill(s.data, n, random);
      fill(t.data, n, random);
      REQUIRE(simd::dot_u8s8<TestType>(u.data, s.data, n) == oracle(u.data, s.data, n));
      REQUIRE(simd::dot_s8s8<TestType>(t.data, s.data, n) == oracle(t.data, s.data, n));
      REQUIRE(simd::dot_u8s8_wide<TestType>(u.data, s.data, n) == oracle(u.data, s.data, n));
      REQUIRE(simd::dot_s8s8_wide<TestType>(t.data, s.data, n) == oracle(t.data, s.data, n));
    }
  }
}

TEMPLATE_LIST_TEST_CASE("extreme bytes in every lane do not saturate", "", Routes) {
  CAPTURE(std::string(TestType::name));
  for (std::size_t n : {1u, 2u, 64u, 67u, 300u, 65793u}) {
    for (int w : {-128, 127, -1}) {
      const std::vector<std::int8_t> b(n, static_cast<std::int8_t>(w));
      const std::vector<std::uint8_t> u(n, 255);
      CHECK(simd::dot_u8s8<TestType>(u.data(), b.data(), n) == oracle(u.data(), b.data(), n));
      for (int x : {-128, 127}) {
        const std::vector<std::int8_t> a(n, static_cast<std::int8_t>(x));
        CHECK(simd::dot_s8s8<TestType>(a.data(), b.data(), n) == oracle(a.data(), b.data(), n));
      }
    }
  }
  const std::vector<std::int8_t> lowest(simd::dot_s8s8_max, -128);
  CHECK(simd::dot_s8s8<TestType>(lowest.data(), lowest.data(), simd::dot_s8s8_max) ==
        oracle(lowest.data(), lowest.data(), simd::dot_s8s8_max));
}

TEMPLATE_LIST_TEST_CASE("a wide dot product passes the range of int32", "", Routes) {
  CAPTURE(std::string(TestType::name));
  for (std::size_t n : {65536u, 65537u, 200003u}) {
    const std::vector<std::uint8_t> u(n, 255);
    const std::vector<std::int8_t> low(n, -128);
    CHECK(simd::dot_u8s8_wide<TestType>(u.data(), low.data(), n) == -255 * 128 * static_cast<std::int64_t>(n));
    CHECK(simd::dot_s8s8_wide<TestType>(low.data(), low.data(), n) == 128 * 128 * static_cast<std::int64_t>(n));
  }
}

TEMPLATE_LIST_TEST_CASE("a step multiplies four k of each column", "", Routes) {
  using Step = simd::DotStep<TestType>;
  CAPTURE(std::string(TestType::name), seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 50; ++round) {
    Exact<std::int8_t> w(Step::bytes, 1);
    Exact<std::uint8_t> a(4, 1);
    Exact<std::int32_t> acc(Step::columns);
    fill(w.data, Step::bytes, random);
    fill(a.data, 4, random);
    if (round == 0) {
      std::fill_n(w.data, Step::bytes, std::int8_t{-128});
      std::fill_n(a.data, 4, std::uint8_t{255});
    }
    for (std::size_t c = 0; c < Step::columns; ++c) acc.data[c] = static_cast<std::int32_t>(random() >> 4);
    const std::vector<std::int32_t> before(acc.data, acc.data + Step::columns);
    const auto weights = Step::weights(Step::load_bytes(w.data));
    Step::store(acc.data, Step::step(Step::load(acc.data), Step::broadcast(a.data), weights));
    for (std::size_t c = 0; c < Step::columns; ++c) {
      std::int64_t expected = before[c];
      for (std::size_t j = 0; j < 4; ++j) expected += (a.data[j] - Step::unsigned_offset) * w.data[4 * c + j];
      REQUIRE(acc.data[c] == expected);
    }
    REQUIRE(Step::sum(Step::zero()) == 0);
  }
}
