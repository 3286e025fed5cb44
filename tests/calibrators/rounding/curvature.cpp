#include "halfstep/calibrators/rounding/curvature.hpp"

#include <cmath>
#include <vector>

#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("curvature: scaled by a power of four, whatever the unit of the data") {
  FloatMatrix x = random_matrix(40, 6, 1);
  for (Index t = 0; t < 40; ++t) x.view()(t, 2) = 0;
  HessianAccumulator plain(6);
  plain.add(x.view());
  const Curvature expected(plain, DeadDiagonal::mean);
  CHECK(expected.live() == 5);
  CHECK(expected.is_dead(2));
  CHECK(!expected.is_dead(1));
  CHECK(expected.mean() >= 1);
  CHECK(expected.mean() < 4);
  CHECK(expected.diagonal()[2] == Approx(expected.mean()));
  CHECK(expected(2, 2) == 0);
  CHECK(expected(1, 4) == expected.scale() * plain.sum()(1, 4));
  for (int exponent = -64; exponent <= 64; ++exponent) {
    FloatMatrix scaled = x;
    for (float& value : scaled.values) value = std::ldexp(value, exponent);
    HessianAccumulator h(6);
    h.add(scaled.view());
    const Curvature c(h, DeadDiagonal::mean);
    CHECK(c.diagonal() == expected.diagonal());
    CHECK(c(3, 1) == expected(3, 1));
    CHECK(c.to_published() * c(3, 1) == Approx(2 * h.sum()(3, 1)));
  }
}

TEST_CASE("curvature: columns in any order of rows; 1 for dead channels in the published unit") {
  HessianAccumulator h(5);
  FloatMatrix x = random_matrix(30, 5, 2);
  for (Index t = 0; t < 30; ++t) x.view()(t, 0) = 0;
  h.add_sequences(x.view(), 3);
  const Curvature c(h, DeadDiagonal::one);
  CHECK(c.diagonal()[0] * c.to_published() == Approx(1));
  const std::vector<Index> rows{4, 0, 2, 3, 1};
  std::vector<double> column(5);
  c.read(rows, 2, column.data());
  for (std::size_t i = 0; i < 5; ++i) CHECK(column[i] == c(rows[i], 2));
  const HessianAccumulator nothing(5);
  const Curvature none(nothing, DeadDiagonal::mean);
  CHECK(none.live() == 0);
  CHECK(none.mean() == 0);
  CHECK(none.scale() == 1);
}
