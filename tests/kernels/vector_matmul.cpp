#include "halfstep/kernels/vector_matmul.hpp"

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

template <int Dim, int Words>
void check_product(Index rows, Index cols) {
  const FloatMatrix w = random_matrix(rows, cols, 61);
  const MatrixF x = random_eigen(7, cols, 62), bias = random_eigen(1, rows, 63), residual = random_eigen(7, rows, 64);
  ThreadPool pool(3);
  const BackwardsExecutor backwards;
  for (const Tiling& tiling : vector_tilings()) {
    CAPTURE(Dim, Words, rows, cols, tiling.tile_rows, tiling.tile_cols);
    const Index granules = granule_count(tiling, {rows, cols});
    const auto books = random_codebooks<Dim, Words>(granules, 65);
    const auto stages = to_int8_stages(books, random_codebooks<Dim, Words>(granules, 66, 0.2f));
    const auto one = quantize_vectors(w.view(), in_bytes(books), tiling);
    const auto two = quantize_residual<Int8Codebook<Dim, Words>>(w.view(), {stages.first, stages.second}, tiling);
    MatmulOptions options;
    CHECK(difference(vector_matmul(x, one), matmul(x, pack(one))) == "");
    options.bias = VectorView(bias.data(), rows);
    options.epilogue = Relu{};
    options.residual = view(residual);
    const MatrixF expected = matmul(x, pack(two), options);
    CHECK(difference(vector_matmul(x, two, options), expected) == "");
    CHECK(difference(vector_matmul(encode(x, options.activation), two, options), expected) == "");
    options.executor = pool;
    CHECK(difference(vector_matmul(x, two, options), expected) == "");
    options.executor = backwards;
    CHECK(difference(vector_matmul(x, two, options), expected) == "");
  }
}

}  // namespace

TEST_CASE("products from the codes of 8-bit codebooks are those of the packed weight", "[codebook]") {
  check_product<4, 256>(130, 80);
  check_product<2, 16>(64, 40);
  check_product<1, 7>(17, 24);
}

TEST_CASE("products from codes refuse what does not fit", "[codebook]") {
  const auto q = quantize_vectors(random_matrix(5, 16, 67).view(), in_bytes(random_codebooks<4, 16>(1, 68)));
  MatmulOptions options;
  CHECK_RAISES(vector_matmul(MatrixF(2, 12), q),
               "vector_matmul: x has 12 columns, weight expects 16 (its in_features)");
  const std::vector<float> bias(4);
  options.bias = bias;
  CHECK_RAISES(vector_matmul(MatrixF(2, 16), q, options), "bias has 4 elements, weight has 5 rows");
  options.bias = {};
  const MatrixF residual(3, 5);
  options.residual = view(residual);
  CHECK_RAISES(vector_matmul(MatrixF(2, 16), q, options), "residual has shape [3, 5], expected [2, 5]");
  options.residual = {};
  options.blocking.panel_k = 5;
  CHECK_RAISES(vector_matmul(MatrixF(2, 16), q, options), "blocking has rows 256 and panel_k 5");
}
