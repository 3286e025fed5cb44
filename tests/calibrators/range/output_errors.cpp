#include "halfstep/calibrators/range/output_errors.hpp"

#include <cstddef>
#include <vector>

#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("errors of outputs come from any change of an operand, counted by granule") {
  const FloatMatrix x = random_matrix(150, 4, 1), w = random_matrix(6, 4, 2);
  const std::vector<ObservedProduct> products = {{.lhs = x.view(), .rhs = w.view()}};
  const OutputErrors<MatrixF> errors(products, {}, {.operand = Operand::rhs, .tiling = per_row_block(4)});
  CHECK(errors.counts() == std::vector<double>{600, 300});
  auto scratch = errors.scratch(0);
  std::vector<double> losses(2);
  const auto shifted = [&](Index first, Index count, float* out) {
    for (Index r = first; r < first + count; ++r) {
      for (Index k = 0; k < 4; ++k) *out++ = w(r, k) + (k == 0 ? 0.5f : 0.0f);
    }
  };
  errors.add(0, shifted, scratch, losses);
  double squares = 0;
  for (Index t = 0; t < 150; ++t) squares += 0.25 * static_cast<double>(x(t, 0)) * static_cast<double>(x(t, 0));
  // The change is off by an ulp of w, 2^-23 of 0.5, and the outputs are folded.
  CHECK(losses[0] == Approx(4 * squares).epsilon(1e-5));
  CHECK(losses[1] == Approx(2 * squares).epsilon(1e-5));
  CHECK(errors.products()[0].fixed.rows() == 4);  // 150 tokens became 4 outputs
  const OutputErrors<MatrixF> whole(products, {}, {.operand = Operand::rhs, .metric = OutputMetric::absolute});
  CHECK(whole.products()[0].fixed.rows() == 150);
  CHECK(whole.counts() == std::vector<double>{900});
}
