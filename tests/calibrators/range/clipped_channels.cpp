#include "halfstep/calibrators/range/clipped_channels.hpp"

#include <limits>
#include <vector>

#include "support/catch.hpp"

using namespace halfstep;

namespace {

/// Ten channels of width 2 about 0, one of width 20 about 0, one of width 1 about 5.5.
std::vector<Range> channels() {
  std::vector<Range> ranges(10, {-1, 1, 0.5f});
  ranges.push_back({-10, 10, 2});
  ranges.push_back({5, 6, 5.5f});
  return ranges;
}

}  // namespace

TEST_CASE("channels are clipped about their centres, and keep what is not wide") {
  const std::vector<Range> clipped = clipped_channel_ranges(channels(), {.percentile = 10});
  REQUIRE(clipped.size() == 12);
  for (std::size_t c = 0; c < 10; ++c) CHECK(clipped[c] == Range{-1, 1, 0.5f});
  CHECK(clipped[10] == Range{-1, 1, 2});
  CHECK(clipped[11] == Range{5, 6, 5.5f});  // on one side, and untouched
  std::vector<Range> wide = channels();
  wide[11] = {100, 140, 0};
  CHECK(clipped_channel_ranges(wide, {.percentile = 20})[11] == Range{119, 121, 0});
  CHECK(clipped_channel_ranges(channels(), {.percentile = 0}) == channels());
}

TEST_CASE("common bounds clip all channels alike, and lose one that lies on one side") {
  const std::vector<Range> clipped =
      clipped_channel_ranges(channels(), {.percentile = 10, .clip = ChannelClip::common_bounds});
  CHECK(clipped[0] == Range{-1, 1, 0.5f});
  CHECK(clipped[10].min == -1);
  CHECK(clipped[11].min == 5);
  CHECK(clipped[11].max < 6);
  CHECK(clipped_channel_ranges(channels(), {.percentile = 0, .clip = ChannelClip::common_bounds}) == channels());
}

TEST_CASE("percentiles are numpy's") {
  CHECK(percentile_of({4, 1, 3, 2}, 50) == 2.5f);
  CHECK(percentile_of({4, 1, 3, 2}, 0) == 1.0f);
  CHECK(percentile_of({4, 1, 3, 2}, 100) == 4.0f);
  CHECK(percentile_of({4, 1, 3, 2}, 10) == 1.3f);
  CHECK(percentile_of({7}, 30) == 7.0f);
}

TEST_CASE("the fit of clipped channels does not widen a range, and has a floor") {
  const Uniform<4> q = clipped_channel_fit<4>({5, 6.5f, 0});
  CHECK(q.scale == 0.1f);
  CHECK(q.zero_point == -50);
  CHECK(clipped_channel_fit<4>({0, 0, 0}).scale == 1e-8f / 15);
  CHECK(clipped_channel_fit<4>({5, 1, 0}).zero_point == -(1 << 23));
}

TEST_CASE("clipped channels say what is wrong") {
  const std::vector<Range> none, crossed = {{0, 1, 0}, {2, 1, 0}};
  const std::vector<Range> infinite = {{0, std::numeric_limits<float>::infinity(), 0}};
  CHECK_RAISES(clipped_channel_ranges(none), "channels is empty");
  CHECK_RAISES(clipped_channel_ranges(crossed), "channel 1 has the range 2 .. 1, expected finite ends in order");
  CHECK_RAISES(clipped_channel_ranges(infinite), "channel 0 has the range 0 .. inf");
  CHECK_RAISES(clipped_channel_ranges(channels(), {.percentile = 51}), "percentile is 51, expected 0 to 50");
}
