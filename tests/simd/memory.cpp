#include "halfstep/simd/memory.hpp"

#include "simd/routes.hpp"
#include "simd/sweep.hpp"

namespace simd = halfstep::simd;
using namespace halfstep_tests;

namespace {

/// Element `i` of a test pattern that covers the extremes of bytes.
std::int32_t pattern(std::size_t i) { return static_cast<std::int32_t>((i * 89 + 250) & 0xff); }

}  // namespace

TEMPLATE_TEST_CASE("floats and int32 are loaded and stored, whole and in part", "", simd::FloatBatch, simd::IntBatch,
                   simd::PortableFloat, simd::PortableInt, float, std::int32_t) {
  using E = std::conditional_t<simd::FloatLanes<TestType>, float, std::int32_t>;
  constexpr std::size_t all = simd::lanes_of<TestType>;
  for (std::size_t n = 0; n <= all; ++n) {
    Exact<E> from(n, 4), to(n, 4);
    for (std::size_t i = 0; i < n; ++i) from.data[i] = static_cast<E>(pattern(i) + 1);
    const auto x = simd::load_tail<TestType>(from.data, n);
    const auto values = lanes(x);
    for (std::size_t i = 0; i < all; ++i) CHECK(values[i] == (i < n ? from.data[i] : E(0)));
    simd::store_tail(to.data, x, n);
    CHECK(std::equal(from.data, from.data + n, to.data));
    if (n == all) {
      Exact<E> whole(n, 4);
      simd::store(whole.data, simd::load<TestType>(from.data));
      CHECK(std::equal(from.data, from.data + n, whole.data));
    }
  }
}

TEMPLATE_TEST_CASE("a partial store leaves what follows alone", "", simd::FloatBatch, simd::PortableFloat) {
  constexpr std::size_t all = simd::lanes_of<TestType>;
  for (std::size_t n = 0; n <= all; ++n) {
    std::vector<float> out(all + 1, -7.0f);
    simd::store_tail(out.data(), TestType(3.0f), n);
    for (std::size_t i = 0; i <= all; ++i) CHECK(out[i] == (i < n ? 3.0f : -7.0f));
  }
}

TEMPLATE_TEST_CASE("bytes widen to int32 and back", "", simd::IntBatch, simd::PortableInt, std::int32_t) {
  constexpr std::size_t all = simd::lanes_of<TestType>;
  for (std::size_t n = 0; n <= all; ++n) {
    for (int shift = 0; shift < 256; shift += 5) {
      Exact<std::uint8_t> u(n, 1), u2(n, 3);
      Exact<std::int8_t> s(n, 1), s2(n, 3);
      for (std::size_t i = 0; i < n; ++i) {
        u.data[i] = static_cast<std::uint8_t>(pattern(i) + shift);
        s.data[i] = static_cast<std::int8_t>(u.data[i]);
      }
      const auto ku = simd::load_bytes_tail<TestType>(u.data, n);
      const auto ks = simd::load_bytes_tail<TestType>(s.data, n);
      for (std::size_t i = 0; i < all; ++i) {
        REQUIRE(lanes(ku)[i] == (i < n ? u.data[i] : 0));
        REQUIRE(lanes(ks)[i] == (i < n ? s.data[i] : 0));
      }
      simd::store_bytes_tail(u2.data, ku, n);
      simd::store_bytes_tail(s2.data, ks, n);
      REQUIRE(std::equal(u.data, u.data + n, u2.data));
      REQUIRE(std::equal(s.data, s.data + n, s2.data));
      if (n == all) {
        simd::store_bytes(u2.data, simd::load_bytes<TestType>(u.data));
        simd::store_bytes(s2.data, simd::load_bytes<TestType>(s.data));
        REQUIRE(std::equal(u.data, u.data + n, u2.data));
        REQUIRE(std::equal(s.data, s.data + n, s2.data));
      }
    }
  }
}

TEMPLATE_TEST_CASE("four batches become bytes in order", "", simd::IntBatch, simd::PortableInt, std::int32_t) {
  constexpr std::size_t n = simd::lanes_of<TestType>;
  Exact<std::int32_t> k(4 * n, 0);
  Exact<std::uint8_t> out(4 * n, 1);
  for (std::size_t i = 0; i < 4 * n; ++i) k.data[i] = pattern(i);
  const auto part = [&](std::size_t i) { return simd::load<TestType>(k.data + i * n); };
  simd::store_bytes(out.data, part(0), part(1), part(2), part(3));
  CHECK(std::equal(k.data, k.data + 4 * n, out.data));
}

TEST_CASE("four bytes to a lane, aligned or not, there and back") {
  constexpr std::size_t bytes = 4 * simd::batch_lanes;
  for (const std::size_t offset : {0, 1, 2, 3}) {
    std::vector<std::uint8_t> from(bytes + offset), to(bytes + offset + 1, 0xee);
    for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<std::uint8_t>(37 * i + 11);
    const simd::IntBatch words = simd::load_words(from.data() + offset);
    std::int32_t lanes[simd::batch_lanes];
    simd::store(lanes, words);
    for (std::size_t lane = 0; lane < simd::batch_lanes; ++lane) {
      std::uint32_t expected = 0;
      for (std::size_t i = 0; i < 4; ++i) expected |= std::uint32_t{from[offset + 4 * lane + i]} << (8 * i);
      CHECK(static_cast<std::uint32_t>(lanes[lane]) == expected);
    }
    simd::store_words(to.data() + offset, words);
    for (std::size_t i = 0; i < bytes; ++i) REQUIRE(to[offset + i] == from[offset + i]);
    CHECK(to.back() == 0xee);
  }
}
