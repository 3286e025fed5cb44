// Agreement with the searches of golden/noisy.safetensors: the same clip (scale within 1e-6 of itself), losses within
// 1e-3 of themselves (plateaus: equal losses count as equal candidates), the noise within 1e-5 or its loss within 1e-3.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "halfstep/calibrators/range/noise_search.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

template <int Bits>
void check_noise_search(const Golden& g, const std::string& prefix) {
  const LoadedMatrix<float> x = g.matrix(prefix + "x"), w = g.matrix(prefix + "w");
  std::vector<Uniform<Bits>> quantizers;
  for (const float scale : g.values<float>(prefix + "w_scale")) quantizers.push_back({scale, 1 << (Bits - 1)});
  const MatrixF weight = dequantize(quantize_with(w.view(), quantizers, {.tiling = per_row()}));
  const std::vector<float> direction = g.values<float>(prefix + "direction");
  const auto found = noise_search<Bits>(x.view(), weight, {.direction = direction});
  CHECK(found.is_complete);
  const auto scale = static_cast<double>(g.scalar<float>(prefix + "act_scale"));
  CHECK(static_cast<double>(found.quantizer.scale) == Approx(scale).epsilon(1e-6));
  const auto same_loss = [&](double loss, const char* name) {
    return std::fabs(loss - g.scalar<double>(prefix + name)) <= 1e-3 * g.scalar<double>(prefix + name);
  };
  CHECK(same_loss(found.clip_mse, "clip_loss"));
  CHECK(same_loss(found.no_noise_mse, "loss_no_noise"));
  CHECK(same_loss(found.mean_mse, "loss_mean"));
  CHECK(same_loss(found.mse, "loss_noise"));
  const bool same_mean = std::fabs(static_cast<double>(found.mean - g.scalar<float>(prefix + "mean"))) <= 1e-5 * scale;
  const std::vector<float> noise = g.values<float>(prefix + "noise");
  REQUIRE(noise.size() == found.noise.size());
  double difference = 0, largest = 0;
  for (std::size_t c = 0; c < noise.size(); ++c) {
    difference = std::max(difference, std::fabs(static_cast<double>(noise[c] - found.noise[c])));
    largest = std::max(largest, std::fabs(static_cast<double>(noise[c])));
  }
  INFO("same mean: " << same_mean << ", noise differs by " << difference << " of " << largest);
  CHECK((difference <= 1e-5 * largest || same_loss(found.mse, "loss_noise")));
}

}  // namespace

TEST_CASE("golden: noisy searches of clip, mean and amplitude", "[golden]") {
  const Golden g("noisy");
  for (const GoldenCase& c : g.cases("noisy.*.bits")) {
    CAPTURE(c.name);
    with_bits(g.scalar<std::int32_t>(c.name), [&](auto bits) { check_noise_search<bits()>(g, c.prefix); });
  }
}
