#include "halfstep/recipes/spread_rows.hpp"

#include "support/catch.hpp"
#include "support/float_matrix.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("rows are spread evenly, the first among them", "[spread_rows]") {
  const FloatMatrix x = random_matrix(10, 3, 471);
  const auto some = hs::spread_rows(x.view(), 4);
  CHECK(hs::shape_of(some) == hs::Shape{5, 3});
  for (hs::Index r = 0; r < some.rows; ++r) CHECK(some(r, 2) == x.view()(2 * r, 2));
  CHECK(hs::spread_rows(x.view(), 0).rows == 10);
  CHECK(hs::spread_rows(x.view(), 11).rows == 10);
  CHECK(hs::spread_rows(x.view().row_range(0, 0), 4).rows == 0);
}
