// The tile kernel of this build against the generic one, for equality.

#include "halfstep/kernels/tile_default.hpp"

#include <cstdint>
#include <random>
#include <vector>

#include "halfstep/core/aligned_buffer.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;

namespace {

/// Bytes of one kind: random, or the extremes that a saturating instruction would get wrong.
enum class Fill { random, extremes };

template <class T>
std::vector<T> bytes(std::size_t count, Fill fill, T extreme, std::uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<T> result(count);
  for (T& byte : result) byte = fill == Fill::random ? static_cast<T>(generator()) : extreme;
  return result;
}

/// d of `tile` for these rows and lines, from the state `d` on.
std::vector<std::int32_t> multiply(const hs::TileKernel& tile, const std::vector<std::uint8_t>& rows,
                                   std::int64_t count, std::int64_t row_stride, const std::vector<std::uint8_t>& lines,
                                   bool is_nibbles, std::int64_t k, std::int64_t tiles, const std::int8_t* values,
                                   int accumulate) {
  hs::AlignedBuffer<std::uint8_t> panel(k * tiles * 16 * tile.panel_bytes_per_k);
  hs::AlignedBuffer<std::uint8_t> prepared(count * row_stride * tile.row_bytes_per_k);
  const void* read_rows = rows.data();
  std::int64_t stride = row_stride;
  if (tile.prepare_row != nullptr) {
    stride = row_stride * tile.row_bytes_per_k;
    for (std::int64_t m = 0; m < count; ++m) {
      tile.prepare_row(rows.data() + m * row_stride, k, prepared.data() + m * stride);
    }
    read_rows = prepared.data();
  }
  const void* filled = lines.data();
  if (is_nibbles) {
    tile.fill_from_nibbles(lines.data(), k, tiles, values, panel.data());
    filled = panel.data();
  } else if (tile.fill_from_bytes != nullptr) {
    tile.fill_from_bytes(lines.data(), k, tiles, panel.data());
    filled = panel.data();
  }
  std::vector<std::int32_t> d(static_cast<std::size_t>(count * 64), 11);
  tile.multiply(read_rows, stride, count, filled, k, tiles, d.data(), 64, accumulate);
  return d;
}

}  // namespace

TEST_CASE("the tile of this build gives the generic sums", "[tile]") {
  const hs::TileKernel& tile = hs::default_tile();
  CAPTURE(tile.name);
  for (const Fill fill : {Fill::random, Fill::extremes}) {
    std::int8_t values[16];
    for (int i = 0; i < 16; ++i) values[i] = static_cast<std::int8_t>(fill == Fill::random ? 17 * i - 128 : -128);
    for (const std::int64_t k : {0, 16, 32, 48, 80, 1040}) {
      for (std::int64_t tiles = 1; tiles <= 4; ++tiles) {
        for (std::int64_t rows = 1; rows <= tile.max_rows; ++rows) {
          const std::int64_t row_stride = (k + 63) / 64 * 64 + 64;
          const auto a = bytes<std::uint8_t>(static_cast<std::size_t>(rows * row_stride), fill, 255, 1);
          for (const bool is_nibbles : {false, true}) {
            const auto lines = bytes<std::uint8_t>(static_cast<std::size_t>(k * tiles * (is_nibbles ? 8 : 16)), fill,
                                                   is_nibbles ? 0x0f : 0x80, 2);
            for (const int accumulate : {0, 1}) {
              const auto expected =
                  multiply(hs::tile_generic, a, rows, row_stride, lines, is_nibbles, k, tiles, values, accumulate);
              REQUIRE(multiply(tile, a, rows, row_stride, lines, is_nibbles, k, tiles, values, accumulate) == expected);
            }
          }
        }
      }
    }
  }
}

TEST_CASE("sums reach the end of int32", "[tile]") {
  const hs::TileKernel& tile = hs::default_tile();
  const std::int64_t k = 65792;  // the largest multiple of 16 below 65793
  const std::vector<std::uint8_t> rows(static_cast<std::size_t>(k), 255), lines(static_cast<std::size_t>(k * 16), 0x80);
  const auto d = multiply(tile, rows, 1, k, lines, false, k, 1, nullptr, 0);
  for (std::size_t n = 0; n < 16; ++n) CHECK(d[n] == -255 * 128 * k);
}
