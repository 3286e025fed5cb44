#include "halfstep/quantizers/level_table.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "simd/sweep.hpp"
#include "support/catch.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

constexpr std::array<float, 2> two_levels = {-1, 3};
constexpr std::array<float, 6> six_levels = {-4, -1, 0, 0.5f, 2, 2.5f};
constexpr std::array<float, 200> squares = [] {
  std::array<float, 200> levels{};
  for (std::size_t i = 0; i < levels.size(); ++i) levels[i] = static_cast<float>(i * i) - 1000;
  return levels;
}();

/// Halfway between two levels as `float` has it, in double.
std::int32_t nearest(std::span<const float> levels, float y) {
  std::int32_t code = 0;
  for (std::size_t i = 1; i < levels.size(); ++i) {
    const auto middle = static_cast<float>((static_cast<double>(levels[i - 1]) + static_cast<double>(levels[i])) / 2);
    if (y > middle) code = static_cast<std::int32_t>(i);
  }
  return code;
}

template <class Q>
void check_level_codes(const Q& q, std::span<const float> levels) {
  std::vector<float> xs = sweep_of_floats(5000);
  for (std::size_t i = 1; i < levels.size(); ++i) {
    const float middle = (levels[i - 1] / 2 + levels[i] / 2) * q.scale;
    xs.insert(xs.end(), {middle, std::nextafter(middle, -1e9f), std::nextafter(middle, 1e9f), levels[i] * q.scale});
  }
  int wrong = 0;
  for (const float x : xs) {
    const float y = std::isnan(x) ? 0 : x / q.scale;
    wrong += q.encode(x) == nearest(levels, y) ? 0 : 1;
  }
  for (int code = 0; code < 1 << Q::bits; ++code) {
    const std::size_t at = std::min(static_cast<std::size_t>(code), levels.size() - 1);
    wrong += q.decode(std::int32_t{code}) == levels[at] * q.scale ? 0 : 1;
  }
  CHECK(wrong == 0);
  CHECK(differences<simd::FloatBatch>([&](auto x) { return q.encode(x); }, xs) == 0);
  CHECK(differences<simd::PortableFloat>([&](auto x) { return q.encode(x); }, xs) == 0);
}

}  // namespace

TEST_CASE("codes of a fixed table are the nearest levels", "[level_table]") {
  for (const float scale : {1.0f, 0.37f, 1e20f}) {
    check_level_codes(NormalFloat4{scale}, nf4_levels);
    check_level_codes(FixedLevels<two_levels>{scale}, two_levels);
    check_level_codes(FixedLevels<six_levels>{scale}, six_levels);
    check_level_codes(FixedLevels<squares>{scale}, squares);
  }
  STATIC_REQUIRE(FixedLevels<two_levels>::bits == 1);
  STATIC_REQUIRE(FixedLevels<six_levels>::bits == 3);
  STATIC_REQUIRE(FixedLevels<squares>::bits == 8);
}

TEST_CASE("codes of a table among the parameters are the nearest levels", "[level_table]") {
  LevelTable<4> nf4{0.7f, nf4_levels};
  check_level_codes(nf4, nf4.levels);
  LevelTable<6> cubes;
  for (std::size_t i = 0; i < 64; ++i) cubes.levels[i] = std::pow(static_cast<float>(i) - 30, 3.0f) * 1e-3f;
  check_level_codes(cubes, cubes.levels);
  const LevelTable<8> equal{2, LevelTable<8>::equal_steps()};
  check_level_codes(equal, equal.levels);
  const LevelTable<1> one;
  check_level_codes(one, one.levels);
}

TEST_CASE("levels may repeat, and give one value", "[level_table]") {
  const LevelTable<2> q{1, {0, 1, 1, 1}};
  CHECK(q.decode(q.encode(1.0f)) == 1);
  CHECK(q.decode(q.encode(5.0f)) == 1);
  CHECK(q.decode(q.encode(0.4f)) == 0);
}

TEST_CASE("a fixed table's levels span the range", "[level_table]") {
  CHECK(NormalFloat4::fit({-3, 2, 0}).scale == 3);
  CHECK(FixedLevels<two_levels>::fit({-3, 2, 0}).scale == 3);
  CHECK(FixedLevels<two_levels>::fit({-1, 6, 0}).scale == 2);
  CHECK(FixedLevels<six_levels>::fit({0, 0, 0}).scale == 1);
  CHECK(NormalFloat4::fit({-1, 1, 0}).encode(0.0f) == 7);
  CHECK(NormalFloat4{}.decode(7) == 0);
}
