// Agreement with the clipped channel-wise quantization of golden/lrp_clip.safetensors, whose clipping is the one to
// common bounds: real values within 1e-4 of the largest of their tensor, zero points exactly, codes exactly but where
// the unrounded value is within 1e-5 max(1, |value|) of a tie.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "halfstep/calibrators/range/clipped_channels.hpp"
#include "halfstep/calibrators/range/fit_each.hpp"
#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/calibrators/transform/fold.hpp"
#include "halfstep/calibrators/transform/repq.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

void check_close(const std::vector<float>& found, const std::vector<float>& expected, const std::string& name) {
  CAPTURE(name);
  REQUIRE(found.size() == expected.size());
  double most = 0, largest = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    most = std::max(most, std::fabs(static_cast<double>(found[i]) - static_cast<double>(expected[i])));
    largest = std::max(largest, std::fabs(static_cast<double>(expected[i])));
  }
  CHECK(most <= 1e-4 * largest);
}

template <int Bits>
void check_clipped(const Golden& g, const GoldenCase& c) {
  const std::string layer = c.parts.at(0) + ".";
  const LoadedMatrix<float> y = g.matrix(layer + "Y"), hat = g.matrix(layer + "xhat");
  MinMax seen(per_column());
  seen.observe(y.view());
  const double percentile = std::stod(c.parts.at(2));
  const std::vector<Range> ranges =
      clipped_channel_ranges(seen.ranges(), {.percentile = percentile, .clip = ChannelClip::common_bounds});
  const auto quantizers = fit_each<Uniform<Bits>>(ranges, clipped_channel_fit<Bits>);
  const auto z = g.values<std::int32_t>(c.prefix + "z");
  std::vector<float> low, high, scale, r1, r2;
  for (std::size_t i = 0; i < quantizers.size(); ++i) {
    low.push_back(ranges[i].min);
    high.push_back(ranges[i].max);
    scale.push_back(quantizers[i].scale);
    CHECK(quantizers[i].zero_point == z.at(i));
  }
  check_close(low, g.values<float>(c.prefix + "lo"), "lo");
  check_close(high, g.values<float>(c.prefix + "hi"), "hi");
  check_close(scale, g.values<float>(c.prefix + "s"), "s");
  const auto [t, target] = channel_to_layer_published(quantizers);
  const auto zero = static_cast<double>(-target.shift / target.scale);
  check_close({target.scale, static_cast<float>(zero)}, g.values<float>(c.prefix + "st_zt"), "st_zt");
  for (std::size_t i = 0; i < quantizers.size(); ++i) {
    r1.push_back(t.scale[i]);
    r2.push_back(-t.shift[i] / scale[i]);
  }
  check_close(r1, g.values<float>(c.prefix + "r1"), "r1");
  check_close(r2, g.values<float>(c.prefix + "r2"), "r2");
  std::vector<float> gain = g.values<float>(layer + "gamma"), shift = g.values<float>(layer + "beta");
  std::vector<float> weight = g.matrix(layer + "W").values, bias = g.values<float>(layer + "b");
  const auto outputs = static_cast<Index>(bias.size());
  fold(t, NormView{NormKind::layer_norm, gain, shift}, {{{weight.data(), outputs, y.cols}, bias}});
  check_close(gain, g.values<float>(c.prefix + "gamma2"), "gamma2");
  check_close(shift, g.values<float>(c.prefix + "beta2"), "beta2");
  check_close(weight, g.values<float>(c.prefix + "W2"), "W2");
  check_close(bias, g.values<float>(c.prefix + "b2"), "b2");
  const auto codes = g.values<std::int32_t>(c.prefix + "codes");
  std::size_t wrong = 0;
  for (Index i = 0; i < hat.rows * hat.cols; ++i) {
    const auto channel = static_cast<std::size_t>(i % hat.cols);
    const float value = hat.values[static_cast<std::size_t>(i)] * gain[channel] + shift[channel];
    const double steps = static_cast<double>(value) / static_cast<double>(target.scale) + zero;
    const double code = std::clamp(std::nearbyint(steps), 0.0, static_cast<double>(Uniform<Bits>::max_code));
    const double from_tie = std::fabs(steps - std::floor(steps) - 0.5);
    if (from_tie > 1e-5 * std::max(1.0, std::fabs(steps))) wrong += code != codes[static_cast<std::size_t>(i)];
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("golden: clipped channel-wise quantization", "[golden]") {
  const Golden g("lrp_clip");
  for (const GoldenCase& c : g.cases("*.ccq*_*.z")) {
    CAPTURE(c.name);
    with_bits(c.number(1), [&](auto bits) { check_clipped<bits()>(g, c); });
  }
}

TEST_CASE("golden: lrp_clip is consumed", "[golden]") {  // with precision/relevance_golden.cpp, of the same program
  Golden("lrp_clip").require_all_consumed_at_end();
}
