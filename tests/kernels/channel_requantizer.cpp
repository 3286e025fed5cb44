#include "halfstep/kernels/channel_requantizer.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("channels are requantized each by its own ratio and bias", "[channel_requantizer]") {
  const std::vector<double> scale{0.5, 0.25, -1.0, 3e-9};
  const std::vector<float> bias{1.0f, 0.0f, -4.0f, 0.0f};
  const hs::ChannelRequantizer to(scale, bias, {0.5, 1.0, 2.0, 3.0});
  const std::vector<std::int32_t> x{3, 6, 5, 1 << 29, -300, -2, -1, -(1 << 29)};
  std::vector<std::int8_t> out(8);
  hs::requantize_channels<std::int32_t>({x.data(), 2, 4}, to, 127, {out.data(), 2, 4});
  // 3 + 2 units; 6 / 4 = 1.5, to even; (5 + 4) * -1 / 2 = -4.5, to even; 2^29 * 1e-9 = 0.54
  CHECK(out == std::vector<std::int8_t>{5, 2, -4, 1, -127, 0, -2, -1});
  std::vector<std::int64_t> wide(x.begin(), x.end());
  std::vector<std::int8_t> again(8);
  hs::requantize_channels<std::int64_t>({wide.data(), 2, 4}, to, 127, {again.data(), 2, 4});
  CHECK(again == out);
  std::vector<std::int32_t> sum{10, 10, 10, 10, 10, 10, 10, 10};
  hs::add_requantized({x.data(), 2, 4}, to, 250, {sum.data(), 2, 4});
  CHECK(sum == std::vector<std::int32_t>{15, 12, 6, 11, -250, 10, 8, 9});
}

TEST_CASE("ratios beyond a shift of 62 are rounded as any other", "[channel_requantizer]") {
  const hs::ChannelRequantizer to({0x1p-40, 1.0}, {}, {1.0});
  const std::vector<std::int32_t> x{1 << 29, 3};
  std::vector<std::int8_t> out(2);
  hs::requantize_channels<std::int32_t>({x.data(), 1, 2}, to, 127, {out.data(), 1, 2});
  CHECK(out == std::vector<std::int8_t>{0, 3});
}

TEST_CASE("a requantizer refuses what does not fit", "[channel_requantizer]") {
  CHECK_RAISES(hs::ChannelRequantizer({1.0, 2.0}, {1.0f}, {1.0}), "bias has 1 elements");
  CHECK_RAISES(hs::ChannelRequantizer({1.0, 2.0}, {}, {1.0, 2.0, 3.0}), "out_scale 3");
  CHECK_RAISES(hs::ChannelRequantizer({1e-12}, {1.0f}, {1.0}), "bias of channel 0 is 1");
  CHECK_RAISES(hs::ChannelRequantizer({0.0}, {}, {1.0}), "ratio is 0");
  const hs::ChannelRequantizer to({1.0}, {}, {1.0});
  const std::vector<std::int32_t> x(4);
  std::vector<std::int8_t> out(4);
  CHECK_RAISES(hs::requantize_channels<std::int32_t>({x.data(), 2, 2}, to, 127, {out.data(), 2, 2}),
               "has 1 channels, expected 2");
}
