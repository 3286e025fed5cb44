#include "halfstep/calibrators/transform/repq.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "halfstep/calibrators/range/percentile_mse.hpp"
#include "halfstep/calibrators/range/published_fits.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("one quantizer encodes transformed channels as their own quantizers did") {
  // Powers of two: x' / scale~ is exact, so all codes are equal, saturation included. Off the ties, which go to even
  // before the zero point is added.
  const std::vector<Uniform<4>> channels{{0.25f, 3}, {0.5f, 8}, {0.0625f, -20}, {0.1875f, 13}};
  const auto layer = channel_to_layer(channels);
  CHECK(layer.quantizer.scale == 0.25f);
  CHECK(layer.quantizer.zero_point == 1);
  const MatrixF x = MatrixF::Random(200, 4) * 5, transformed = apply(layer.transform, x);
  for (Index c = 0; c < 3; ++c) {
    for (Index r = 0; r < x.rows(); ++r) {
      const float exact = (std::floor(x(r, c) * 1024) + 0.5f) / 1024;
      const float moved = (exact - layer.transform.shift_of(c)) / layer.transform.scale_of(c);
      CHECK(layer.quantizer.encode(moved) == channels[static_cast<std::size_t>(c)].encode(exact));
      CHECK(std::fabs(transformed(r, c) - moved) <= 0.01f);
    }
  }
}

TEST_CASE("targets are means or lower medians, zero points rounded or, as published, not") {
  const std::vector<Uniform<4>> channels{{1, 0}, {2, 1}, {3, 1}, {10, 5}};
  CHECK(channel_to_layer(channels).quantizer == Uniform<4>{4, 2});  // 1.75
  CHECK(channel_to_layer(channels, {.target = LayerTarget::median}).quantizer == Uniform<4>{2, 1});
  CHECK(channel_to_layer_published(channels).quantizer == ShiftedUniform<4>{4, -7});
  const std::vector<Uniform<4>> half{{1, 0}, {1, 1}, {1, 2}, {1, 3}};
  CHECK(channel_to_layer(half).quantizer.zero_point == 2);  // 1.5, to even
  CHECK(target_of({3}, LayerTarget::median) == 3);
  CHECK(target_of({}, LayerTarget::mean) == 0);
}

TEST_CASE("constant channels keep out of the target and get a code exactly") {
  MatrixF x(40, 4);
  const FloatMatrix values = random_matrix(40, 4, 3);
  for (Index r = 0; r < 40; ++r) {
    x(r, 0) = values(r, 0);
    x(r, 1) = 100;  // far from 0
    x(r, 2) = 2 * values(r, 2) + 1;
    x(r, 3) = 0;
  }
  const auto choices = percentile_mse<Uniform<4>>(x, {.tiling = per_column()}, repq_fit<4>);
  const auto all = quantizers_of(choices);
  const auto layer = channel_to_layer(all, {.ranges = ranges_of(choices)});
  const auto varying = channel_to_layer(std::vector<Uniform<4>>{all[0], all[2]});
  CHECK(layer.quantizer == varying.quantizer);
  CHECK(layer.transform.scale[1] == 1);
  const MatrixF transformed = apply(layer.transform, x);
  const Uniform<4> q = layer.quantizer;
  for (const Index c : {1, 3}) {
    const float value = transformed(0, c);
    CHECK(q.decode(q.encode(value)) == Approx(value).margin(100 * 0x1p-23));  // the shift's rounding
  }
  // Without ranges nothing is known of constants: their scales count.
  CHECK_FALSE(channel_to_layer(all).quantizer == layer.quantizer);
  const auto none = channel_to_layer(std::vector<Uniform<4>>{{1, 0}}, {.ranges = {{7, 7, 7}}});
  CHECK(none.quantizer == Uniform<4>{1, 0});
  CHECK(none.transform.shift[0] == 7);
}

TEST_CASE("channels to layer say what is wrong") {
  CHECK_RAISES(channel_to_layer(std::vector<Uniform<4>>{}), "channel_to_layer: channels is empty");
  CHECK_RAISES(channel_to_layer(std::vector<Uniform<4>>{{1, 0}, {0, 0}}),
               "scale of channel 1 is 0, expected a positive");
  CHECK_RAISES(channel_to_layer(std::vector<Uniform<4>>{{std::numeric_limits<float>::infinity(), 0}}),
               "channel 0 is inf");
  CHECK_RAISES(channel_to_layer_published(std::vector<Uniform<4>>{{1, 0}}, {.ranges = {{}, {}}}),
               "channel_to_layer_published: ranges has 2 entries, expected 1 (channels)");
}
