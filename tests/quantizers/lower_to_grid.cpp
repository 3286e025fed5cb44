#include "halfstep/quantizers/lower_to_grid.hpp"

#include <array>
#include <cstdint>

#include "support/catch.hpp"

using namespace halfstep;

namespace {

/// Four levels, as a quantizer would decode them.
struct Levels {
  static constexpr int bits = 2;
  std::array<float, 4> values;
  [[nodiscard]] float decode(std::int32_t code) const { return values[static_cast<std::size_t>(code)]; }
};

}  // namespace

TEST_CASE("multiples within a byte take one plane, within two bytes two, both exactly", "[lower_to_grid]") {
  const Lowering one = lower_to_grid(Levels{{-4.0f, -0.5f, 0, 123.5f}}, 0.5);
  CHECK(one.plane_count == 1);
  CHECK(one.max_error == 0);
  CHECK(one.planes[0].values[0] == -8);
  CHECK(one.planes[0].values[3] == 247);
  const Lowering two = lower_to_grid(Levels{{-4.0f, -0.5f, 0, 124}}, 0.5);
  CHECK(two.plane_count == 2);
  CHECK(two.max_error == 0);
  for (int code = 0; code < 4; ++code)
    CHECK(two.value(code) == std::array{-4.0, -0.5, 0.0, 124.0}[static_cast<std::size_t>(code)]);
}

TEST_CASE("levels beside the grid are rounded to it, and the error is stated", "[lower_to_grid]") {
  const Lowering lowering = lower_to_grid(Levels{{0, 1, 2.25f, 3.5f}}, 1.0);
  CHECK(lowering.max_error >= 0.5f);
  CHECK(lowering.max_error < 0.500001f);
  CHECK(lowering.value(2) == 2);
  CHECK(lowering.value(3) == 4);  // to even
}

TEST_CASE("a grid may start beside zero", "[lower_to_grid]") {
  const Lowering lowering = lower_to_grid(Levels{{-0.75f, 0.25f, 1.25f, 7.25f}}, 1.0, 0.75);
  CHECK(lowering.max_error == 0);
  CHECK(lowering.zero == 0.75f);
  CHECK(lowering.planes[0].values[3] == 8);
}

TEST_CASE("what two bytes do not span is lowered as a table", "[lower_to_grid]") {
  const std::array<double, 4> levels{0, 1, 2, 131072};
  const Lowering lowering = lower_to_grid(Levels{{0, 1, 2, 131072}}, 1.0);
  const Lowering table = lower_levels(levels.data(), 4);
  CHECK(lowering.unit == table.unit);
  CHECK(lowering.planes == table.planes);
  CHECK(lowering.max_error == table.max_error);
  CHECK(lowering.max_error > 0);
}
