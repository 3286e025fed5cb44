// Agreement with golden/sqb.safetensors, c*: means, scales, folded layers and outputs 1e-5 of the largest entry; codes
// exact but beside ties (1e-5 of the value, README-mixed.md); output errors 1e-3 of themselves.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "halfstep/calibrators/transform/fold.hpp"
#include "halfstep/calibrators/transform/layer_output_error.hpp"
#include "halfstep/calibrators/transform/smooth_quant_bias.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/transform_golden.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// The mean squared difference of the outputs of a layer (without its bias) for quantized and for plain activations.
template <int Bits>
double output_mse(const MatrixF& x, const MatrixF& w) {
  const MatrixF seen = dequantize(quantize<Uniform<Bits>>(x, {.symmetry = Symmetry::symmetric}));
  const MatrixF change = seen - x;
  return squared_output_error<double>(change, w, {}) / static_cast<double>(x.rows() * w.rows());
}

/// Codes, scale and errors of the tensors `prefix`: `plain` activations for `weight`, or transformed ones.
template <int Bits>
void check_quantized(const Golden& g, const std::string& prefix, const MatrixF& transformed, const MatrixF& folded,
                     const MatrixF& plain, const MatrixF& weight) {
  CAPTURE(prefix);
  const auto quantized = quantize<Uniform<Bits>>(transformed, {.symmetry = Symmetry::symmetric});
  const auto scale = static_cast<double>(quantized.quantizer(0).scale);
  CHECK(scale == Approx(static_cast<double>(g.scalar<float>(prefix + "scale"))).epsilon(1e-5));
  const auto codes = g.values<std::int32_t>(prefix + "codes");
  REQUIRE(codes.size() == static_cast<std::size_t>(transformed.size()));
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const Index r = static_cast<Index>(i) / transformed.cols(), c = static_cast<Index>(i) % transformed.cols();
    const double steps = static_cast<double>(transformed(r, c)) / scale;
    const bool is_tie = is_near_tie(steps, 1e-5 * std::max(1.0, std::fabs(steps)));
    CHECK(std::abs(quantized.code(r, c) - (1 << (Bits - 1)) - codes[i]) <= (is_tie ? 1 : 0));
  }
  const std::vector<float> mse = g.values<float>(prefix + "out_mse");
  CHECK(output_mse<Bits>(transformed, folded) == Approx(static_cast<double>(mse.at(0))).epsilon(1e-3));
  CHECK(output_mse<Bits>(plain, weight) == Approx(static_cast<double>(mse.at(1))).epsilon(1e-3));
}

}  // namespace

TEST_CASE("golden: sqb transforms, folded layers and outputs", "[golden]") {
  const Golden g("sqb");
  for (const GoldenCase& c : g.cases("c*.Y")) {
    CAPTURE(c.prefix);
    const auto check = [&](const std::string& name, const auto& found) {
      CAPTURE(name);
      CHECK(mismatches_with(g, c.prefix + name, found, of_largest(g, c.prefix + name, 1e-5)) == 0);
    };
    const MatrixF y = eigen_matrix(g, c.name), w = eigen_matrix(g, c.prefix + "W");
    const ShiftScale t = smooth_quant_bias({y}, {w}, {.inactive = InactiveChannel::published});
    check("mu", t.shift);
    check("e", t.scale);
    std::vector<float> gain = g.values<float>(c.prefix + "gamma"), beta = g.values<float>(c.prefix + "beta");
    GoldenLayer layer{w, g.values<float>(c.prefix + "b")};
    fold(t, NormView{NormKind::layer_norm, gain, beta}, {layer.view()});
    check("gamma2", gain);
    check("beta2", beta);
    check("W2", layer.weight);
    check("b2", layer.bias);

    // Through the folded norm and layer, from what the norm normalized.
    MatrixF folded = eigen_matrix(g, c.prefix + "xhat");
    for (Index r = 0; r < folded.rows(); ++r) {
      for (Index k = 0; k < folded.cols(); ++k) {
        folded(r, k) = folded(r, k) * gain[static_cast<std::size_t>(k)] + beta[static_cast<std::size_t>(k)];
      }
    }
    MatrixF out = layer_output<double>(folded, layer.weight).cast<float>();
    for (Index r = 0; r < out.rows(); ++r) {
      for (Index o = 0; o < out.cols(); ++o) out(r, o) += layer.bias[static_cast<std::size_t>(o)];
    }
    check("y", out);

    for (const GoldenCase& bits : g.cases(c.prefix + "*.codes")) {
      with_bits(std::stoi(bits.parts.at(0)),
                [&](auto width) { check_quantized<width()>(g, bits.prefix, apply(t, y), layer.weight, y, w); });
    }
  }
}

TEST_CASE("golden: sqb c* is consumed", "[golden]") { Golden("sqb").require_consumed("c*"); }
