// Agreement with golden/noisy.safetensors but for the searches (range/noise_search_golden.cpp): codes exact, folded
// biases 1e-5 of themselves plus 1e-5, products 1e-4 of themselves plus 1e-4.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "halfstep/calibrators/transform/noisy_bias.hpp"
#include "halfstep/kernels/matmul.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/golden_codes.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// The layer's weight under the stored scales, its codes checked.
template <int Bits>
QuantizedMatrix<Uniform<Bits>> load_weight(const Golden& g, const std::string& prefix) {
  const LoadedMatrix<float> w = g.matrix(prefix + "w");
  const auto fitted = quantize<Uniform<Bits>>(w.view(), {.tiling = per_row(), .symmetry = Symmetry::symmetric});
  std::vector<Uniform<Bits>> quantizers;
  for (const float scale : g.values<float>(prefix + "w_scale")) {
    CHECK(static_cast<double>(fitted.quantizer(static_cast<Index>(quantizers.size())).scale) ==
          Approx(static_cast<double>(scale)).epsilon(1e-6));
    quantizers.push_back({scale, 1 << (Bits - 1)});
  }
  auto weight = quantize_with(w.view(), quantizers, {.tiling = per_row()});
  const auto codes = g.values<std::int32_t>(prefix + "w_codes");
  REQUIRE(codes.size() == w.values.size());
  CHECK(mismatches(codes, [&](std::size_t i) {
          const auto at = static_cast<Index>(i);
          return weight.code(at / w.cols, at % w.cols) - (1 << (Bits - 1));
        }) == 0);
  return weight;
}

/// Codes, folded bias and product of the activations `prefix + "x"` under the transform.
template <int Bits>
void check_forward(const Golden& g, const std::string& prefix, const ShiftScale& t, const Uniform<Bits>& q,
                   const QuantizedMatrix<Uniform<Bits>>& weight, const std::vector<float>& bias) {
  CAPTURE(prefix);
  const LoadedMatrix<float> x = g.matrix(prefix + "x");
  const MatrixF noisy = apply(t, x.view());
  CHECK(mismatches(g.values<std::int32_t>(prefix + "codes"),
                   [&](std::size_t i) { return q.encode(noisy.data()[i]) - q.zero_point; }) == 0);
  const std::vector<float> folded = folded_bias(t, weight, bias);
  CHECK(mismatches(g.values<float>(prefix + "bias2"), [&](std::size_t i) { return folded.at(i); },
                   {.relative = 1e-5, .absolute = 1e-5}) == 0);
  const MatrixF y = matmul(noisy, pack(weight), {.activation = q, .bias = folded});
  CHECK(mismatches(g.values<float>(prefix + "out"), [&](std::size_t i) { return y.data()[i]; },
                   {.relative = 1e-4, .absolute = 1e-4}) == 0);
}

}  // namespace

TEST_CASE("golden: noisy biases folded into the consumer", "[golden]") {
  const Golden g("noisy");
  for (const GoldenCase& c : g.cases("noisy.*.bits")) {
    with_bits(g.scalar<std::int32_t>(c.name), [&](auto bits) {
      const auto weight = load_weight<bits()>(g, c.prefix);
      const std::vector<float> bias = g.values<float>(c.prefix + "bias");
      const Uniform<bits()> q{g.scalar<float>(c.prefix + "act_scale"), 1 << (bits() - 1)};
      const ShiftScale searched = with_noise(g.values<float>(c.prefix + "noise"));
      check_forward(g, c.prefix + "fwd.", searched, q, weight, bias);
      const std::vector<float> drawn = g.values<float>(c.prefix + "uniform.noise");
      for (const float n : drawn) CHECK(std::fabs(n) <= q.scale / 2 * 1.000001f);
      check_forward(g, c.prefix + "uniform.", with_noise(drawn), q, weight, bias);
    });
  }
}

TEST_CASE("golden: noisy is consumed", "[golden]") {  // with range/noise_search_golden.cpp, of the same program
  Golden("noisy").require_all_consumed_at_end();
}
