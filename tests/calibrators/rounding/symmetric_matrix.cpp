#include "halfstep/calibrators/rounding/symmetric_matrix.hpp"

#include "support/catch.hpp"

using namespace halfstep;

TEST_CASE("symmetric_matrix: either order of indices, rows side by side, and sums") {
  SymmetricMatrix a(5), b(5);
  for (Index r = 0; r < 5; ++r) {
    for (Index c = 0; c <= r; ++c) {
      CHECK(a(r, c) == 0);
      a.row(r)[c] = static_cast<double>(10 * r + c);
      b.row(r)[c] = 1;
    }
  }
  CHECK(a(3, 1) == 31);
  CHECK(a(1, 3) == 31);
  CHECK(a(4, 4) == 44);
  CHECK(a.row(4) == a.row(3) + 4);
  a.add(b);
  CHECK(a(0, 4) == 41);
  CHECK(!(a == b));
  CHECK(SymmetricMatrix(0).size() == 0);
}
