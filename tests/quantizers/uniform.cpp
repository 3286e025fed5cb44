#include "halfstep/quantizers/uniform.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "simd/sweep.hpp"
#include "support/all_quantizers.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// docs/numerics.md, section 1, in double. The quotient of two floats, rounded to double and then to float, is the
/// float quotient: 53 >= 2 * 24 + 2 bits.
template <int Bits>
std::int32_t expected_code(const hs::Uniform<Bits>& q, float x) {
  if (std::isnan(x)) x = 0;
  const double z = q.zero_point;
  const auto quotient = static_cast<double>(static_cast<float>(static_cast<double>(x) / static_cast<double>(q.scale)));
  const double clamped = std::fmin(std::fmax(quotient, -z), (1 << Bits) - 1 - z);
  return static_cast<std::int32_t>(std::nearbyint(clamped) + z);
}

template <class Q>
float steps_of(const Q& q, float x) {
  return x / q.scale;
}

}  // namespace

TEMPLATE_TEST_CASE("uniform codes and values are those of the formula", "[uniform]", hs::Uniform<2>, hs::Uniform<3>,
                   hs::Uniform<4>, hs::Uniform<5>, hs::Uniform<6>, hs::Uniform<7>, hs::Uniform<8>) {
  using Q = TestType;
  std::vector<Q> quantizers = quantizers_to_test<Q>();
  quantizers.insert(quantizers.end(), {Q{0.37f, -1000}, Q{0.37f, 1000}, Q{1e-3f, -(1 << 23)}, Q{1, 1 << 23}});
  static const std::vector<float> common = sweep_of_floats(20000);
  for (const Q& q : quantizers) {
    std::vector<float> xs = common;
    for (int half = -2 * (1 << Q::bits); half <= 4 * (1 << Q::bits); ++half) {
      const float x = static_cast<float>(static_cast<double>(half) / 2 - q.zero_point) * q.scale;
      xs.insert(xs.end(), {x, std::nextafter(x, -1e38f), std::nextafter(x, 1e38f)});
    }
    int wrong_codes = 0, wrong_values = 0;
    for (const float x : xs) wrong_codes += q.encode(x) == expected_code(q, x) ? 0 : 1;
    for (int code = 0; code < 1 << Q::bits; ++code) {
      const auto value = static_cast<float>(static_cast<double>(q.scale) * (code - q.zero_point));
      wrong_values += q.decode(std::int32_t{code}) == value ? 0 : 1;
    }
    CAPTURE(q.scale, q.zero_point);
    CHECK(wrong_codes == 0);
    CHECK(wrong_values == 0);
  }
}

TEST_CASE("ties go to the even step, whatever the zero point", "[uniform]") {
  // The zero point is added after rounding: x / s = 0.5 rounds to 0, 1.5 to 2, also where z is odd.
  for (const std::int32_t z : {0, 1, 7, 8}) {
    const hs::Uniform<4> q{2.0f, z};
    for (int step = -z; step < 15 - z; ++step) {
      const float tie = (static_cast<float>(step) + 0.5f) * 2.0f;
      CHECK(q.encode(tie) == (step % 2 == 0 ? step : step + 1) + z);
    }
  }
}

TEMPLATE_TEST_CASE("within the range an element is at most half a step off", "[uniform]", hs::Uniform<2>,
                   hs::Uniform<4>, hs::Uniform<8>) {
  using Q = TestType;
  std::mt19937 generator(11);
  for (const hs::Symmetry symmetry : {hs::Symmetry::affine, hs::Symmetry::symmetric}) {
    for (const hs::Range& range : ranges_to_fit()) {
      const Q q = Q::fit(range, symmetry);
      if (std::fabs(static_cast<double>(hs::absmax(range))) > 1e38) continue;  // fills the floats: clipped
      for (int i = 0; i < 2000; ++i) {
        const double t = static_cast<double>(generator() % 4097) / 4096;
        const auto x =
            static_cast<float>(static_cast<double>(range.min) * (1 - t) + static_cast<double>(range.max) * t);
        const float value = q.decode(q.encode(x));
        const double error = std::fabs(static_cast<double>(x) - static_cast<double>(value));
        // The rounding of the quotient, of the product, and of the scale at fit (2^-24 each of up to |x|).
        const double slack =
            0x1p-22 * std::fmax(std::fabs(static_cast<double>(x)), std::fabs(static_cast<double>(value)));
        CAPTURE(x, value, q.scale, q.zero_point);
        REQUIRE(error <= static_cast<double>(q.scale) / 2 + slack);
      }
    }
  }
}

TEST_CASE("a fit is the published one", "[uniform]") {
  CHECK(hs::Uniform<4>::fit({-1, 2, 0}) == hs::Uniform<4>{0.2f, 5});
  CHECK(hs::Uniform<4>::fit({1, 3, 0}) == hs::Uniform<4>{0.2f, 0});  // widened to hold 0
  CHECK(hs::Uniform<4>::fit({-3, -1, 0}) == hs::Uniform<4>{0.2f, 15});
  CHECK(hs::Uniform<8>::fit({-127, 3, 0}, hs::Symmetry::symmetric) == hs::Uniform<8>{1, 128});
  CHECK(hs::Uniform<8>::fit({0, 0, 0}) == hs::Uniform<8>{1, 0});
  CHECK(hs::Uniform<8>::fit({0, 0, 0}, hs::Symmetry::symmetric) == hs::Uniform<8>{1, 128});
}

TEMPLATE_TEST_CASE("codes do not change under powers of two, and never fall", "[uniform]", hs::Uniform<2>,
                   hs::Uniform<5>, hs::Uniform<8>) {
  using Q = TestType;
  const std::vector<float> xs = [] {
    std::vector<float> sorted;
    for (int i = -3000; i <= 3000; ++i) sorted.push_back(static_cast<float>(i) * 0.00123f);
    return sorted;
  }();
  const hs::Range range{-1.7f, 2.9f, 0};
  for (const hs::Symmetry symmetry : {hs::Symmetry::affine, hs::Symmetry::symmetric}) {
    const Q q = Q::fit(range, symmetry);
    for (const int power : {-60, -1, 3, 60}) {
      const float factor = std::ldexp(1.0f, power);
      const Q scaled = Q::fit({range.min * factor, range.max * factor, 0}, symmetry);
      CHECK(scaled.scale == q.scale * factor);
      for (const float x : xs) REQUIRE(scaled.encode(x * factor) == q.encode(x));
    }
    for (std::size_t i = 1; i < xs.size(); ++i) REQUIRE(q.encode(xs[i - 1]) <= q.encode(xs[i]));
  }
}

TEMPLATE_TEST_CASE("symmetric quantization is odd", "[uniform]", hs::Uniform<2>, hs::Uniform<4>, hs::Uniform<8>) {
  const TestType q = TestType::fit({-1, 1, 0}, hs::Symmetry::symmetric);
  for (int i = 0; i <= 4096; ++i) {
    const float x = static_cast<float>(i) / 4096;
    REQUIRE(q.decode(q.encode(x)) == -q.decode(q.encode(-x)));
  }
}
