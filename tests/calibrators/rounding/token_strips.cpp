#include "halfstep/calibrators/rounding/token_strips.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("token_strips: channels side by side, scaled, filled up with zeros") {
  const FloatMatrix x = random_matrix(9, 50, 1);
  const auto read = [&](Index row, float*) { return x.view().row(row); };
  const TokenStrips strips(2, 5, 50, 3, read, {});
  CHECK(strips.tokens() == 5);
  CHECK(strips.strips() == chunk_count(50, TokenStrips::width));
  Index wrong = 0;
  for (Index s = 0; s < strips.strips(); ++s) {
    for (Index t = 0; t < 5; ++t) {
      for (Index j = 0; j < TokenStrips::width; ++j) {
        const Index c = s * TokenStrips::width + j;
        wrong += strips.at(s, t)[j] != (c < 50 ? x(2 + t, c) / 8 : 0.0f);
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("token_strips: the exponent of the largest magnitude") {
  FloatMatrix x(100, 30);
  CHECK(scale_exponent("call", "x", MatrixView<const float>(x.view()), {}) == 0);
  CHECK(scale_exponent("call", "x", MatrixView<const float>(x.view().row_range(0, 0)), {}) == 0);
  x.view()(99, 3) = -5;
  CHECK(scale_exponent("call", "x", MatrixView<const float>(x.view()), {}) == 2);
  x.view()(0, 0) = std::numeric_limits<float>::max();
  CHECK(scale_exponent("call", "x", MatrixView<const float>(x.view()), {}) == 127);
  for (float& value : x.values) value = 0x1p-149f;
  const FreshThreadsExecutor threads(2);
  CHECK(scale_exponent("call", "x", MatrixView<const float>(x.view()), threads) == -149);
  x.view()(70, 29) = std::numeric_limits<float>::infinity();
  CHECK_RAISES(scale_exponent("call", "x", MatrixView<const float>(x.view()), threads),
               "call: x is not finite: row 70, column 29 is inf");
}

TEST_CASE("token_strips: products of all channels, or of the lower triangle, added to what is there") {
  const FloatMatrix a = random_matrix(300, 60, 2), b = random_matrix(300, 60, 3);
  const auto read = [](const FloatMatrix& x) { return [&x](Index row, float*) { return x.view().row(row); }; };
  const auto read_a = read(a), read_b = read(b);
  const TokenStrips left(0, 300, 60, 0, read_a, {}), right(0, 300, 60, 0, read_b, {});
  for (const ProductPart part : {ProductPart::all, ProductPart::lower_triangle}) {
    std::vector<double> sums(60 * 60, 1.0);
    add_products(left, right, part, 4.0, [&](Index row) { return sums.data() + row * 60; }, {});
    for (Index i = 0; i < 60; ++i) {
      for (Index j = 0; j < 60; ++j) {
        double sum = 0, magnitude = 0;
        for (Index t = 0; t < 300; ++t) {
          const double product = static_cast<double>(a(t, i)) * static_cast<double>(b(t, j));
          sum += product;
          magnitude += std::fabs(product);
        }
        const double found = sums[static_cast<std::size_t>(i * 60 + j)];
        if (part == ProductPart::lower_triangle && j > i) {
          CHECK(found == 1.0);
        } else {
          CHECK(std::fabs(found - (1 + 4 * sum)) <= 4 * 257 * 0x1p-24 * magnitude + 1e-12);
        }
      }
    }
  }
}
