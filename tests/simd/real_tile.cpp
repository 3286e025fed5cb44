// The register tile against plain loops. Operands are small integers, so that every sum is exact whatever is fused.

#include "halfstep/simd/real_tile.hpp"

#include <cstddef>
#include <vector>

#include "support/catch.hpp"

using halfstep::simd::RealTile;

TEMPLATE_TEST_CASE("real_tile: sums of products, any number of them, rows at any stride", "", float, double) {
  using Tile = RealTile<TestType>;
  for (const std::ptrdiff_t k : {0, 1, 2, 7, 100}) {
    for (const std::ptrdiff_t stride : {Tile::height, Tile::height + 3}) {
      std::vector<TestType> a(static_cast<std::size_t>(k * stride + Tile::height)),
          b(static_cast<std::size_t>(k * Tile::width)), c(static_cast<std::size_t>(Tile::height * Tile::width));
      for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<TestType>(static_cast<int>(i * 7 % 23) - 11);
      for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<TestType>(static_cast<int>(i * 5 % 19) - 9);
      for (std::size_t i = 0; i < c.size(); ++i) c[i] = static_cast<TestType>(i % 13);
      std::vector<TestType> expected = c;
      for (std::ptrdiff_t i = 0; i < Tile::height; ++i) {
        for (std::ptrdiff_t j = 0; j < Tile::width; ++j) {
          for (std::ptrdiff_t p = 0; p < k; ++p) {
            expected[static_cast<std::size_t>(i * Tile::width + j)] +=
                a[static_cast<std::size_t>(p * stride + i)] * b[static_cast<std::size_t>(p * Tile::width + j)];
          }
        }
      }
      Tile::add(k, a.data(), stride, b.data(), c.data());
      CHECK(c == expected);
    }
  }
}

TEST_CASE("real_tile: a float tile is as wide as two double ones") {
  STATIC_REQUIRE(RealTile<float>::width == 2 * RealTile<double>::width);
  STATIC_REQUIRE(RealTile<float>::height == RealTile<double>::height);
  STATIC_REQUIRE(RealTile<double>::width % RealTile<double>::height == 0);
}
