// Agreement with golden/repq.safetensors: channel scales 2e-6 of themselves and zero points exact, or an error within
// 1e-5 of theirs (the best two percentiles can be that close); folded layers 1e-5 of themselves plus 1e-5; outputs 1e-4
// of the largest; codes of the layer exact but within 1e-4 of a tie.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "halfstep/calibrators/range/percentile_mse.hpp"
#include "halfstep/calibrators/range/published_fits.hpp"
#include "halfstep/calibrators/range/squared_error.hpp"
#include "halfstep/calibrators/transform/fold.hpp"
#include "halfstep/calibrators/transform/layer_output_error.hpp"
#include "halfstep/calibrators/transform/repq.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/transform_golden.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

constexpr Tolerance folded_tolerance{1e-5, 1e-5};

/// The stored quantizers of the channels of a case.
template <int Bits>
std::vector<Uniform<Bits>> channel_quantizers(const Golden& g, const std::string& prefix) {
  const auto scales = g.values<float>(prefix + "delta");
  const auto zero_points = g.values<std::int32_t>(prefix + "zp");
  std::vector<Uniform<Bits>> quantizers;
  for (std::size_t c = 0; c < scales.size(); ++c) quantizers.push_back({scales[c], zero_points.at(c)});
  return quantizers;
}

/// A LayerNorm and the layer that reads it.
struct Block {
  Block(const Golden& g, const std::string& prefix)
      : gain(g.values<float>(prefix + "gamma")),
        beta(g.values<float>(prefix + "beta")),
        layer{eigen_matrix(g, prefix + "W"), g.values<float>(prefix + "bias")} {}

  void fold_in(const ShiftScale& t) { fold(t, NormView{NormKind::layer_norm, gain, beta}, {layer.view()}); }

  /// Folded parameters against the tensors `prefix + "gamma2"` and so on, as far as they are stored there.
  void check(const Golden& g, const std::string& prefix) const {
    CAPTURE(prefix);
    if (g.contains(prefix + "gamma2")) CHECK(mismatches_with(g, prefix + "gamma2", gain, folded_tolerance) == 0);
    if (g.contains(prefix + "W2")) CHECK(mismatches_with(g, prefix + "W2", layer.weight, folded_tolerance) == 0);
    CHECK(mismatches_with(g, prefix + "beta2", beta, folded_tolerance) == 0);
    CHECK(mismatches_with(g, prefix + "bias2", layer.bias, folded_tolerance) == 0);
  }

  /// The LayerNorm of `raw` (epsilon 1e-6), in double.
  [[nodiscard]] MatrixF normed(const MatrixF& raw) const {
    MatrixF out(raw.rows(), raw.cols());
    const auto count = static_cast<double>(raw.cols());
    for (Index r = 0; r < raw.rows(); ++r) {
      double mean = 0, variance = 0;
      for (Index c = 0; c < raw.cols(); ++c) mean += static_cast<double>(raw(r, c)) / count;
      for (Index c = 0; c < raw.cols(); ++c) {
        variance += (static_cast<double>(raw(r, c)) - mean) * (static_cast<double>(raw(r, c)) - mean) / count;
      }
      for (Index c = 0; c < raw.cols(); ++c) {
        const auto at = static_cast<std::size_t>(c);
        const double normalized = (static_cast<double>(raw(r, c)) - mean) / std::sqrt(variance + 1e-6);
        out(r, c) = static_cast<float>(normalized * static_cast<double>(gain[at]) + static_cast<double>(beta[at]));
      }
    }
    return out;
  }

  [[nodiscard]] MatrixF output(const MatrixF& raw) const {
    MatrixF out = layer_output<double>(normed(raw), layer.weight).cast<float>();
    for (Index r = 0; r < out.rows(); ++r) {
      for (Index o = 0; o < out.cols(); ++o) out(r, o) += layer.bias[static_cast<std::size_t>(o)];
    }
    return out;
  }

  std::vector<float> gain, beta;
  GoldenLayer layer;
};

/// Codes of the layer's quantizer for what the folded norm makes, against those of the channels.
template <int Bits>
void check_layer_codes(const Golden& g, const std::string& prefix, const MatrixF& x, const Uniform<Bits>& q) {
  const auto codes = g.values<std::int32_t>(prefix + "codes_channel");
  REQUIRE(codes.size() == static_cast<std::size_t>(x.size()));
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const double steps = static_cast<double>(x.data()[i]) / static_cast<double>(q.scale);
    CHECK(std::abs(q.encode(x.data()[i]) - codes[i]) <= (is_near_tie(steps, 1e-4) ? 1 : 0));
  }
}

/// The channels' own calibration, and what they make of x.
template <int Bits>
void check_channels(const Golden& g, const std::string& prefix, const std::vector<Uniform<Bits>>& stored) {
  const MatrixF x = eigen_matrix(g, prefix + "x");
  const auto choices = percentile_mse<Uniform<Bits>>(x, {.tiling = per_column()}, repq_fit<Bits>);
  const auto codes = g.values<std::int32_t>(prefix + "codes_channel");
  REQUIRE(choices.size() == stored.size());
  for (std::size_t c = 0; c < stored.size(); ++c) {
    const Uniform<Bits> found = choices[c].quantizer;
    std::vector<float> channel;
    for (Index r = 0; r < x.rows(); ++r) channel.push_back(x(r, static_cast<Index>(c)));
    const bool is_same =
        std::fabs(found.scale / stored[c].scale - 1) <= 2e-6f && found.zero_point == stored[c].zero_point;
    const double best = squared_error(found, channel), theirs = squared_error(stored[c], channel);
    CHECK((is_same || std::fabs(best - theirs) <= 1e-5 * theirs));
    for (Index r = 0; r < x.rows(); ++r) {
      CHECK(stored[c].encode(x(r, static_cast<Index>(c))) == codes.at(static_cast<std::size_t>(r * x.cols()) + c));
    }
  }
}

template <int Bits>
void check_case(const Golden& g, const std::string& prefix) {
  const auto channels = channel_quantizers<Bits>(g, prefix);
  check_channels(g, prefix, channels);
  const Block plain(g, prefix);
  const MatrixF raw = eigen_matrix(g, prefix + "ln_in");

  const auto published = channel_to_layer_published(channels);
  CHECK(published.quantizer.scale == Approx(g.scalar<float>(prefix + "target_delta")).epsilon(2e-6));
  const double zero = -static_cast<double>(published.quantizer.shift) / static_cast<double>(published.quantizer.scale);
  CHECK(zero == Approx(static_cast<double>(g.scalar<float>(prefix + "target_zp"))).epsilon(2e-6));
  Block block = plain;
  block.fold_in(published.transform);
  block.check(g, prefix);

  const auto rounded = channel_to_layer(channels);
  CHECK(rounded.quantizer.scale == published.quantizer.scale);
  CHECK(rounded.quantizer.zero_point == g.scalar<std::int32_t>(prefix + "round.target_zp"));
  Block round = plain;
  round.fold_in(rounded.transform);
  round.check(g, prefix + "round.");
  CHECK(mismatches_with(g, prefix + "gamma2", round.gain, folded_tolerance) == 0);
  CHECK(mismatches_with(g, prefix + "W2", round.layer.weight, folded_tolerance) == 0);
  check_layer_codes(g, prefix, round.normed(raw), rounded.quantizer);

  const auto median = channel_to_layer(channels, {.target = LayerTarget::median});
  CHECK(median.quantizer.scale == Approx(g.scalar<float>(prefix + "mosf.target_delta")).epsilon(2e-6));
  CHECK(median.quantizer.zero_point == g.scalar<std::int32_t>(prefix + "mosf.target_zp"));
  Block mosf = plain;
  mosf.fold_in(median.transform);
  mosf.check(g, prefix + "mosf.");
  check_layer_codes(g, prefix, mosf.normed(raw), median.quantizer);

  const Tolerance tolerance = of_largest(g, prefix + "out_float", 1e-4);
  for (const Block* made : {&plain, static_cast<const Block*>(&block), static_cast<const Block*>(&round),
                            static_cast<const Block*>(&mosf)}) {
    CHECK(mismatches_with(g, prefix + "out_float", made->output(raw), tolerance) == 0);
  }
}

}  // namespace

TEST_CASE("golden: repq layers of LayerNorm and linear", "[golden]") {
  const Golden g("repq");
  for (const GoldenCase& c : g.cases("ln.*.bits")) {
    CAPTURE(c.prefix);
    with_bits(g.scalar<std::int32_t>(c.name), [&](auto bits) { check_case<bits()>(g, c.prefix); });
  }
}

TEST_CASE("golden: repq with AdaLog's channels and rounded zero point", "[golden]") {
  const Golden g("repq");
  const auto channels = channel_quantizers<4>(g, "adalog_ln.");  // 4 bits, as the file's description says
  const MatrixF x = eigen_matrix(g, "adalog_ln.x");
  const std::vector<Index> shape = g.shape("adalog_ln.x");  // batch, tokens, channels
  const std::vector<double> losses = g.values<double>("adalog_ln.loss_channel");
  for (std::size_t c = 0; c < channels.size(); ++c) {
    std::vector<float> channel;
    for (Index r = 0; r < x.rows(); ++r) channel.push_back(x(r, static_cast<Index>(c)));
    const double loss = squared_error(channels[c], channel) / static_cast<double>(shape.at(1));
    CHECK(loss == Approx(losses.at(c)).epsilon(1e-4));
  }
  const auto layer = channel_to_layer(channels);
  CHECK(layer.quantizer.scale == Approx(g.scalar<float>("adalog_ln.target_delta")).epsilon(2e-6));
  CHECK(layer.quantizer.zero_point == g.scalar<std::int32_t>("adalog_ln.target_zp"));
  Block block(g, "adalog_ln.");
  const MatrixF raw = eigen_matrix(g, "adalog_ln.ln_in"), before = block.output(raw);
  CHECK(mismatches_with(g, "adalog_ln.x", block.normed(raw), of_largest(g, "adalog_ln.x", 1e-5)) == 0);
  block.fold_in(layer.transform);
  block.check(g, "adalog_ln.");
  const double most = static_cast<double>(before.cwiseAbs().maxCoeff());
  CHECK(static_cast<double>((block.output(raw) - before).cwiseAbs().maxCoeff()) <= 1e-4 * most);
}

TEST_CASE("golden: repq lower medians", "[golden]") {
  const Golden g("repq");
  for (const GoldenCase& c : g.cases("median.*.v")) {
    CAPTURE(c.name);
    const std::vector<double> values = g.values<double>(c.name);
    CHECK(target_of(values, LayerTarget::median) == static_cast<double>(g.scalar<float>(c.prefix + "m")));
  }
}

TEST_CASE("golden: repq but for dualclip is consumed", "[golden]") {
  for (const char* pattern : {"ln.*", "adalog_ln.*", "median.*"}) Golden("repq").require_consumed(pattern);
}
