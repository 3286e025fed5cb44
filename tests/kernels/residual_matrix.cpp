#include "halfstep/kernels/residual_matrix.hpp"

#include <cmath>
#include <vector>

#include "kernels/vector_samples.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("each stage codes what the stages before it leave over", "[codebook]") {
  const FloatMatrix w = random_matrix(9, 24, 21);
  const Tiling tiling = per_row_block(3);
  const auto a = random_codebooks<4, 16>(3, 22), b = random_codebooks<4, 16>(3, 23, 0.4f),
             c = random_codebooks<4, 16>(3, 24, 0.2f);
  const auto all = quantize_residual<Codebook<4, 16>>(w.view(), {a, b, c}, tiling);
  REQUIRE(all.stages().size() == 3);
  MatrixF left(9, 24), sum = MatrixF::Zero(9, 24);
  for (Index i = 0; i < left.size(); ++i) left.data()[i] = w.values[static_cast<std::size_t>(i)];
  for (std::size_t s = 0; s < 3; ++s) {
    const auto stage = quantize_vectors(left, s == 0 ? a : (s == 1 ? b : c), tiling);
    CHECK(all.stages()[s] == stage);
    const MatrixF decoded = dequantize(stage);
    left -= decoded;
    sum = s == 0 ? decoded : MatrixF(sum + decoded);
  }
  CHECK(dequantize(all) == sum);
  CHECK(all.bytes() == 3 * all.stages()[0].bytes());
  CHECK(all.shape() == Shape{9, 24});
}

TEST_CASE("8-bit codebooks of two stages share one power of two", "[codebook]") {
  const auto a = random_codebooks<2, 16>(5, 25), b = random_codebooks<2, 16>(5, 26, 0.03f);
  const auto stages = to_int8_stages(a, b);
  const float ratio = stages.second[0].scale / stages.first[0].scale;
  CHECK(std::exp2(std::nearbyint(std::log2(ratio))) == ratio);
  bool is_needed = false;
  for (std::size_t g = 0; g < 5; ++g) {
    CHECK(stages.first[g] == to_int8(a[g]));
    CHECK(stages.second[g].scale == stages.first[g].scale * ratio);
    CHECK(stages.second[g].scale >= int8_scale(b[g]));  // nothing saturates
    is_needed = is_needed || stages.second[g].scale / 2 < int8_scale(b[g]);
  }
  CHECK(is_needed);
  const auto zeros = to_int8_stages<2, 16>({{}}, {{}});
  CHECK(zeros.first[0].scale == 1);
}

TEST_CASE("stages that do not fit are refused", "[codebook]") {
  const FloatMatrix w = random_matrix(4, 8, 27);
  const auto books = random_codebooks<4, 16>(1, 28);
  CHECK_RAISES((quantize_residual<Codebook<4, 16>>(w.view(), {})), "ResidualMatrix: stages is empty");
  const auto one = quantize_vectors(w.view(), books), other = quantize_vectors(w.view().col_range(0, 4), books);
  CHECK_RAISES((ResidualMatrix<Codebook<4, 16>>({one, other})), "stages have shapes [4, 8] and [4, 4], expected one");
  CHECK_RAISES((to_int8_stages<4, 16>(books, {})), "to_int8_stages: first has 1 codebooks, second 0");
}
