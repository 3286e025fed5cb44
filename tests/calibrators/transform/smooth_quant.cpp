#include "halfstep/calibrators/transform/smooth_quant.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("SmoothQuant brings activations and weights to one range per channel") {
  const FloatMatrix w = random_matrix(30, 12, 1);
  std::vector<float> maxima = random_matrix(1, 12, 2).values;
  for (float& m : maxima) m = 1 + std::fabs(m) * 20;
  const ShiftScale t = smooth_quant(maxima, {w.view()});
  CHECK(t.shift.empty());
  const std::vector<float> columns = column_absmax("test", {w.view()}, 12);
  for (std::size_t c = 0; c < 12; ++c) {
    // alpha 0.5: both maxima become the root of their product, to two roundings.
    CHECK(maxima[c] / t.scale[c] == Approx(columns[c] * t.scale[c]).epsilon(4 * 0x1p-24));
  }
  CHECK(smooth_quant(maxima, {w.view()}, {.alpha = 1}).scale == maxima);
}

TEST_CASE("channels that were never active and columns of zeros have a rule") {
  const MatrixF w{{1, 0, 2}, {-4, 0, 0.5f}};
  const std::vector<float> maxima{0, 4, 8};
  CHECK(smooth_quant(maxima, {w}).scale[0] == 1);
  const ShiftScale published = smooth_quant(maxima, {w}, {.inactive = InactiveChannel::published});
  CHECK(published.scale[0] == 1e-5f);
  CHECK(published.scale[1] == Approx(std::sqrt(4 / 1e-5)).epsilon(1e-6));  // a column of zeros counts as 1e-5
  CHECK(published.scale[2] == 2);
  // What only just rounds away is inactive, what does not is not.
  CHECK(smooth_quant(std::vector<float>{9e-6f, 4, 8}, {w}).scale[0] == 1);
  CHECK(smooth_quant(std::vector<float>{1.1e-5f, 4, 8}, {w}).scale[0] < 0.01f);
}

TEST_CASE("SmoothQuant is the same on any number of threads, and for weights of any type") {
  const FloatMatrix w = random_matrix(700, 33, 3);
  const std::vector<float> maxima(33, 2.0f);
  ThreadPool pool(3);
  CHECK(smooth_quant(maxima, {w.view()}, {.executor = pool}) == smooth_quant(maxima, {w.view()}));
  MatrixD doubles(700, 33);
  for (Index i = 0; i < doubles.size(); ++i)
    doubles.data()[i] = static_cast<double>(w.values[static_cast<std::size_t>(i)]);
  CHECK(smooth_quant(maxima, {doubles}) == smooth_quant(maxima, {w.view()}));
  CHECK(smooth_quant(std::vector<float>{2}, {MatrixF(0, 1)}).scale.size() == 1);
}

TEST_CASE("SmoothQuant says what is wrong") {
  MatrixF w = MatrixF::Ones(2, 3);
  const std::vector<float> maxima(3, 1.0f);
  CHECK_RAISES(smooth_quant(maxima, {}), "smooth_quant: weights is empty");
  CHECK_RAISES(smooth_quant(maxima, {w, MatrixF::Ones(2, 4).eval()}),
               "smooth_quant: weight 1 has 4 columns, expected 3");
  CHECK_RAISES(smooth_quant(maxima, {w}, {.alpha = 2}), "smooth_quant: alpha is 2, expected 0 to 1");
  CHECK_RAISES(smooth_quant(std::vector<float>{1, -1, 1}, {w}), "channel_maxima of channel 1 is -1");
  w(1, 2) = std::numeric_limits<float>::infinity();
  CHECK_RAISES(smooth_quant(maxima, {w}), "smooth_quant: weight 0 is not finite: row 1, column 2 is inf");
}
