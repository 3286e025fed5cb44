// Agreement with golden/fp4.safetensors, s*: the shifts that channels of given biases get, exactly, and the decoded
// activations, 1e-5 of themselves but for half a percent of single steps beside ties. The search for the biases is
// another matter.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "halfstep/calibrators/transform/exponent_shift.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/transform_golden.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// What codes of shifted activations stand for, the shift taken back.
template <class F>
MatrixF decoded(const ShiftScale& t, const MatrixF& x, float layer_bias) {
  MatrixF y = fake_quantize(apply(t, x), F::with_exponent_bias(layer_bias));
  for (Index r = 0; r < y.rows(); ++r) {
    for (Index c = 0; c < y.cols(); ++c) y(r, c) *= t.scale_of(c);
  }
  return y;
}

}  // namespace

TEST_CASE("golden: fp4 pre-shifted exponent biases", "[golden]") {
  const Golden g("fp4");
  for (const GoldenCase& c : g.cases("s*.fmt")) {
    CAPTURE(c.prefix);
    const auto format = g.values<std::int32_t>(c.name);  // weight E, M, activation E, M, ...
    const auto layer_bias = g.scalar<float>(c.prefix + "rho");
    const std::vector<float> biases = g.values<float>(c.prefix + "a_channel_bias");
    const ShiftScale t = exponent_shift(biases, layer_bias, format.at(2));
    CHECK(mismatches(g.values<std::int32_t>(c.prefix + "a_shift"),
                     [&](std::size_t i) { return -std::log2(t.scale.at(i)); }) == 0);
    const MatrixF x = eigen_matrix(g, c.prefix + "X");
    const bool is_known = with_value<1, 2, 3, 4, 5>(format.at(2), [&](auto e) {
      with_value<0, 1, 2, 3, 4, 5>(format.at(3), [&](auto m) {
        if constexpr (e() + m() + 1 >= 3 && e() + m() + 1 <= 8) {
          const int off = mismatches_with(g, c.prefix + "a_deq", decoded<Float<e(), m()>>(t, x, layer_bias), {1e-5, 0});
          CHECK(off <= 0.005 * static_cast<double>(x.size()));
        }
      });
    });
    CHECK(is_known);
  }
}
