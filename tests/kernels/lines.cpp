#include "halfstep/kernels/lines.hpp"

#include <cstdint>
#include <random>
#include <vector>

#include "support/catch.hpp"

namespace hs = halfstep;

namespace {

std::vector<std::uint8_t> bytes_below(std::size_t count, unsigned limit) {
  std::mt19937 generator(3);
  std::vector<std::uint8_t> bytes(count);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(generator() % limit);
  return bytes;
}

}  // namespace

TEST_CASE("byte lines hold four k of sixteen rows", "[lines]") {
  for (const hs::Index k : {0, 16, 32, 80}) {
    const hs::Index row_stride = k + 5, line_stride = 3 * 64;
    const auto rows = bytes_below(static_cast<std::size_t>(16 * row_stride), 256);
    std::vector<std::uint8_t> lines(static_cast<std::size_t>(k / 4 * line_stride), 0xee);
    hs::rows_to_byte_lines(rows.data(), row_stride, k, lines.data(), line_stride);
    for (hs::Index n = 0; n < 16; ++n) {
      std::vector<std::uint8_t> row(static_cast<std::size_t>(k));
      hs::byte_lines_to_row(lines.data(), line_stride, n, k, row.data());
      for (hs::Index i = 0; i < k; ++i) {
        REQUIRE(lines[static_cast<std::size_t>(i / 4 * line_stride + n * 4 + i % 4)] ==
                rows[static_cast<std::size_t>(n * row_stride + i)]);
        REQUIRE(row[static_cast<std::size_t>(i)] == rows[static_cast<std::size_t>(n * row_stride + i)]);
      }
    }
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (i % 192 >= 64) REQUIRE(lines[i] == 0xee);  // other lane tiles are left alone
    }
  }
}

TEST_CASE("nibble lines hold eight k of sixteen rows, four to a half", "[lines]") {
  for (const hs::Index k : {0, 16, 48}) {
    const hs::Index row_stride = k + 1, line_stride = 2 * 64;
    const auto rows = bytes_below(static_cast<std::size_t>(16 * row_stride), 16);
    std::vector<std::uint8_t> lines(static_cast<std::size_t>(k / 8 * line_stride), 0xee);
    hs::rows_to_nibble_lines(rows.data(), row_stride, k, lines.data(), line_stride);
    for (hs::Index n = 0; n < 16; ++n) {
      std::vector<std::uint8_t> row(static_cast<std::size_t>(k));
      hs::nibble_lines_to_row(lines.data(), line_stride, n, k, row.data());
      for (hs::Index i = 0; i < k; ++i) {
        const std::uint8_t byte = lines[static_cast<std::size_t>(i / 8 * line_stride + n * 4 + i % 4)];
        const std::uint8_t code = rows[static_cast<std::size_t>(n * row_stride + i)];
        REQUIRE((i % 8 < 4 ? byte & 15 : byte >> 4) == code);
        REQUIRE(row[static_cast<std::size_t>(i)] == code);
      }
    }
  }
}

TEST_CASE("a line is also made of columns", "[lines]") {
  const auto columns = bytes_below(4 * 20, 256);
  std::vector<std::uint8_t> line(64);
  hs::columns_to_byte_line(columns.data(), 20, line.data());
  for (std::size_t n = 0; n < 16; ++n) {
    for (std::size_t i = 0; i < 4; ++i) CHECK(line[4 * n + i] == columns[20 * i + n]);
  }
}

TEST_CASE("quarter lines hold sixteen k of sixteen rows, and become nibble lines", "[lines]") {
  for (const hs::Index k : {0, 16, 48}) {
    const hs::Index row_stride = k + 3, tiles = 3, line_stride = tiles * 64;
    std::vector<std::uint8_t> lines(static_cast<std::size_t>(k / 16 * line_stride), 0xee), nibbles(2 * lines.size());
    std::vector<std::uint8_t> expected(nibbles.size());
    for (hs::Index t = 0; t < tiles; ++t) {
      auto rows = bytes_below(static_cast<std::size_t>(16 * row_stride), 4);
      rows[0] = static_cast<std::uint8_t>(t);
      hs::rows_to_quarter_lines(rows.data(), row_stride, k, lines.data() + t * 64, line_stride);
      hs::rows_to_nibble_lines(rows.data(), row_stride, k, expected.data() + t * 64, line_stride);
      for (hs::Index n = 0; n < 16; ++n) {
        std::vector<std::uint8_t> row(static_cast<std::size_t>(k));
        hs::quarter_lines_to_row(lines.data() + t * 64, line_stride, n, k, row.data());
        for (hs::Index i = 0; i < k; ++i) {
          const std::uint8_t byte = lines[static_cast<std::size_t>(i / 16 * line_stride + t * 64 + n * 4 + i % 4)];
          REQUIRE((byte >> (i % 16 / 4 * 2) & 3) == rows[static_cast<std::size_t>(n * row_stride + i)]);
          REQUIRE(row[static_cast<std::size_t>(i)] == rows[static_cast<std::size_t>(n * row_stride + i)]);
        }
      }
    }
    hs::quarter_lines_to_nibble_lines(lines.data(), k, tiles, nibbles.data());
    CHECK(nibbles == expected);
  }
}

TEST_CASE("the bytes of each row of byte lines add up, at their extremes too", "[lines]") {
  for (const hs::Index count : {0, 1, 3, 256, 257, 700}) {
    for (const int value : {-128, 127, 1}) {
      const hs::Index line_stride = 2 * 64;
      auto lines = bytes_below(static_cast<std::size_t>(count * line_stride + 1), 256);
      std::int32_t expected[16], sums[16];
      for (hs::Index n = 0; n < 16; ++n) {
        expected[n] = sums[n] = static_cast<std::int32_t>(100 * n);
        for (hs::Index i = 0; i < count; ++i) {
          for (hs::Index j = 0; j < 4; ++j) {
            std::uint8_t& byte = lines[static_cast<std::size_t>(i * line_stride + 4 * n + j)];
            if (n % 2 == 0) byte = static_cast<std::uint8_t>(value);
            expected[n] += static_cast<std::int8_t>(byte);
          }
        }
      }
      hs::add_line_sums(lines.data(), line_stride, count, sums);
      for (std::size_t n = 0; n < 16; ++n) REQUIRE(sums[n] == expected[n]);
    }
  }
}
