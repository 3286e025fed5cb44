#include "halfstep/kernels/vector_matrix.hpp"

#include <cstdint>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "kernels/vector_samples.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

template <int Dim, int Words>
void check_matrix(Index rows, Index cols) {
  const FloatMatrix w = random_matrix(rows, cols, 5);
  ThreadPool pool(3);
  const BackwardsExecutor backwards;
  for (const Tiling& tiling : vector_tilings()) {
    CAPTURE(Dim, Words, rows, cols, tiling.tile_rows, tiling.tile_cols);
    const auto books = random_codebooks<Dim, Words>(granule_count(tiling, {rows, cols}), 6);
    const auto q = quantize_vectors(w.view(), books, tiling);
    CHECK(quantize_vectors(w.view(), books, tiling, pool) == q);
    CHECK(quantize_vectors(w.view(), books, tiling, backwards) == q);
    const MatrixF values = dequantize(q, pool);
    for (Index r = 0; r < rows; ++r) {
      for (Index v = 0; v < cols / Dim; ++v) {
        VectorLanes<Dim, float> x;
        std::copy_n(w.view().row(r) + v * Dim, Dim, x.begin());
        const auto& book = books[static_cast<std::size_t>(q.grid().granule(r, v * Dim))];
        REQUIRE(q.code(r, v) == book.encode(x));
        for (Index j = 0; j < Dim; ++j) {
          REQUIRE(values(r, v * Dim + j) == book.word(q.code(r, v))[j]);
          REQUIRE(q.value(r, v * Dim + j) == values(r, v * Dim + j));
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("a matrix holds the nearest codes of its vectors, for every tiling", "[codebook]") {
  check_matrix<4, 256>(7, 40);
  check_matrix<4, 16>(16, 80);
  check_matrix<2, 64>(11, 44);
  check_matrix<1, 5>(9, 31);
}

TEST_CASE("rows of codes are packed to the stated bits, and come back", "[codebook]") {
  const FloatMatrix w = random_matrix(6, 22, 7);
  auto q = quantize_vectors(w.view(), random_codebooks<2, 64>(1, 8));
  CHECK(q.packed_row(0).size() == 9);  // 11 codes of 6 bits
  CHECK(q.bytes() == 6 * 9 + 64 * 2 * 4);
  CHECK(q.bits_per_weight() == 8.0 * (6 * 9 + 512) / 132);
  const auto before = q;
  std::vector<std::uint8_t> codes(11);
  q.unpack_row(3, codes.data());
  for (Index v = 0; v < 11; ++v) CHECK(codes[static_cast<std::size_t>(v)] == q.code(3, v));
  q.set_row(3, std::vector<std::uint8_t>(11).data());
  CHECK_FALSE(q == before);
  q.set_row(3, codes.data());
  CHECK(q == before);
  CHECK(VectorMatrix<Codebook<2, 64>>().bits_per_weight() == 0);
}

TEST_CASE("any storage order and number type can be coded", "[codebook]") {
  const FloatMatrix w = random_matrix(8, 12, 9);
  const auto books = random_codebooks<4, 16>(1, 10);
  MatrixD wide(8, 12);
  Eigen::MatrixXf columns(8, 12);
  for (Index r = 0; r < 8; ++r) {
    for (Index c = 0; c < 12; ++c) {
      wide(r, c) = static_cast<double>(w(r, c));
      columns(r, c) = w(r, c);
    }
  }
  CHECK(quantize_vectors(wide, books) == quantize_vectors(w.view(), books));
  CHECK(quantize_vectors(columns, books) == quantize_vectors(w.view(), books));
}

TEST_CASE("vectors that do not fill a matrix or its granules are refused", "[codebook]") {
  const FloatMatrix w = random_matrix(4, 10, 11);
  const auto books = random_codebooks<4, 16>(8, 12);
  CHECK_RAISES(quantize_vectors(w.view(), books), "VectorMatrix: matrix has 10 columns, expected a multiple of 4");
  const auto narrow = w.view().col_range(0, 8);
  CHECK_RAISES(quantize_vectors(narrow, books, per_group(6)), "granules have 6 columns, expected a multiple of 4");
  CHECK_RAISES(quantize_vectors(narrow, books),
               "quantizers has 8 entries, the tiling of a matrix of shape [4, 8] has 1");
  CHECK_RAISES(quantize_vectors(narrow, books, per_column_map({0, 0, 0, 0, 1, 1, 1, 1})), "tiling is a column map");
}
