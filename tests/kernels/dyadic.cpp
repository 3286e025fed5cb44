#include "halfstep/kernels/dyadic.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "kernels/integers.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

__extension__ using Wide = __int128;

/// `rne(z m / 2^shift)` in 128 bits, held as `requantize` holds it.
std::int64_t rounded(std::int64_t z, const hs::Dyadic& d) {
  const Wide product = Wide{z} * d.multiplier, unit = Wide{1} << d.shift;
  Wide floor = product / unit;
  if (floor * unit > product) --floor;
  const Wide rest = product - floor * unit;
  if (2 * rest > unit || (2 * rest == unit && floor % 2 != 0)) ++floor;
  const Wide most = Wide{1} << 62;
  return static_cast<std::int64_t>(floor > most ? most : floor < -most ? -most : floor);
}

}  // namespace

TEST_CASE("a dyadic number is its ratio to 31 bits", "[dyadic]") {
  std::mt19937 generator(1);
  std::uniform_real_distribution<double> exponent(-62, 29.9);
  for (int i = 0; i < 10000; ++i) {
    const double ratio = std::exp2(exponent(generator));
    const hs::Dyadic d = hs::Dyadic::of(ratio);
    CAPTURE(ratio);
    REQUIRE(d.multiplier >= std::int64_t{1} << 30);
    REQUIRE(d.multiplier <= std::int64_t{1} << 31);
    // Half a unit of a multiplier of at least 2^30.
    REQUIRE(std::fabs(std::ldexp(static_cast<double>(d.multiplier), -d.shift) - ratio) <= ratio * 0x1p-31);
  }
  CHECK(hs::Dyadic::of(1.0) == hs::Dyadic{std::int64_t{1} << 30, 30});
  CHECK(hs::Dyadic::of(0.5f, 2.0f) == hs::Dyadic{std::int64_t{1} << 30, 32});
  CHECK(hs::Dyadic::of(std::nextafter(1.0, 0.0)) == hs::Dyadic{std::int64_t{1} << 31, 31});
  CHECK_RAISES(hs::Dyadic::of(0.0), "halfstep: Dyadic::of: ratio is 0, expected a number from 2^-62 to below 2^30");
  CHECK_RAISES(hs::Dyadic::of(1.0f, 0.0f), "ratio is inf");
  CHECK_RAISES(hs::Dyadic::of(-1.0), "ratio is -1");
}

TEST_CASE("requantize rounds the whole product, ties to even", "[dyadic]") {
  std::mt19937_64 generator(2);
  std::vector<std::int64_t> values{0, 1, -1, std::numeric_limits<std::int64_t>::min(),
                                   std::numeric_limits<std::int64_t>::max()};
  for (int bits = 1; bits < 63; ++bits) {
    for (int i = 0; i < 3; ++i) values.push_back(static_cast<std::int64_t>(generator()) >> bits);
    values.push_back(std::int64_t{1} << bits);
    values.push_back(-(std::int64_t{3} << (bits - 1)));
  }
  for (int shift = 1; shift <= 92; ++shift) {
    for (const std::int64_t multiplier : {std::int64_t{1} << 30, std::int64_t{1} << 31, std::int64_t{3} << 29,
                                          (std::int64_t{1} << 31) - 1, std::int64_t{1916630531}}) {
      const hs::Dyadic d{multiplier, shift};
      for (const std::int64_t z : values) {
        CAPTURE(z, multiplier, shift);
        REQUIRE(hs::requantize(z, d) == rounded(z, d));
      }
    }
  }
}

TEST_CASE("rows are requantized with and without a residual", "[dyadic]") {
  constexpr std::int32_t least = std::numeric_limits<std::int32_t>::min(),
                         most = std::numeric_limits<std::int32_t>::max();
  hs::ThreadPool pool(3);
  for (const hs::Index cols : row_lengths()) {
    for (const double ratio : {0x1p-62, 0x1p-40, 1e-9, 3e-5, 0.25, 1.0, 1.9, 7e8}) {
      auto x = random_integers<std::int32_t>(9, cols, 3, least, most);
      auto other = random_integers<std::int32_t>(9, cols, 4, -70000, 70000);
      x(0, 0) = least;
      x(1, 0) = most;
      for (hs::Index c = 0; c < cols; ++c) x(2, c) = static_cast<std::int32_t>(c) - 4;
      const hs::Dyadic d = hs::Dyadic::of(ratio), e = hs::Dyadic::of(0.01);
      IntegerMatrix<std::int8_t> bytes(9, cols);
      IntegerMatrix<std::int16_t> shorts(9, cols);
      hs::requantize(x.view(), d, bytes.view(), {}, pool);
      hs::requantize(x.view(), d, shorts.view(), {other.view(), e});
      REQUIRE(bytes.padding_is_untouched());
      REQUIRE(shorts.padding_is_untouched());
      for (hs::Index r = 0; r < 9; ++r) {
        for (hs::Index c = 0; c < cols; ++c) {
          CAPTURE(ratio, r, c, x(r, c));
          const std::int64_t y = rounded(x(r, c), d), z = y + rounded(other(r, c), e);
          REQUIRE(bytes(r, c) == (y < -128 ? -128 : y > 127 ? 127 : y));
          REQUIRE(shorts(r, c) == (z < -32768 ? -32768 : z > 32767 ? 32767 : z));
        }
      }
    }
  }
}

TEST_CASE("requantize refuses what does not fit", "[dyadic]") {
  const IntegerMatrix<std::int32_t> x(3, 4), other(3, 5);
  IntegerMatrix<std::int8_t> out(3, 4);
  CHECK_RAISES(hs::requantize(other.view(), hs::Dyadic{}, out.view()),
               "halfstep: requantize: out has shape [3, 4], expected [3, 5]");
  CHECK_RAISES(hs::requantize(x.view(), hs::Dyadic{}, out.view(), {other.view(), hs::Dyadic{}}),
               "residual has shape [3, 5], expected [3, 4]");
}
