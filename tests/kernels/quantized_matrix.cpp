#include "halfstep/kernels/quantized_matrix.hpp"

#include <cstdint>
#include <vector>

#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;

TEMPLATE_TEST_CASE("codes are kept row by row", "[quantized_matrix]", hs::Uniform<2>, hs::Uniform<3>, hs::Uniform<5>,
                   hs::Uniform<8>) {
  using Q = TestType;
  hs::QuantizedMatrix<Q> matrix({3, 13}, hs::per_group(5));
  CHECK(matrix.shape() == hs::Shape{3, 13});
  CHECK(matrix.grid().count() == 9);
  CHECK(matrix.quantizer(4) == Q{});
  std::vector<std::uint8_t> codes(13), read(13);
  for (hs::Index r = 2; r >= 0; --r) {
    for (std::size_t c = 0; c < 13; ++c)
      codes[c] = static_cast<std::uint8_t>((5 * c + static_cast<std::size_t>(r)) % 4);
    matrix.set_row(r, codes.data());
  }
  for (hs::Index r = 0; r < 3; ++r) {
    matrix.unpack_row(r, read.data());
    for (hs::Index c = 0; c < 13; ++c) {
      CHECK(matrix.code(r, c) == (5 * c + r) % 4);
      CHECK(read[static_cast<std::size_t>(c)] == (5 * c + r) % 4);
    }
    CHECK(matrix.packed_row(r).size() == static_cast<std::size_t>(hs::packed_bytes(13, Q::bits)));
  }
  matrix.set_quantizer(4, Q{0.5f, 2});
  CHECK(matrix.quantizer_at(1, 7) == Q{0.5f, 2});
  CHECK(matrix.value(1, 7) == 0.5f * static_cast<float>(matrix.code(1, 7) - 2));
  CHECK(matrix.value(1, 11) == static_cast<float>(matrix.code(1, 11)));
}

TEST_CASE("two matrices are equal if everything is", "[quantized_matrix]") {
  using Q = hs::Uniform<4>;
  const hs::QuantizedMatrix<Q> matrix({2, 3}, hs::per_row());
  hs::QuantizedMatrix<Q> other = matrix;
  CHECK(other == matrix);
  const std::vector<std::uint8_t> codes{0, 1, 0};
  other.set_row(1, codes.data());
  CHECK_FALSE(other == matrix);
  other = matrix;
  other.set_quantizer(1, Q{2, 0});
  CHECK_FALSE(other == matrix);
  CHECK_FALSE(hs::QuantizedMatrix<Q>({2, 3}, hs::per_tensor()) == matrix);
  CHECK_FALSE(hs::QuantizedMatrix<Q>({2, 3}, hs::per_row(), hs::ScaleStorage::f16) == matrix);
  CHECK_FALSE(hs::QuantizedMatrix<Q>({3, 2}, hs::per_row()) == matrix);
}

TEST_CASE("size is counted as it is stored", "[quantized_matrix]") {
  const hs::QuantizedMatrix<hs::Uniform<4>> f32({8, 256}, hs::per_group(128));
  CHECK(f32.bytes() == 8 * 128 + 16 * 8);
  CHECK(f32.bits_per_weight() == 4.5);
  const hs::QuantizedMatrix<hs::Uniform<4>> f16({8, 256}, hs::per_group(128), hs::ScaleStorage::f16);
  CHECK(f16.bytes() == 8 * 128 + 16 * 6);
  CHECK(hs::QuantizedMatrix<hs::Uniform<4>>().bits_per_weight() == 0);
}

TEST_CASE("impossible shapes are refused", "[quantized_matrix]") {
  CHECK_RAISES((hs::QuantizedMatrix<hs::Uniform<4>>({-1, 2}, hs::per_row())), "shape is [-1, 2]");
  CHECK_RAISES((hs::QuantizedMatrix<hs::Uniform<4>>({1, 2}, hs::per_column_map({0}))), "column map has 1 entries");
  CHECK_NOTHROW(hs::QuantizedMatrix<hs::Uniform<4>>({0, 2}, hs::per_row()));
}
