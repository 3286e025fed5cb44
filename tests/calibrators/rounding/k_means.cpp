#include "halfstep/calibrators/rounding/k_means.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

template <int Dim, int Words>
double squared_error(const FloatMatrix& x, const KMeansResult<Dim, Words>& result, const std::vector<float>& h = {}) {
  double sum = 0;
  for (Index i = 0; i < x.rows * x.cols / Dim; ++i) {
    for (Index j = 0; j < Dim; ++j) {
      const double d = static_cast<double>(x.values[static_cast<std::size_t>(i * Dim + j)]) -
                       static_cast<double>(result.codebook.word(result.codes[static_cast<std::size_t>(i)])[j]);
      sum += d * d * (h.empty() ? 1.0 : static_cast<double>(h[static_cast<std::size_t>((i * Dim + j) % x.cols)]));
    }
  }
  return sum;
}

}  // namespace

TEST_CASE("k-means finds clusters that are far apart") {
  FloatMatrix x(40, 8);
  for (Index i = 0; i < 160; ++i) {
    const float centre = static_cast<float>(i * 7 % 4) * 10;
    x.values[static_cast<std::size_t>(2 * i)] = centre + static_cast<float>(i % 3 - 1) * 0.25f;
    x.values[static_cast<std::size_t>(2 * i + 1)] = -centre;
  }
  const auto result = k_means<2, 4>(x.view(), {.seed = 3});
  CHECK(result.words == 4);
  CHECK(result.iterations < 10);
  std::vector<bool> found(4);
  for (int c = 0; c < 4; ++c) {
    const float centre = std::nearbyint(result.codebook.word(c)[0] / 10) * 10;
    CHECK(std::fabs(result.codebook.word(c)[0] - centre) < 0.02f);
    CHECK(result.codebook.word(c)[1] == -centre);
    found[static_cast<std::size_t>(centre / 10)] = true;
  }
  CHECK(found == std::vector<bool>(4, true));
}

TEST_CASE("no iteration makes the error larger, and codes are the nearest under the codebook returned") {
  const FloatMatrix x = random_matrix(96, 64, 4);
  for (const Seeding seeding : {Seeding::plus_plus, Seeding::mahalanobis}) {
    double before = std::numeric_limits<double>::infinity();
    for (int iterations = 0; iterations < 12; ++iterations) {
      const auto result = k_means<4, 64>(x.view(), {.iterations = iterations, .seeding = seeding, .seed = 8});
      const double error = squared_error(x, result);
      CAPTURE(iterations);
      CHECK(error <= before * (1 + 1e-6));
      before = error;
      const auto codes = quantize_vectors<Codebook<4, 64>>(x.view(), {result.codebook});
      for (Index r = 0; r < 96; ++r) {
        for (Index v = 0; v < 16; ++v) REQUIRE(codes.code(r, v) == result.codes[static_cast<std::size_t>(r * 16 + v)]);
      }
    }
  }
}

TEST_CASE("k-means does not depend on executor, storage order or number type") {
  const FloatMatrix x = random_matrix(300, 64, 5);
  ThreadPool pool(3);
  const BackwardsExecutor backwards;
  const KMeansOptions options{.iterations = 5, .seed = 9};
  KMeansOptions threaded = options, reversed = options;
  threaded.executor = pool;
  reversed.executor = backwards;
  const auto expected = k_means<4, 16>(x.view(), options);
  MatrixD wide(300, 64);
  Eigen::MatrixXf columns(300, 64);
  for (Index r = 0; r < 300; ++r) {
    for (Index c = 0; c < 64; ++c) {
      wide(r, c) = static_cast<double>(x(r, c));
      columns(r, c) = x(r, c);
    }
  }
  for (const auto& found : {k_means<4, 16>(x.view(), threaded), k_means<4, 16>(x.view(), reversed),
                            k_means<4, 16>(wide, options), k_means<4, 16>(columns, options)}) {
    CHECK(found.codebook == expected.codebook);
    CHECK(found.codes == expected.codes);
  }
}

TEST_CASE("weights of columns count squared errors") {
  const FloatMatrix x = random_matrix(64, 16, 6);
  std::vector<float> h(16, 0.01f);
  for (std::size_t c = 0; c < 16; c += 4) h[c] = 10;
  const auto plain = k_means<4, 16>(x.view(), {.seed = 2});
  const auto weighted = k_means<4, 16>(x.view(), {.seed = 2, .column_weights = h});
  CHECK(squared_error(x, weighted, h) < squared_error(x, plain, h) * 0.7);
  const auto ones = k_means<4, 16>(x.view(), {.seed = 2, .column_weights = std::vector<float>(16, 1.0f)});
  CHECK(ones.codebook == plain.codebook);
  // Columns without weight have no say, and their elements become 0.
  std::vector<float> none(16, 1.0f);
  none[1] = none[5] = none[9] = none[13] = 0;
  const auto silent = k_means<4, 16>(x.view(), {.seed = 2, .column_weights = none});
  for (int c = 0; c < silent.words; ++c) CHECK(silent.codebook.word(c)[1] == 0);
}

TEST_CASE("words without vectors become zero, or the farthest vector") {
  const std::vector<float> x{1, 1, 1, 1, 1, 2, 1, 1, 1, 7, 1, 1};  // six vectors of two values
  Codebook<2, 4> start;
  start.values = {1, 1, 50, 50, 60, 60, 70, 70};
  const VectorSamples samples{x.data(), 6};
  const auto zero = k_means_from(start, 4, samples, {.iterations = 1});
  CHECK(zero.codebook.values == std::array<float, 8>{1, 13.0f / 6, 0, 0, 0, 0, 0, 0});
  const auto moved = k_means_from(start, 4, samples, {.iterations = 1, .empty_word = EmptyWord::farthest_vector});
  CHECK(moved.codebook.word(1)[1] == 7);
  const auto settled = k_means_from(start, 4, samples, {.iterations = 20, .empty_word = EmptyWord::farthest_vector});
  for (std::size_t i = 0; i < 6; ++i) {  // three different vectors, four words: nothing is lost
    CHECK(settled.codebook.word(settled.codes[i])[1] == x[2 * i + 1]);
  }
}

TEST_CASE("words that were not asked for get no codes") {
  const FloatMatrix x = random_matrix(10, 12, 7);
  const auto few = k_means<4, 256>(x.view());
  CHECK(few.words == 4);  // 30 vectors
  const auto three = k_means<4, 256>(x.view(), {.words = 3});
  CHECK(three.words == 3);
  for (const std::uint8_t code : three.codes) CHECK(code < 3);
  CHECK(three.codebook.decode(200) == three.codebook.decode(0));
}

TEST_CASE("k-means can be cancelled, and returns what it has") {
  const FloatMatrix x = random_matrix(64, 16, 8);
  Index seen = 0;
  const auto stop_at_two = [&seen](const Progress& p) {
    seen = p.done;
    return p.done < 2;
  };
  const auto cancelled = k_means<4, 16>(x.view(), {.progress = stop_at_two});
  CHECK(seen == 2);
  CHECK(cancelled.iterations == 2);
  CHECK_FALSE(cancelled.is_complete);
  CHECK(k_means<4, 16>(x.view(), {.iterations = 2, .progress = stop_at_two}).is_complete);  // too late
  CHECK(cancelled.codebook == k_means<4, 16>(x.view(), {.iterations = 2}).codebook);
}

TEST_CASE("k-means says what is wrong") {
  FloatMatrix x = random_matrix(6, 10, 9);
  CHECK_RAISES((k_means<4, 16>(x.view())), "k_means: matrix has 10 columns, expected a multiple of 4 (a vector)");
  const auto part = x.view().col_range(0, 8);
  CHECK_RAISES((k_means<4, 16>(part.row_range(0, 0))), "matrix has shape [0, 8], expected vectors");
  CHECK_RAISES((k_means<4, 16>(part, {.iterations = -1})), "iterations is -1, expected at least 0");
  CHECK_RAISES((k_means<4, 16>(part, {.words = 17})), "words is 17, expected 0 to 16");
  CHECK_RAISES((k_means<4, 16>(part, {.column_weights = std::vector<float>(7)})),
               "column_weights has 7 entries, matrix has 8");
  CHECK_RAISES((k_means<4, 16>(part, {.column_weights = std::vector<float>(8, -1.0f)})),
               "column_weights of column 0 is -1");
  x.values[13] = std::numeric_limits<float>::quiet_NaN();
  CHECK_RAISES((k_means<4, 16>(part)), "k_means: matrix is not finite: row 1, column 3 is nan");
}
