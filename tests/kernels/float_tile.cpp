#include "halfstep/kernels/float_tile.hpp"

#include <cstddef>
#include <vector>

#include "halfstep/core/aligned_buffer.hpp"
#include "kernels/matrices.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// The written order: one chain of `multiply_add` for each sum.
float chain(float sum, const hs::MatrixF& x, hs::Index m, const hs::MatrixF& panel, hs::Index n, float sign) {
  for (hs::Index k = 0; k < x.cols(); ++k) sum = hs::simd::multiply_add(sign * x(m, k), panel(k, n), sum);
  return sum;
}

template <hs::TileUpdate Update>
void check(hs::Index rows, hs::Index k, hs::Index x_gap, hs::Index sums_gap) {
  CAPTURE(rows, k, x_gap, sums_gap);
  const hs::MatrixF x = random_eigen(rows, k + x_gap, 51), panel = random_eigen(k, 16, 52);
  const hs::MatrixF before = random_eigen(rows, 16 + sums_gap, 53);
  hs::MatrixF sums = before;
  hs::multiply_float_tile<Update>(rows, {x.data(), k + x_gap, panel.data(), k, sums.data(), 16 + sums_gap});
  const hs::MatrixF used = x.leftCols(k);
  const float sign = Update == hs::TileUpdate::subtract ? -1.0f : 1.0f;
  for (hs::Index m = 0; m < rows; ++m) {
    for (hs::Index n = 0; n < 16 + sums_gap; ++n) {
      const float start = Update == hs::TileUpdate::set ? 0.0f : before(m, n);
      REQUIRE(sums(m, n) == (n < 16 ? chain(start, used, m, panel, n, sign) : before(m, n)));
    }
  }
}

}  // namespace

TEST_CASE("a tile is a chain of multiply_add for each sum, among any rows", "[float_tile]") {
  for (const hs::Index rows : {0, 1, 2, 3, 5, 6, 7, 13, 14, 15, 29}) {
    for (const hs::Index k : {0, 1, 2, 17, 64}) {
      check<hs::TileUpdate::set>(rows, k, 0, 0);
      check<hs::TileUpdate::add>(rows, k, 3, 48);
      check<hs::TileUpdate::subtract>(rows, k, 1, 5);
    }
  }
}

TEST_CASE("cutting k in pieces does not show", "[float_tile]") {
  const hs::MatrixF x = random_eigen(7, 100, 54), panel = random_eigen(100, 16, 55);
  hs::MatrixF whole(7, 16), cut(7, 16);
  hs::multiply_float_tile<hs::TileUpdate::set>(7, {x.data(), 100, panel.data(), 100, whole.data(), 16});
  hs::multiply_float_tile<hs::TileUpdate::set>(7, {x.data(), 100, panel.data(), 33, cut.data(), 16});
  hs::multiply_float_tile<hs::TileUpdate::add>(7, {x.data() + 33, 100, panel.data() + 33 * 16, 67, cut.data(), 16});
  CHECK(difference(whole, cut) == "");
}
