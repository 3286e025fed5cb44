#include "halfstep/quantizers/shifted_uniform.hpp"

#include <cmath>
#include <cstdint>
#include <limits>

#include "halfstep/core/random.hpp"
#include "support/catch.hpp"

using namespace halfstep;

static_assert(ScalarQuantizer<ShiftedUniform<2>> && ScalarQuantizer<ShiftedUniform<8>>);

TEST_CASE("shifted codes count steps from the least value", "[shifted_uniform]") {
  for (const Range range : {Range{-1.5f, 2.25f, 0}, Range{2, 5, 0}, Range{-3, -1, 0}, Range{1000, 1000.5f, 0}}) {
    const auto q = ShiftedUniform<8>::fit(range);
    CAPTURE(range.min, range.max);
    CHECK(q.shift == range.min);
    CHECK(q.decode(0) == range.min);
    for (int i = -300; i <= 2300; ++i) {
      const float x = range.min + (range.max - range.min) * static_cast<float>(i) / 2000;
      const volatile float distance = x - q.shift, steps = distance / q.scale;
      REQUIRE(q.encode(x) == static_cast<int>(std::fmin(std::fmax(std::nearbyint(steps), 0.0f), 255.0f)));
    }
    for (int code = 0; code < 256; ++code) {
      const volatile float product = static_cast<float>(code) * q.scale;
      REQUIRE(q.decode(code) == product + q.shift);
      REQUIRE(q.encode(q.decode(code)) == code);
    }
  }
  CHECK(ShiftedUniform<4>::over(-2, 3) == ShiftedUniform<4>{0.2f, -2});
}

TEST_CASE("a constant comes back exactly, special values and huge ranges have codes", "[shifted_uniform]") {
  constexpr float largest = std::numeric_limits<float>::max(), infinity = std::numeric_limits<float>::infinity();
  for (const float value : {0.0f, 0.1f, -3e30f, 1e-42f, -largest, largest / 2}) {
    const auto q = ShiftedUniform<8>::fit({value, value, value});
    CAPTURE(value);
    CHECK(q.encode(value) == 0);
    CHECK(q.decode(0) == value);
    for (int code = 0; code < 256; ++code) CHECK(q.encode(q.decode(code)) <= code);
  }
  for (const Range range : {Range{-largest, largest, 1}, Range{largest, largest, 1}, Range{0, largest, 1}}) {
    const auto q = ShiftedUniform<8>::fit(range);
    for (int code = 0; code < 256; ++code) {
      CHECK(std::isfinite(q.decode(code)));
      CHECK(q.encode(q.decode(code)) == code);
    }
  }
  const auto q = ShiftedUniform<8>::fit({-3, 5, 1});
  CHECK(q.encode(std::numeric_limits<float>::quiet_NaN()) == 0);
  CHECK(q.encode(infinity) == 255);
  CHECK(q.encode(-infinity) == 0);
}

TEST_CASE("stochastic rounding is right on average, and nearest for a half", "[shifted_uniform]") {
  const ShiftedUniform<8> q{0.5f, -3};
  const Random random(5);
  for (const float x : {-3.4f, -2.9f, 0.1f, 7.33f, 200.0f}) {
    CHECK(q.encode(x, 0.5f) == q.encode(x));
    double sum = 0;
    constexpr int draws = 20000;
    for (int i = 0; i < draws; ++i) sum += q.encode(x, 1 - random.uniform(static_cast<std::uint64_t>(i)));
    const double expected = std::fmin(std::fmax((static_cast<double>(x) + 3) / 0.5, 0.0), 255.0);
    CAPTURE(x);
    CHECK(std::fabs(sum / draws - expected) <= 5 * 0.5 / std::sqrt(draws));  // deviation of a draw: at most 1/2
  }
}

TEST_CASE("the lowering of shifted codes states what its rounded zero costs", "[shifted_uniform]") {
  for (const ShiftedUniform<8> q : {ShiftedUniform<8>{0.37f, 11.3f}, ShiftedUniform<8>{1e-3f, -700.0f}}) {
    const Lowering lowering = q.lower();
    for (int code = 0; code < 256; ++code) {
      CHECK(std::fabs(lowering.value(code) - static_cast<double>(q.decode(code))) <=
            static_cast<double>(lowering.max_error));
    }
    // The zero rounds once; decode rounds a product and a sum.
    CHECK(lowering.max_error <= (std::fabs(q.shift) + 255 * q.scale) * 0x1p-22f);
    CHECK(lowering.zero == q.lowering_scale().zero);
  }
}
