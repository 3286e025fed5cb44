#include "halfstep/calibrators/range/omse.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "calibrators/range/samples.hpp"
#include "halfstep/calibrators/range/published_fits.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

template <ScalarQuantizer Q>
double omse_error(const Q& q, const std::vector<float>& values) {
  double sum = 0;
  for (const float x : values) {
    const double error = static_cast<double>(x) - static_cast<double>(q.decode(q.encode(x)));
    sum += error * error;
  }
  return sum / static_cast<double>(values.size());
}

}  // namespace

TEST_CASE("omse takes the shrink step of least error of each granule") {
  const FreshThreadsExecutor threads(3);
  for (const Distribution& distribution : distributions()) {
    const FloatMatrix matrix = sample(distribution, 60, 6, 2);
    for (const Tiling& tiling : {per_tensor(), per_column(), per_row_block(25), per_group(4)}) {
      const auto choices = omse<Uniform<4>>(matrix.view(), {.tiling = tiling}, fq_vit_unsigned_fit<4>);
      CHECK(omse<Uniform<4>>(matrix.view(), {.tiling = tiling, .executor = threads}, fq_vit_unsigned_fit<4>) ==
            choices);
      const auto values = values_by_granule(matrix.view(), tiling);
      REQUIRE(choices.size() == values.size());
      for (std::size_t g = 0; g < values.size(); ++g) {
        float low = values[g][0], high = low;
        for (const float x : values[g]) low = std::min(low, x), high = std::max(high, x);
        std::vector<double> errors;
        for (int i = 0; i < 90; ++i) {
          const auto factor = static_cast<float>(1.0 - i * 0.01);
          errors.push_back(omse_error(fq_vit_unsigned_fit<4>({low * factor, high * factor, 0}), values[g]));
        }
        const RangeChoice<Uniform<4>>& choice = choices[g];
        const double least = *std::min_element(errors.begin(), errors.end());
        CAPTURE(distribution.name, tiling.tile_rows, tiling.tile_cols, g, choice.index);
        REQUIRE(choice.index >= 0);
        REQUIRE(choice.index < 90);
        // Float differences are off by 2^-24 of themselves, squares by twice that.
        CHECK(std::fabs(choice.mse - errors[static_cast<std::size_t>(choice.index)]) <= 1.3e-7 * choice.mse);
        CHECK(errors[static_cast<std::size_t>(choice.index)] <= least * (1 + 3e-7));
        const auto factor = static_cast<float>(1.0 - static_cast<double>(choice.index) * 0.01);
        CHECK(choice.range.min == low * factor);
        CHECK(choice.range.max == high * factor);
        CHECK(choice.quantizer == fq_vit_unsigned_fit<4>(choice.range));
      }
    }
  }
}

TEST_CASE("omse of values that no step improves stays at the first of equals") {
  const FloatMatrix zeros(4, 5);
  const auto choices = omse<Uniform<8>>(zeros.view());
  REQUIRE(choices.size() == 1);
  CHECK(choices[0].index == 0);
  CHECK(choices[0].mse == 0);
  CHECK(choices[0].quantizer == Uniform<8>{1, 0});
  CHECK(omse<Uniform<8>>(random_matrix(5, 5, 1).view(), {.steps = 1})[0].index == 0);
}

TEST_CASE("omse refuses nothing, what is not finite, and no steps") {
  FloatMatrix matrix = random_matrix(3, 4, 1);
  CHECK_RAISES(omse<Uniform<4>>(matrix.view(), {.steps = 0}), "omse: steps is 0, expected 1 to 100");
  CHECK_RAISES(omse<Uniform<4>>(matrix.view(), {.steps = 101}), "steps is 101");
  CHECK_RAISES(omse<Uniform<4>>(matrix.view().row_range(0, 0)), "omse: matrix of shape [0, 4] has no elements");
  matrix.values[9] = std::numeric_limits<float>::quiet_NaN();
  CHECK_RAISES(omse<Uniform<4>>(matrix.view()), "halfstep: omse: matrix is not finite: row 2, column 1 is nan");
}
