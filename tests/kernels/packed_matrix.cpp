#include "halfstep/kernels/packed_matrix.hpp"

#include <array>
#include <cstdint>
#include <set>
#include <vector>

#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("lines are where the picture has them", "[packed_matrix]") {
  // 70 rows: a column block of four lane tiles and one of one; K of 40 in groups of 19: 32 + 32 + 16 bytes.
  for (const hs::WeightStorage storage : {hs::WeightStorage::bytes, hs::WeightStorage::nibbles}) {
    const hs::Index per_byte = storage == hs::WeightStorage::nibbles ? 2 : 1;
    hs::PackedMatrix matrix(70, hs::KLayout(40, 19), storage, 2);
    CHECK(matrix.shape() == hs::Shape{70, 40});
    CHECK(matrix.padded_rows() == 80);
    CHECK(matrix.blocks() == 2);
    CHECK(matrix.tiles(0) == 4);
    CHECK(matrix.tiles(1) == 1);
    CHECK(matrix.line_stride(0) == 256);
    CHECK(matrix.line_stride(1) == 64);
    const std::uint8_t* const first = matrix.lines(0, 0, 0);
    CHECK(matrix.lines(0, 0, 16) == first + 16 * 64 / per_byte);
    CHECK(matrix.lines(0, 1, 0) == first + 64 * 80 / per_byte);
    CHECK(matrix.lines(0, 1, 16) == first + (64 * 80 + 16 * 16) / per_byte);
    CHECK(matrix.lines(1, 0, 0) == (storage == hs::WeightStorage::nibbles ? first : first + 80 * 80));
    hs::PackedMatrixWriter writer(matrix);
    CHECK(writer.lines(0, 3, 16) == matrix.lines(0, 0, 16) + 3 * 64);
    CHECK(writer.lines(0, 4, 16) == matrix.lines(0, 1, 16));
    CHECK(writer.line_stride(3) == 256);
    CHECK(writer.line_stride(4) == 64);
  }
}

TEST_CASE("every element has a place of its own", "[packed_matrix]") {
  for (const hs::WeightStorage storage : {hs::WeightStorage::bytes, hs::WeightStorage::nibbles}) {
    hs::PackedMatrix matrix(70, hs::KLayout(40, 19), storage, 1);
    hs::PackedMatrixWriter writer(matrix);
    std::array<std::uint8_t, 256> values{};
    for (std::size_t code = 0; code < 256; ++code) values[code] = static_cast<std::uint8_t>(code);
    writer.set_code_values(0, 16, values);
    const hs::Index bytes = matrix.padded_rows() * matrix.layout().padded_k();
    std::uint8_t* const data = writer.lines(0, 0, 0);
    const hs::Index size = storage == hs::WeightStorage::nibbles ? bytes / 2 : bytes;
    std::fill(data, data + size, std::uint8_t{0});
    // Change one byte (or nibble) at a time: exactly one element, or padding, changes.
    int elements = 0;
    for (hs::Index at = 0; at < size; at += 7) {
      data[at] = 5;
      int changed = 0;
      for (hs::Index n = 0; n < 70; ++n) {
        for (hs::Index k = 0; k < 40; ++k) changed += matrix.plane_value(0, n, k) != 0 ? 1 : 0;
      }
      REQUIRE(changed <= 1);
      elements += changed;
      data[at] = 0;
    }
    CHECK(elements > 0);
    // read_row agrees with plane_value.
    for (hs::Index at = 0; at < size; ++at) data[at] = static_cast<std::uint8_t>(at * 37);
    std::vector<std::uint8_t> row(static_cast<std::size_t>(matrix.layout().padded_k()));
    for (hs::Index n = 0; n < 70; ++n) {
      matrix.read_row(0, n, row.data());
      for (hs::Index k = 0; k < 40; ++k) {
        const auto value = static_cast<std::int8_t>(row[static_cast<std::size_t>(matrix.layout().position(k))]);
        REQUIRE(value == matrix.plane_value(0, n, k));
      }
    }
  }
}

TEST_CASE("what kernels may assume of zeros is noted", "[packed_matrix]") {
  hs::PackedMatrix matrix(2, hs::KLayout(4, 0), hs::WeightStorage::bytes, 1);
  hs::PackedMatrixWriter writer(matrix);
  const auto set = [&](float a, float b) {
    for (hs::Index n = 0; n < 16; ++n) writer.set_zero(0, n, n == 0 ? a : (n == 1 ? b : 0.0f));
    writer.finish();
  };
  set(0, 0);
  CHECK_FALSE(matrix.has_zeros());
  CHECK(matrix.zeros_are_integers());
  CHECK(matrix.largest_zero() == 0);
  set(-7, 3);
  CHECK(matrix.has_zeros());
  CHECK(matrix.zeros_are_integers());
  CHECK(matrix.largest_zero() == 7);
  set(0, 0.5f);
  CHECK_FALSE(matrix.zeros_are_integers());
  set(0, 1e12f);
  CHECK_FALSE(matrix.zeros_are_integers());
}

TEST_CASE("a packed matrix uses its memory again", "[packed_matrix]") {
  hs::PackedMatrix matrix(64, hs::KLayout(64, 0), hs::WeightStorage::bytes, 1);
  const std::uint8_t* const before = matrix.lines(0, 0, 0);
  hs::PackedMatrixWriter(matrix).set_input_order({3, 2});
  matrix.reset(20, hs::KLayout(60, 0), hs::WeightStorage::bytes, 1);
  CHECK(matrix.lines(0, 0, 0) == before);
  CHECK(matrix.input_order().empty());
  CHECK(matrix.channel(5) == 5);
  CHECK(matrix.bytes() == 32 * 64 + 4 * (32 + 32));
  CHECK(hs::PackedMatrix().bits_per_weight() == 0);
}
