// Agreement with golden/adalog.safetensors, fpcs_gelu.*: biases behind a decoded weight 1e-5 of themselves plus 1e-5;
// outputs 1e-5 of the largest.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "halfstep/calibrators/transform/bias_reparameterization.hpp"
#include "halfstep/calibrators/transform/layer_output_error.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/transform_golden.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("golden: adalog's shift of GELU outputs in the bias", "[golden]") {
  const Golden g("adalog");
  for (const GoldenCase& c : g.cases("fpcs_gelu.w*a*.w")) {
    CAPTURE(c.prefix);
    with_bits(c.number(), [&](auto wb) {
      const bool is_known = with_value<2, 3, 4, 5, 6, 7>(c.number(1), [&](auto ab) {  // the mask needs one more
        std::vector<Uniform<wb()>> rows;
        const auto scales = g.values<float>(c.prefix + "w_scale");
        const auto zeros = g.values<std::int32_t>(c.prefix + "w_zp");
        for (std::size_t o = 0; o < scales.size(); ++o) rows.push_back({scales[o], zeros.at(o)});
        const auto weight = quantize_with(eigen_matrix(g, c.name), rows, {.tiling = per_row()});
        const AdaLog<ab(), ZeroPolicy::mask, LogFloor::published> q{g.scalar<float>(c.prefix + "a_scale"), gelu_shift,
                                                                    g.scalar<std::int32_t>(c.prefix + "a_q")};
        const MatrixF x = eigen_matrix(g, c.prefix + "x");
        const auto [t, plain] = reparameterize_bias(q, x.cols());
        const std::vector<float> bias = folded_bias(t, weight, g.values<float>(c.prefix + "bias"));
        CHECK(mismatches_with(g, c.prefix + "bias_reparam", bias, {1e-5, 1e-5}) == 0);
        MatrixF y = layer_output<double>(fake_quantize(apply(t, x), plain), dequantize(weight)).template cast<float>();
        for (Index r = 0; r < y.rows(); ++r) {
          for (Index o = 0; o < y.cols(); ++o) y(r, o) += bias[static_cast<std::size_t>(o)];
        }
        CHECK(mismatches_with(g, c.prefix + "out", y, of_largest(g, c.prefix + "out", 1e-5)) == 0);
      });
      CHECK(is_known);
    });
  }
}
