#include "halfstep/calibrators/transform/hadamard.hpp"

#include <cstddef>
#include <vector>

#include "support/catch.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("rows of a Hadamard matrix are signs and orthogonal") {
  for (const Index order : {1, 12, 20, 28, 40}) {
    CAPTURE(order);
    const HadamardMatrix h = hadamard_base(order);
    REQUIRE(static_cast<Index>(h.size()) == order * order);
    const auto entry = [&](Index i, Index j) { return static_cast<int>(h[static_cast<std::size_t>(i * order + j)]); };
    bool is_symmetric = true;
    for (Index a = 0; a < order; ++a) {
      for (Index b = 0; b < order; ++b) {
        Index dot = 0;
        for (Index j = 0; j < order; ++j) dot += entry(a, j) * entry(b, j);
        CHECK(dot == (a == b ? order : 0));
        CHECK(entry(a, b) * entry(a, b) == 1);
        is_symmetric = is_symmetric && entry(a, b) == entry(b, a);
      }
    }
    CHECK(is_symmetric == (order <= 12));
  }
  CHECK_RAISES(hadamard_base(16), "hadamard_base: order is 16, expected 1, 12, 20, 28 or 40");
}

TEST_CASE("the order of the base follows from the size") {
  for (Index m = 0; m < 20; ++m) CHECK(hadamard_order(Index{1} << m) == 1);
  CHECK(hadamard_order(768) == 12);
  CHECK(hadamard_order(5120) == 40);
  CHECK(hadamard_order(160) == 40);  // not 20 * 8
  CHECK(hadamard_order(20) == 20);
  CHECK(hadamard_order(112) == 28);
  CHECK(hadamard_order(14336) == 28);  // 28 * 512
  for (const Index size : {0, 3, 6, 10, 172, 688, 11008, 24 * 3}) CHECK(hadamard_order(size) == 0);
}
