// Agreement with golden/osplus.safetensors: shifts, scales and errors of all candidates 1e-5 of themselves (float32 in
// the published order); codes of the stored Xhat exact, up to the tie of a symmetric range under affine codes, where a
// zero point may differ by 1 and all codes of a scale by one common step (README-llm.md, Tolerances).

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "halfstep/calibrators/transform/fold.hpp"
#include "halfstep/calibrators/transform/outlier_suppression_plus.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/transform_golden.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// The settings of a case: bits and symmetry of activations and weights, and their tilings.
struct Settings {
  explicit Settings(const std::vector<std::int32_t>& cfg) : activation_bits(cfg.at(0)), weight_bits(cfg.at(1)) {
    options.activation_symmetry = cfg.at(2) != 0 ? Symmetry::symmetric : Symmetry::affine;
    options.weight_symmetry = cfg.at(3) != 0 ? Symmetry::symmetric : Symmetry::affine;
    options.weight_tiling = cfg.at(4) != 0 ? per_row() : per_tensor();
    options.activation_tiling = cfg.at(5) != 0 ? per_row() : per_tensor();
  }
  int activation_bits;
  int weight_bits;
  OutlierSuppressionPlusOptions options;
};

/// The search on the data of a case.
OutlierSuppressionPlus run(const Settings& settings, const MatrixF& x, const MatrixF& w) {
  OutlierSuppressionPlus found;
  with_bits(settings.activation_bits, [&](auto a) {
    with_bits(settings.weight_bits,
              [&](auto b) { found = outlier_suppression_plus<Uniform<a()>, Uniform<b()>>(x, {w}, settings.options); });
  });
  return found;
}

/// Codes of the stored activations.
template <int Bits>
void check_codes_of(const Golden& g, const std::string& prefix, const Settings& settings) {
  const MatrixF x = eigen_matrix(g, prefix + "Xhat");
  const bool is_symmetric = settings.options.activation_symmetry == Symmetry::symmetric;
  const auto quantized = quantize<Uniform<Bits>>(
      x, {.tiling = settings.options.activation_tiling, .symmetry = settings.options.activation_symmetry});
  const auto scales = g.values<float>(prefix + "a_scale");
  const auto zeros = g.values<std::int32_t>(prefix + "a_zero"), codes = g.values<std::int32_t>(prefix + "a_codes");
  REQUIRE(static_cast<Index>(scales.size()) == quantized.grid().count());
  const int stored_middle = is_symmetric ? 1 << (Bits - 1) : 0;  // the file's symmetric codes are signed
  std::vector<int> shift(scales.size(), 2);                      // 2: no code of the granule was seen
  for (std::size_t s = 0; s < scales.size(); ++s) {
    const Uniform<Bits> q = quantized.quantizer(static_cast<Index>(s));
    CHECK(static_cast<double>(q.scale) == Approx(static_cast<double>(scales[s])).epsilon(1e-5));
    CHECK(std::abs(q.zero_point - stored_middle - zeros[s]) <= (is_symmetric ? 0 : 1));
  }
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const Index r = static_cast<Index>(i) / x.cols(), c = static_cast<Index>(i) % x.cols();
    const auto granule = static_cast<std::size_t>(quantized.grid().granule(r, c));
    const int code = quantized.code(r, c), difference = code - stored_middle - codes[i];
    const int last = Uniform<Bits>::max_code, stored = codes[i] + stored_middle;
    if (code == 0 || code == last || stored == 0 || stored == last) {
      CHECK(std::abs(difference) <= (is_symmetric ? 0 : 1));
      continue;
    }
    if (shift[granule] == 2) shift[granule] = difference;
    CHECK(std::abs(difference) <= (is_symmetric ? 0 : 1));
    CHECK(difference == shift[granule]);
  }
}

}  // namespace

TEST_CASE("golden: osplus searches, folded layers and codes", "[golden]") {
  const Golden g("osplus");
  for (const GoldenCase& c : g.cases("*.cfg")) {
    CAPTURE(c.prefix);
    const Settings settings(g.values<std::int32_t>(c.name));
    const MatrixF x = eigen_matrix(g, c.prefix + "X"), w = eigen_matrix(g, c.prefix + "W");
    const OutlierSuppressionPlus found = run(settings, x, w);
    const std::vector<double> thresholds = g.values<double>(c.prefix + "thresholds64"),
                              losses = g.values<double>(c.prefix + "losses64");
    REQUIRE(found.thresholds.size() == thresholds.size());
    CHECK(mismatches(thresholds, [&](std::size_t i) { return found.thresholds[i]; }, {1e-5, 0}) == 0);
    CHECK(mismatches(losses, [&](std::size_t i) { return found.errors[i]; }, {1e-5, 0}) == 0);
    const Index best = g.scalar<std::int32_t>(c.prefix + "best_index");
    CHECK(found.index == (losses.empty() ? -1 : best));
    CHECK(mismatches_with(g, c.prefix + "shift", found.transform.shift, of_largest(g, c.prefix + "shift", 1e-5)) == 0);
    CHECK(mismatches_with(g, c.prefix + "scale", found.transform.scale, {1e-5, 0}) == 0);
    CHECK(mismatches_with(g, c.prefix + "Xhat", apply(found.transform, x), of_largest(g, c.prefix + "Xhat", 1e-5)) ==
          0);

    std::vector<float> gain = g.values<float>(c.prefix + "gamma"), beta = g.values<float>(c.prefix + "beta");
    GoldenLayer layer{w, g.values<float>(c.prefix + "b")};
    fold(found.transform, NormView{NormKind::layer_norm, gain, beta}, {layer.view()});
    const auto check = [&](const std::string& name, const auto& folded) {
      CAPTURE(name);
      CHECK(mismatches_with(g, c.prefix + name, folded, of_largest(g, c.prefix + name, 1e-5)) == 0);
    };
    check("gamma_out", gain);
    check("beta_out", beta);
    check("W_out", layer.weight);
    check("b_out", layer.bias);
    with_bits(settings.activation_bits, [&](auto bits) { check_codes_of<bits()>(g, c.prefix, settings); });
  }
}

TEST_CASE("golden: osplus is consumed", "[golden]") { Golden("osplus").require_all_consumed_at_end(); }
