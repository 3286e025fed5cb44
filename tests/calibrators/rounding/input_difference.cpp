#include "halfstep/calibrators/rounding/input_difference.hpp"

#include <cmath>
#include <cstddef>
#include <limits>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

double plain_sum(const FloatMatrix& x, const FloatMatrix& f, Index i, Index j) {
  double sum = 0;
  for (Index t = 0; t < x.rows; ++t) {
    sum += (static_cast<double>(f(t, i)) - static_cast<double>(x(t, i))) * static_cast<double>(x(t, j));
  }
  return sum;
}

}  // namespace

TEST_CASE("input_difference: sums of (f - x) x^T, in this order of channels") {
  for (const Index channels : {1, 23, 50}) {
    const FloatMatrix x = random_matrix(300, channels, 1), f = random_matrix(300, channels, 2);
    InputDifference d(channels);
    d.add(x.view(), f.view());
    for (Index i = 0; i < channels; ++i) {
      for (Index j = 0; j < channels; ++j) {
        double magnitude = 0;
        for (Index t = 0; t < 300; ++t) {
          magnitude += std::fabs(static_cast<double>(f(t, i) - x(t, i)) * static_cast<double>(x(t, j)));
        }
        // A rounded difference, a rounded product and 256 rounded sums of a chunk, at worst 2^-24 each.
        CHECK(std::fabs(d(i, j) - plain_sum(x, f, i, j)) <= 258 * 0x1p-24 * magnitude);
      }
    }
    CHECK(d.tokens() == 300);
  }
}

TEST_CASE("input_difference: executors, merging and stored matrices") {
  const FloatMatrix x = random_matrix(260, 70, 3), f = random_matrix(260, 70, 4);
  InputDifference serial(70), threaded(70), one(70), two(70);
  serial.add(x.view(), f.view());
  const FreshThreadsExecutor threads(3);
  threaded.add(x.view(), f.view(), threads);
  CHECK(threaded == serial);
  one.add(x.view().row_range(0, 256), f.view().row_range(0, 256));
  two.add(x.view().row_range(256, 4), f.view().row_range(256, 4));
  one.merge(two);
  CHECK(one.tokens() == 260);
  for (Index i = 0; i < 70; ++i) {
    for (Index j = 0; j < 70; ++j)
      CHECK(std::fabs(one(i, j) - serial(i, j)) <= 1e-12 * (std::fabs(serial(i, j)) + 260));
  }
  FloatMatrix stored(70, 70);
  for (Index i = 0; i < 70; ++i) {
    for (Index j = 0; j < 70; ++j) stored.view()(i, j) = static_cast<float>(i - 2 * j);
  }
  const InputDifference loaded = InputDifference::of_matrix(stored.view(), 4, 9);
  CHECK(loaded(5, 7) == -18);  // half of 4 sequences
  CHECK(loaded.tokens() == 9);
  CHECK_RAISES(one.merge(InputDifference(3)), "InputDifference::merge: other has 3 channels, expected 70");
}

TEST_CASE("input_difference: a power of two in the unit comes out squared") {
  const FloatMatrix x = random_matrix(30, 12, 5), f = random_matrix(30, 12, 6);
  InputDifference d(12);
  d.add(x.view(), f.view());
  for (const int exponent : {-90, 90}) {
    FloatMatrix a = x, b = f;
    for (float& value : a.values) value = std::ldexp(value, exponent);
    for (float& value : b.values) value = std::ldexp(value, exponent);
    InputDifference other(12);
    other.add(a.view(), b.view());
    for (Index i = 0; i < 12; ++i) {
      for (Index j = 0; j < 12; ++j) CHECK(other(i, j) == std::ldexp(d(i, j), 2 * exponent));
    }
  }
}

TEST_CASE("input_difference: what cannot be added is refused, and nothing of it is added") {
  const FloatMatrix x = random_matrix(5, 4, 7);
  FloatMatrix f = x;
  InputDifference d(4);
  d.add(x.view(), f.view());
  const InputDifference before = d;
  f.view()(3, 2) = std::numeric_limits<float>::quiet_NaN();
  CHECK_RAISES(d.add(x.view(), f.view()), "InputDifference::add: original is not finite: row 3, column 2 is nan");
  CHECK_RAISES(d.add(f.view(), x.view()), "InputDifference::add: quantized is not finite: row 3, column 2 is nan");
  CHECK_RAISES(d.add(x.view(), x.view().row_range(0, 4)), "original has shape [4, 4], expected [5, 4] as quantized");
  CHECK_RAISES(d.add(x.view().col_range(0, 3), x.view()), "quantized has 3 columns, expected 4");
  CHECK_RAISES(InputDifference(0), "channels is 0, expected at least 1");
  CHECK(d == before);
}
