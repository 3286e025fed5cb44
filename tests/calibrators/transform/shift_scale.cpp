#include "halfstep/calibrators/transform/shift_scale.hpp"

#include <limits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("a transform subtracts and divides, channel by channel") {
  const FloatMatrix x = random_matrix(300, 17, 1, 3), shift = random_matrix(1, 17, 2);
  FloatMatrix scale = random_matrix(1, 17, 3, 0.1f, 2);
  const ShiftScale both{shift.values, scale.values}, shifts{shift.values, {}}, scales{{}, scale.values};
  ThreadPool pool(2);
  const MatrixF a = apply(both, x.view(), pool), b = apply(shifts, x.view()), c = apply(scales, x.view());
  const MatrixF same = apply(ShiftScale{}, x.view());
  for (Index r = 0; r < x.rows; ++r) {
    for (Index k = 0; k < x.cols; ++k) {
      const volatile float shifted = x(r, k) - shift(0, k);
      CHECK(a(r, k) == shifted / scale(0, k));
      CHECK(b(r, k) == shifted);
      CHECK(c(r, k) == x(r, k) / scale(0, k));
      CHECK(same(r, k) == x(r, k));
    }
  }
  CHECK(apply(both, transposed(MatrixView<const float>(x.values.data(), 17, 300)))(5, 2) ==
        (x.values[2 * 300 + 5] - shift(0, 2)) / scale(0, 2));
  CHECK(both.channels() == 17);
  CHECK(ShiftScale{}.channels() == 0);
  CHECK(both.has_shift());
  CHECK_FALSE(ShiftScale{{0, 0}, {}}.has_shift());
}

TEST_CASE("a transform that is none is refused") {
  const FloatMatrix x = random_matrix(3, 4, 4);
  CHECK_RAISES(apply(ShiftScale{{1, 2}, {}}, x.view()), "apply: shift of the transform has 2 entries, expected 4");
  CHECK_RAISES(apply(ShiftScale{{}, {1, 2, 3}}, x.view()), "scale of the transform has 3 entries, expected 4");
  CHECK_RAISES(apply(ShiftScale{{}, {1, 2, 0, 1}}, x.view()), "scale of channel 2 is 0, expected a positive number");
  CHECK_RAISES(apply(ShiftScale{{}, {1, -2, 1, 1}}, x.view()), "scale of channel 1 is -2");
  CHECK_RAISES(apply(ShiftScale{{0, 0, 0, std::numeric_limits<float>::infinity()}, {}}, x.view()),
               "shift of channel 3 is inf, expected a finite number");
}
