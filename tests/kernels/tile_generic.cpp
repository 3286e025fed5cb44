#include "halfstep/kernels/tile_generic.hpp"

#include <cstdint>
#include <random>
#include <vector>

#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("the generic tile is the sum that the contract writes", "[tile]") {
  std::mt19937 generator(1);
  for (const std::int64_t k : {0, 16, 48}) {
    for (std::int64_t tiles = 1; tiles <= 4; ++tiles) {
      for (std::int64_t rows = 1; rows <= hs::tile_generic.max_rows; ++rows) {
        const std::int64_t row_stride = k + 64, d_stride = 64;
        std::vector<std::uint8_t> a(static_cast<std::size_t>(rows * row_stride));
        std::vector<std::int8_t> panel(static_cast<std::size_t>(k * tiles * 16));
        for (auto& byte : a) byte = static_cast<std::uint8_t>(generator());
        for (auto& byte : panel) byte = static_cast<std::int8_t>(generator());
        std::vector<std::int32_t> d(static_cast<std::size_t>(rows * d_stride), 7), again = d;
        hs::tile_generic.multiply(a.data(), row_stride, rows, panel.data(), k, tiles, d.data(), d_stride, 0);
        hs::tile_generic.multiply(a.data(), row_stride, rows, panel.data(), k, tiles, again.data(), d_stride, 1);
        for (std::int64_t m = 0; m < rows; ++m) {
          for (std::int64_t n = 0; n < d_stride; ++n) {
            std::int32_t sum = 0;
            for (std::int64_t i = 0; i < k && n < tiles * 16; ++i) {
              // line i / 4 of lane tile n / 16, column n % 16, byte i % 4
              const std::int64_t at = (i / 4 * tiles + n / 16) * 64 + n % 16 * 4 + i % 4;
              sum += a[static_cast<std::size_t>(m * row_stride + i)] * panel[static_cast<std::size_t>(at)];
            }
            const auto at = static_cast<std::size_t>(m * d_stride + n);
            REQUIRE(d[at] == (n < tiles * 16 ? sum : 7));
            REQUIRE(again[at] == (n < tiles * 16 ? sum + 7 : 7));
          }
        }
      }
    }
  }
}

TEST_CASE("nibbles become the numbers of a table", "[tile]") {
  std::mt19937 generator(2);
  std::int8_t values[16];
  for (std::int8_t& value : values) value = static_cast<std::int8_t>(generator());
  for (std::int64_t tiles = 1; tiles <= 4; ++tiles) {
    const std::int64_t k = 32;
    std::vector<std::uint8_t> lines(static_cast<std::size_t>(k * tiles * 8));
    for (auto& byte : lines) byte = static_cast<std::uint8_t>(generator());
    std::vector<std::int8_t> panel(static_cast<std::size_t>(k * tiles * 16));
    hs::tile_generic.fill_from_nibbles(lines.data(), k, tiles, values, panel.data());
    for (std::int64_t i = 0; i < k; ++i) {
      for (std::int64_t n = 0; n < tiles * 16; ++n) {
        const std::int64_t from = (i / 8 * tiles + n / 16) * 64 + n % 16 * 4 + i % 4;
        const std::int64_t to = (i / 4 * tiles + n / 16) * 64 + n % 16 * 4 + i % 4;
        const int byte = lines[static_cast<std::size_t>(from)];
        REQUIRE(panel[static_cast<std::size_t>(to)] == values[i % 8 < 4 ? byte & 15 : byte >> 4]);
      }
    }
  }
}
