#include "halfstep/calibrators/transform/folded_bias.hpp"

#include <vector>

#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("the quantized weight takes a shift back") {
  const MatrixF w{{1, -3}, {2, 3}};
  const auto weight = quantize<Uniform<3>>(w, {.symmetry = Symmetry::symmetric});  // steps of 1: exact
  const ShiftScale t{{0.5f, 2}, {}};
  CHECK(folded_bias(t, weight, std::vector<float>{10, 20}) == std::vector<float>{4.5f, 27});
  CHECK(folded_bias(t, weight, {}) == std::vector<float>{-5.5f, 7});
  CHECK(folded_bias(ShiftScale{}, weight, std::vector<float>{10, 20}) == std::vector<float>{10, 20});
}

TEST_CASE("folded biases say what is wrong") {
  const auto weight = quantize<Uniform<4>>(random_matrix(3, 5, 24).view());
  CHECK_RAISES(folded_bias(ShiftScale{std::vector<float>(4, 1.0f), {}}, weight, {}),
               "folded_bias: shift of the transform has 4 entries, expected 5");
  CHECK_RAISES(folded_bias(ShiftScale{{}, std::vector<float>(5, 2.0f)}, weight, {}), "the transform scales");
  CHECK_RAISES(folded_bias(ShiftScale{}, weight, std::vector<float>(2)), "bias has 2 elements, weight has 3 rows");
}
