#include "halfstep/kernels/sign_matrix.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/quantizers/binary.hpp"
#include "kernels/matrices.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("signs of floats: bits, sums, and zeros beyond the last column", "[sign_matrix]") {
  for (const hs::Index cols : {0, 1, 63, 64, 65, 128, 200}) {
    const hs::MatrixF x = random_eigen(5, cols, 1);
    const hs::Binary binary{0.7f, 0.1f};
    const hs::Elastic<1> elastic{0.5f, -0.2f};
    const hs::SignMatrix signs = hs::encode_signs(x, binary), ones = hs::encode_signs(x, elastic);
    CHECK(signs.values() == hs::BitValues::signs);
    CHECK(ones.values() == hs::BitValues::zero_one);
    CHECK(signs.words() == (cols + 63) / 64);
    for (hs::Index r = 0; r < 5; ++r) {
      std::int64_t sum = 0, count = 0;
      for (hs::Index k = 0; k < cols; ++k) {
        CHECK(signs.bit(r, k) == (binary.encode(x(r, k)) == 1));
        CHECK(signs.integer(r, k) == (x(r, k) < 0.1f ? -1 : 1));
        CHECK(ones.integer(r, k) == elastic.encode(x(r, k)));
        sum += signs.integer(r, k);
        count += ones.integer(r, k);
      }
      CHECK(signs.sum(r) == sum);
      CHECK(ones.sum(r) == count);
      CHECK(signs.scale(r) == 0.7f);
      CHECK(signs.zero(r) == 0.0f);
      CHECK(ones.zero(r) == 0.2f / 0.5f);
      if (cols % 64 != 0) CHECK(signs.row(r)[signs.words() - 1] >> (cols % 64) == 0);
    }
  }
}

TEST_CASE("signs of a quantized matrix are its codes", "[sign_matrix]") {
  const hs::MatrixF w = random_eigen(9, 70, 2);
  for (const hs::Tiling& tiling : {hs::per_tensor(), hs::per_row(), hs::per_row_block(4)}) {
    const auto q = hs::quantize<hs::Binary>(w, {.tiling = tiling});
    const hs::SignMatrix signs = hs::signs_of(q);
    for (hs::Index r = 0; r < 9; ++r) {
      CHECK(signs.scale(r) == q.quantizer_at(r, 0).scale);
      for (hs::Index k = 0; k < 70; ++k) CHECK(signs.bit(r, k) == (q.code(r, k) == 1));
    }
  }
  CHECK_RAISES(hs::signs_of(hs::quantize<hs::Binary>(w, {.tiling = hs::per_group(35)})),
               "halfstep: signs_of: matrix has 2 granules to a row, expected one");
  CHECK(hs::signs_of(hs::quantize<hs::Binary>(hs::MatrixF(0, 7))).rows() == 0);
}

TEST_CASE("packed signs are the same bits, eight rows to a line", "[sign_matrix]") {
  for (const hs::Index rows : {0, 1, 7, 8, 9, 20}) {
    const hs::SignMatrix signs = hs::encode_signs(random_eigen(rows, 130, 3), hs::Binary{});
    const hs::PackedSigns packed = hs::pack(signs);
    CHECK(packed.shape() == signs.shape());
    CHECK(packed.padded_rows() % 8 == 0);
    for (hs::Index n = 0; n < packed.padded_rows(); ++n) {
      for (hs::Index w = 0; w < packed.words(); ++w) {
        CHECK(packed.tile(n / 8)[w * 8 + n % 8] == (n < rows ? signs.row(n)[w] : 0));
      }
      CHECK(packed.ones()[n] == (n < rows ? signs.ones(n) : 0));
    }
  }
}

TEST_CASE("a row that is not finite is marked, on any executor", "[sign_matrix]") {
  hs::MatrixF x = random_eigen(3000, 20, 4);
  x(1234, 19) = std::numeric_limits<float>::infinity();
  hs::ThreadPool pool(3);
  const hs::SignMatrix signs = hs::encode_signs(x, hs::Binary{0.5f, 0.0f}, pool);
  for (hs::Index r = 0; r < 3000; ++r) CHECK((r == 1234 ? std::isnan(signs.scale(r)) : signs.scale(r) == 0.5f));
}
