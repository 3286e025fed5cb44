#include "halfstep/calibrators/transform/layer_output_error.hpp"

#include <cmath>

#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

MatrixF normal_matrix(Index rows, Index cols, std::uint32_t seed) {
  const FloatMatrix m = random_matrix(rows, cols, seed);
  MatrixF copy(rows, cols);
  for (Index i = 0; i < copy.size(); ++i) copy.data()[i] = m.values[static_cast<std::size_t>(i)];
  return copy;
}

}  // namespace

TEST_CASE("outputs of a layer, and the squares of what they differ by, block by block") {
  for (const Index tokens : {0, 1, 63, 64, 65, 130}) {
    for (const Index outputs : {0, 1, 64, 97}) {
      CAPTURE(tokens, outputs);
      const MatrixF x = normal_matrix(tokens, 37, 1), w = normal_matrix(outputs, 37, 2);
      const MatrixD y = layer_output<double>(x, w), expected = MatrixD::Constant(tokens, outputs, 0.5);
      double sum = 0, error = 0;
      for (Index t = 0; t < tokens; ++t) {
        for (Index o = 0; o < outputs; ++o) {
          double exact = 0;
          for (Index c = 0; c < 37; ++c) exact += static_cast<double>(x(t, c)) * static_cast<double>(w(o, c));
          CHECK(std::fabs(y(t, o) - exact) <= 37 * 37 * 25 * 0x1p-53);  // n roundings of n terms below 25
          sum += exact * exact;
          error += (exact - 0.5) * (exact - 0.5);
        }
      }
      // Sums of positive numbers: as many roundings as terms.
      const double roundings = (static_cast<double>(tokens * outputs) + 100) * 37 * 0x1p-53;
      CHECK(squared_output_error<double>(x, w, {}) == Approx(sum).epsilon(roundings).margin(0));
      CHECK(squared_output_error<double>(x, w, expected) == Approx(error).epsilon(roundings).margin(0));
    }
  }
}

TEST_CASE("output errors are the same on any number of threads") {
  const MatrixF x = normal_matrix(300, 50, 3), w = normal_matrix(200, 50, 4);
  ThreadPool pool(3);
  CHECK(squared_output_error<double>(x, w, {}, pool) == squared_output_error<double>(x, w, {}));
  CHECK(layer_output<double>(x, w, pool) == layer_output<double>(x, w));
  CHECK(squared_output_error<float>(x, w, {}, pool) == squared_output_error<float>(x, w, {}));
}
