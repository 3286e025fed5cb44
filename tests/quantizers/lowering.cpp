#include "halfstep/quantizers/lowering.hpp"

#include <cmath>
#include <cstdint>
#include <vector>

#include "support/catch.hpp"

namespace hs = halfstep;

namespace {

hs::Lowering lower(const std::vector<double>& levels) {
  return hs::lower_levels(levels.data(), static_cast<int>(levels.size()));
}

/// The largest difference from the levels, found anew.
double worst_error(const hs::Lowering& lowering, const std::vector<double>& levels) {
  double worst = 0;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    worst = std::fmax(worst, std::fabs(lowering.value(static_cast<int>(i)) - levels[i]));
  }
  return worst;
}

}  // namespace

TEST_CASE("codes lower to themselves", "[lowering]") {
  const hs::Lowering lowering = hs::lower_codes(16, 0.5f, 3.0f);
  CHECK(lowering.plane_count == 1);
  CHECK(lowering.max_error == 0);
  for (int code = 0; code < 16; ++code) CHECK(lowering.value(code) == 0.5 * (code - 3));
}

TEST_CASE("levels on a grid get one exact plane", "[lowering]") {
  const std::vector<std::vector<double>> tables = {
      {0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6},  // FP4, E2M1
      {-1, 0, 1},
      {64, 32, 16, 8, 4, 2, 1},
      {-128, -127, 127},
      {0.75, 1.0},
  };
  for (const std::vector<double>& levels : tables) {
    const hs::Lowering lowering = lower(levels);
    CHECK(lowering.plane_count == 1);
    CHECK(lowering.max_error == 0);
    for (std::size_t i = 0; i < levels.size(); ++i) CHECK(lowering.value(static_cast<int>(i)) == levels[i]);
  }
}

TEST_CASE("levels that were rounded to float still get one plane", "[lowering]") {
  // FP4 times a scale of a full mantissa: 3 s and 6 s round, so no step divides all levels exactly.
  const float scale = 0.10000001f * 1.2345678f;
  std::vector<double> levels;
  for (const float value : {0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f}) {
    levels.push_back(static_cast<double>(value * scale));
    levels.push_back(static_cast<double>(-value * scale));
  }
  const hs::Lowering lowering = lower(levels);
  CHECK(lowering.plane_count == 1);
  CHECK(lowering.zero == std::nearbyint(lowering.zero));  // real 0 is a level: the zero is an integer
  CHECK(worst_error(lowering, levels) <= static_cast<double>(lowering.max_error));
  CHECK(lowering.max_error <= 6 * scale * 0x1p-22f);
}

TEST_CASE("a grid that starts anywhere gets one plane and a fraction as its zero", "[lowering]") {
  std::vector<double> levels;
  for (int i = 0; i < 16; ++i) levels.push_back(0.3125 + i * 0.25);  // zero = -1.25
  const hs::Lowering lowering = lower(levels);
  CHECK(lowering.plane_count == 1);
  CHECK(lowering.zero == -1.25f);
  CHECK(lowering.max_error == 0);
  CHECK(lowering.planes[0].values[15] == 15);
}

TEST_CASE("other tables get two planes of half a unit of error", "[lowering]") {
  std::vector<std::vector<double>> tables(4);
  for (int i = 0; i < 16; ++i) tables[0].push_back(std::ldexp(1.0, -i));
  for (int i = 0; i < 256; ++i) tables[1].push_back(std::tan(i * 0.006));
  for (int i = 0; i < 64; ++i) tables[2].push_back(1e30 * std::sinh(i * 0.1 - 3));
  for (int i = 0; i < 32; ++i) tables[3].push_back(-5.0 - std::sqrt(i));
  for (const std::vector<double>& levels : tables) {
    const hs::Lowering lowering = lower(levels);
    const auto [least, most] = std::minmax_element(levels.begin(), levels.end());
    REQUIRE(lowering.plane_count == 2);
    CHECK(lowering.planes[0].weight == 256);
    CHECK(lowering.planes[1].weight == 1);
    for (std::size_t i = 0; i < levels.size(); ++i) {
      for (const hs::BytePlane& plane : lowering.planes) {
        REQUIRE(plane.values[i] >= 0);
        REQUIRE(plane.values[i] <= 255);
      }
    }
    const double worst = worst_error(lowering, levels);
    CHECK(worst <= static_cast<double>(lowering.max_error));
    CHECK(static_cast<double>(lowering.max_error) <= worst * (1 + 0x1p-22));
    // Half a unit; the unit itself is within 2^-24 of span / 65534.
    CHECK(worst <= (*most - *least) / 65534 / 2 * (1 + 0x1p-23));
  }
}

TEST_CASE("a plane is chosen over two only where it is as accurate", "[lowering]") {
  // One level off the grid by a hundredth of a step.
  const hs::Lowering lowering = lower({0, 1, 2.01, 3, 4});
  CHECK(lowering.plane_count == 2);
  // More than 255 steps from end to end.
  CHECK(lower({0, 1, 256}).plane_count == 2);
  CHECK(lower({0, 1, 255}).plane_count == 1);
}

TEST_CASE("degenerate tables", "[lowering]") {
  for (const double value : {0.0, 3.0, -0.25, 1e-37, -1e38}) {
    const std::vector<double> levels(4, value);
    const hs::Lowering lowering = lower(levels);
    CHECK(lowering.unit > 0);
    CHECK(worst_error(lowering, levels) <= static_cast<double>(lowering.max_error));
    CHECK(static_cast<double>(lowering.max_error) <= std::fabs(value) * 0x1p-23);
  }
  CHECK(lower({5.0}).value(0) == 5.0);
  // Levels too close for a normal unit keep a finite one.
  const std::vector<double> tiny = {0, 1e-45, 1e-44, 2.5e-44};
  CHECK(worst_error(lower(tiny), tiny) <= 0x1p-127);
  // A span far below the distance to 0: the zero is rounded to a float, 24 bits of the levels remain.
  std::vector<double> far;
  for (int i = 0; i < 16; ++i) far.push_back(1000 + std::sqrt(i) / 1000);
  CHECK(worst_error(lower(far), far) <= 1000 * 0x1p-23);
}
