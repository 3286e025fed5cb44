// Agreement with golden/smoothquant.safetensors: scales and folded layers 1e-5 of themselves; codes exact but within
// 1e-4 of a tie, where half a percent of them may be off by one. AWQ's losses 1e-4, and the least one.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "halfstep/calibrators/range/fit_each.hpp"
#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/calibrators/range/published_fits.hpp"
#include "halfstep/calibrators/transform/awq.hpp"
#include "halfstep/calibrators/transform/fold.hpp"
#include "halfstep/calibrators/transform/smooth_quant.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/transform_golden.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// Signed codes and scales of `matrix` under SmoothQuant's own fit against the tensors `prefix + "codes"` and "scale".
template <int Bits>
void check_quantized(const Golden& g, const std::string& prefix, const MatrixF& matrix, const Tiling& tiling) {
  CAPTURE(prefix);
  MinMax seen(tiling);
  seen.observe(matrix);
  const auto quantizers = fit_each<Uniform<Bits>>(seen.ranges(), smooth_quant_fit<Bits>);
  const std::vector<float> scales = g.values<float>(prefix + "scale");
  REQUIRE(scales.size() == quantizers.size());
  CHECK(mismatches(scales, [&](std::size_t i) { return quantizers[i].scale; }, {1e-5, 0}) == 0);
  const auto quantized = quantize_with(matrix, quantizers, {.tiling = tiling});
  const auto codes = g.values<std::int32_t>(prefix + "codes");
  REQUIRE(codes.size() == static_cast<std::size_t>(matrix.size()));
  int off = 0;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const Index r = static_cast<Index>(i) / matrix.cols(), c = static_cast<Index>(i) % matrix.cols();
    const int difference = std::abs(quantized.code(r, c) - (1 << (Bits - 1)) - codes[i]);
    if (difference == 0) continue;
    const auto scale = static_cast<double>(quantizers[static_cast<std::size_t>(quantized.grid().granule(r, c))].scale);
    CHECK((difference == 1 && is_near_tie(static_cast<double>(matrix(r, c)) / scale, 1e-4)));
    ++off;
  }
  CHECK(off <= 0.005 * static_cast<double>(codes.size()));
}

}  // namespace

TEST_CASE("golden: smoothquant scales and folded layers", "[golden]") {
  const Golden g("smoothquant");
  for (const GoldenCase& c : g.cases("*.act_absmax")) {
    CAPTURE(c.prefix);
    std::vector<GoldenLayer> layers;
    for (int i = 0; g.contains(c.prefix + "W" + std::to_string(i)); ++i) {
      layers.push_back({eigen_matrix(g, c.prefix + "W" + std::to_string(i)), {}});
    }
    std::vector<AnyMatrixView> weights;
    std::vector<LinearView> consumers;
    for (GoldenLayer& layer : layers) {
      weights.emplace_back(layer.weight);
      consumers.push_back(layer.view());
    }
    const ShiftScale t =
        smooth_quant(g.values<float>(c.name), weights,
                     {.alpha = g.scalar<float>(c.prefix + "alpha"), .inactive = InactiveChannel::published});
    CHECK(mismatches_with(g, c.prefix + "scales", t.scale, {1e-5, 0}) == 0);

    std::vector<float> gain = g.values<float>(c.prefix + "gamma"), bias = g.values<float>(c.prefix + "beta");
    const bool is_rms = bias.empty();
    fold(t, is_rms ? NormView{NormKind::rms_norm, gain} : NormView{NormKind::layer_norm, gain, bias}, consumers);
    CHECK(mismatches_with(g, c.prefix + "gamma_out", gain, {1e-5, 0}) == 0);
    CHECK(mismatches_with(g, c.prefix + "beta_out", bias, {1e-5, 0}) == 0);
    for (std::size_t i = 0; i < layers.size(); ++i) {
      CHECK(mismatches_with(g, c.prefix + "W" + std::to_string(i) + "_out", layers[i].weight, {1e-5, 0}) == 0);
    }
    CHECK(mismatches_with(g, c.prefix + "X_smoothed", apply(t, eigen_matrix(g, c.prefix + "X")), {1e-5, 0}) == 0);
  }
}

TEST_CASE("golden: smoothquant codes of activations and weights", "[golden]") {
  const Golden g("smoothquant");
  for (const GoldenCase& c : g.cases("*.act_*_b*.codes")) {
    const MatrixF x = eigen_matrix(g, c.parts[0] + ".X_smoothed");
    with_bits(c.number(2), [&](auto bits) {
      check_quantized<bits()>(g, c.prefix, x, c.parts[1] == "token" ? per_row() : per_tensor());
    });
  }
  for (const GoldenCase& c : g.cases("*.W*_q*.codes")) {
    const MatrixF w = eigen_matrix(g, c.parts[0] + ".W" + c.parts[1] + "_out");
    with_bits(c.number(2), [&](auto bits) { check_quantized<bits()>(g, c.prefix, w, per_row()); });
  }
}

TEST_CASE("golden: smoothquant rows of zeros", "[golden]") {
  const Golden g("smoothquant");
  const std::vector<Index> shape = g.shape("zeros.codes");
  check_quantized<8>(g, "zeros.", MatrixF::Zero(shape.at(0), shape.at(1)), per_row());
}

TEST_CASE("golden: smoothquant's AWQ scale search", "[golden]") {
  const Golden g("smoothquant");
  for (const GoldenCase& c : g.cases("awq*.cfg")) {
    CAPTURE(c.prefix);
    const auto cfg = g.values<std::int32_t>(c.name);  // bits, group, zero point
    const MatrixF x = eigen_matrix(g, c.prefix + "X"), w = eigen_matrix(g, c.prefix + "W");
    const std::vector<double> losses = g.values<double>(c.prefix + "losses64");
    const double least = *std::min_element(losses.begin(), losses.end());
    with_bits(cfg.at(0), [&](auto bits) {
      const Tiling tiling = cfg.at(1) > 0 ? per_group(cfg.at(1)) : per_row();
      const AwqOptions options{.weight_tiling = tiling, .steps = static_cast<int>(losses.size())};
      const Awq found = cfg.at(2) != 0 ? awq<Uniform<bits()>>(x, {w}, options, awq_fit<bits()>)
                                       : awq<Uniform<bits()>>(x, {w}, options, awq_symmetric_fit<bits()>);
      REQUIRE(found.errors.size() == losses.size());
      CHECK(mismatches(losses, [&](std::size_t i) { return found.errors[i]; }, {1e-4, 0}) == 0);
      CHECK(losses.at(static_cast<std::size_t>(found.index)) <= least * (1 + 1e-4));
      const auto ratio = static_cast<double>(g.scalar<float>(c.prefix + "best_ratio"));
      const std::vector<float> scales = g.values<float>(c.prefix + "scales");
      if (std::fabs(found.ratio - ratio) > 1e-6) return;  // a neighbour of equal loss
      CHECK(mismatches(scales, [&](std::size_t i) { return found.transform.scale[i]; }, {1e-5, 0}) == 0);
    });
  }
}

TEST_CASE("golden: smoothquant is consumed", "[golden]") { Golden("smoothquant").require_all_consumed_at_end(); }
