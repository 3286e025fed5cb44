#include "halfstep/calibrators/transform/sylvester.hpp"

#include <bit>
#include <cmath>

#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("the fast transform is Sylvester's matrix, for runs of any width") {
  for (const Index n : {1, 2, 4, 8, 64, 512}) {
    for (const Index width : {1, 3, 16, 21}) {
      CAPTURE(n, width);
      const FloatMatrix x = random_matrix(n, width, static_cast<std::uint32_t>(n + width));
      FloatMatrix y = x;
      sylvester_transform(y.values.data(), n, width);
      for (Index i = 0; i < n; ++i) {
        for (Index c = 0; c < width; ++c) {
          double sum = 0, size = 0;
          for (Index j = 0; j < n; ++j) {
            const bool is_odd = std::popcount(static_cast<unsigned>(i & j)) % 2 == 1;
            sum += static_cast<double>(x(j, c)) * (is_odd ? -1 : 1);
            size += std::fabs(static_cast<double>(x(j, c)));
          }
          // One rounding a stage.
          CHECK(std::fabs(static_cast<double>(y(i, c)) - sum) <= size * std::log2(static_cast<double>(n)) * 0x1p-24);
        }
      }
    }
  }
}
