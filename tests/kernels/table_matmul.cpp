#include "halfstep/kernels/table_matmul.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "kernels/matrices.hpp"
#include "kernels/vector_samples.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// One output in the order that the header writes down.
template <class Q>
float expected_sum(const MatrixF& x, Index t, const VectorMatrix<Q>& w, Index n) {
  float sums[16] = {};
  for (Index v = 0; v < w.vectors(); ++v) {
    volatile float entry = 0;
    for (Index j = 0; j < Q::dim; ++j) {
      const volatile float product = x(t, v * Q::dim + j) * w.value(n, v * Q::dim + j);
      entry = j == 0 ? product : entry + product;
    }
    sums[v % 16] += entry;
  }
  for (int width = 8; width > 0; width /= 2) {
    for (int l = 0; l < width; ++l) sums[l] += sums[l + width];
  }
  return sums[0];
}

template <class Q>
MatrixF expected_product(const MatrixF& x, const std::vector<VectorMatrix<Q>>& stages, const MatrixF& bias) {
  MatrixF y(x.rows(), stages[0].rows());
  for (Index t = 0; t < y.rows(); ++t) {
    for (Index n = 0; n < y.cols(); ++n) {
      float sum = expected_sum(x, t, stages[0], n);
      for (std::size_t s = 1; s < stages.size(); ++s) sum += expected_sum(x, t, stages[s], n);
      y(t, n) = sum + bias(0, n);
    }
  }
  return y;
}

template <int Dim, int Words>
void check_tables(Index rows, Index cols) {
  const FloatMatrix w = random_matrix(rows, cols, 41);
  const MatrixF x = random_eigen(3, cols, 42), bias = random_eigen(1, rows, 43);
  const VectorView b(bias.data(), rows);
  ThreadPool pool(3);
  const BackwardsExecutor backwards;
  for (const Tiling& tiling : vector_tilings()) {
    CAPTURE(Dim, Words, rows, cols, tiling.tile_rows, tiling.tile_cols);
    const Index granules = granule_count(tiling, {rows, cols});
    const auto books = random_codebooks<Dim, Words>(granules, 44);
    const auto one = quantize_vectors(w.view(), books, tiling);
    const MatrixF y = expected_product<Codebook<Dim, Words>>(x, {one}, bias);
    CHECK(difference(table_matmul(x, one, b), y) == "");
    CHECK(difference(table_matmul(x, one, b, pool), y) == "");
    CHECK(difference(table_matmul(x, one, b, backwards), y) == "");
    const auto two = quantize_residual<Codebook<Dim, Words>>(
        w.view(), {books, random_codebooks<Dim, Words>(granules, 45, 0.3f)}, tiling);
    CHECK(difference(table_matmul(x, two, b), expected_product(x, two.stages(), bias)) == "");
    const auto bytes = quantize_vectors(w.view(), in_bytes(books), tiling);
    CHECK(difference(table_matmul(x, bytes, b), expected_product<Int8Codebook<Dim, Words>>(x, {bytes}, bias)) == "");
  }
}

}  // namespace

TEST_CASE("table products are sums of the products of vectors and words, in the written order", "[codebook]") {
  check_tables<4, 256>(13, 80);
  check_tables<4, 16>(21, 40);
  check_tables<2, 64>(9, 44);
  check_tables<1, 5>(6, 33);
}

TEST_CASE("a table product without bias is that of a bias of zeros", "[codebook]") {
  const FloatMatrix w = random_matrix(5, 16, 46);
  const MatrixF x = random_eigen(2, 16, 47);
  const auto q = quantize_vectors(w.view(), random_codebooks<4, 16>(1, 48));
  CHECK(table_matmul(x, q) == table_matmul(x, q, std::vector<float>(5)));
  CHECK(table_matmul(MatrixF(0, 16), q).rows() == 0);
}

TEST_CASE("rows that are not finite give NaN in a table product, the others what they gave", "[codebook]") {
  const auto q = quantize_vectors(random_matrix(5, 16, 49).view(), random_codebooks<4, 16>(1, 50));
  MatrixF x = random_eigen(3, 16, 51);
  const MatrixF before = table_matmul(x, q);
  x(1, 3) = std::numeric_limits<float>::infinity();
  const MatrixF after = table_matmul(x, q);
  for (Index n = 0; n < 5; ++n) {
    CHECK(after(0, n) == before(0, n));
    CHECK(std::isnan(after(1, n)));
    CHECK(after(2, n) == before(2, n));
  }
}

TEST_CASE("table products refuse what does not fit", "[codebook]") {
  const auto q = quantize_vectors(random_matrix(5, 16, 52).view(), random_codebooks<4, 16>(1, 53));
  CHECK_RAISES(table_matmul(MatrixF(2, 12), q), "table_matmul: x has 12 columns, weight expects 16 (its in_features)");
  CHECK_RAISES(table_matmul(MatrixF(2, 16), q, std::vector<float>(4)), "bias has 4 elements, weight has 5 rows");
  using Stages = std::vector<VectorMatrix<Codebook<4, 16>>>;
  const auto multiply = [](const Stages& stages) {
    return table_matmul(MatrixF(2, 16), std::span<const Stages::value_type>(stages));
  };
  CHECK_RAISES(multiply({}), "table_matmul: stages is empty, expected at least one");
  const auto taller = quantize_vectors(random_matrix(6, 16, 54).view(), random_codebooks<4, 16>(1, 53));
  CHECK_RAISES(multiply({q, taller}), "table_matmul: stages have shapes [5, 16] and [6, 16], expected one");
  const auto wider = quantize_vectors(random_matrix(5, 20, 55).view(), random_codebooks<4, 16>(1, 53));
  CHECK_RAISES(multiply({q, wider}), "table_matmul: stages have shapes [5, 16] and [5, 20], expected one");
}

TEST_CASE("codes past the last word multiply like the last one in a table product", "[codebook]") {
  const MatrixF x = random_eigen(2, 36, 56);
  const auto check = [&]<int Words>(const std::vector<Codebook<1, Words>>& books) {
    VectorMatrix<Codebook<1, Words>> past({1, 36}, per_tensor(), books), last = past;
    past.set_row(0, std::vector<std::uint8_t>(36, (1 << Codebook<1, Words>::bits) - 1).data());
    last.set_row(0, std::vector<std::uint8_t>(36, Words - 1).data());
    CHECK(dequantize(past) == dequantize(last));
    CHECK(table_matmul(x, past) == table_matmul(x, last));
  };
  check(random_codebooks<1, 5>(1, 57));
  check(random_codebooks<1, 200>(1, 58));
}
