#include "halfstep/calibrators/transform/smooth_quant_bias.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("SQ-b centres channels on their means and divides what is left") {
  const MatrixF y{{1, 10}, {3, 12}, {8, 14}}, w{{2, 0.5f}};
  const ShiftScale t = smooth_quant_bias({y}, {w});
  CHECK(t.shift == std::vector<float>{4, 12});
  CHECK(t.scale[0] == Approx(std::sqrt(4 / 2.0)).epsilon(1e-6));
  CHECK(t.scale[1] == Approx(std::sqrt(2 / 0.5)).epsilon(1e-6));
  // Batches are rows of one matrix.
  CHECK(smooth_quant_bias({y.topRows(1), y.bottomRows(2)}, {w}) == t);
}

TEST_CASE("a channel that never leaves its mean is only shifted") {
  const MatrixF y{{5, 1}, {5, -1}}, w{{2, 2}};
  CHECK(smooth_quant_bias({y}, {w}).scale[0] == 1);
  CHECK(smooth_quant_bias({y}, {w}).shift[0] == 5);
  const ShiftScale published = smooth_quant_bias({y}, {w}, {.inactive = InactiveChannel::published});
  CHECK(published.scale[0] == Approx(std::sqrt(1e-8 / 2)).epsilon(1e-6));
}

TEST_CASE("SQ-b is the same on any number of threads") {
  const FloatMatrix y = random_matrix(500, 21, 1, 1, 3), w = random_matrix(300, 21, 2);
  ThreadPool pool(3);
  CHECK(smooth_quant_bias({y.view()}, {w.view()}, {.executor = pool}) == smooth_quant_bias({y.view()}, {w.view()}));
}

TEST_CASE("SQ-b says what is wrong") {
  MatrixF y = MatrixF::Ones(2, 3);
  const MatrixF w = MatrixF::Ones(2, 3);
  CHECK_RAISES(smooth_quant_bias({}, {w}), "smooth_quant_bias: there are no tokens");
  CHECK_RAISES(smooth_quant_bias({y}, {}), "smooth_quant_bias: weights is empty");
  CHECK_RAISES(smooth_quant_bias({y}, {MatrixF::Ones(1, 2).eval()}), "weight 0 has 2 columns, expected 3");
  CHECK_RAISES(smooth_quant_bias({y}, {w}, {.alpha = -1}), "alpha is -1");
  y(1, 0) = std::numeric_limits<float>::quiet_NaN();
  CHECK_RAISES(smooth_quant_bias({y}, {w}), "smooth_quant_bias: batch 0 is not finite: row 1, column 0 is nan");
}
