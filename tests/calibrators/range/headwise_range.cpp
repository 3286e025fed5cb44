#include "halfstep/calibrators/range/headwise_range.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "calibrators/range/moved.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// Least value and span of the elements that `is_in(r, c)` selects.
template <class IsIn>
HeadwiseRange::Estimate range_of(const FloatMatrix& x, IsIn is_in) {
  float low = std::numeric_limits<float>::max(), high = -low;
  for (Index r = 0; r < x.rows; ++r) {
    for (Index c = 0; c < x.cols; ++c) {
      if (!is_in(r, c)) continue;
      low = std::min(low, x(r, c));
      high = std::max(high, x(r, c));
    }
  }
  return {high - low, low};
}

}  // namespace

TEST_CASE("head-wise estimates are set by the first batch and moved by the others") {
  HeadwiseRange seen({.groups = 3, .sigma = 0.1f});
  std::vector<HeadwiseRange::Estimate> expected(3);
  const BackwardsExecutor backwards;
  for (std::uint32_t b = 0; b < 4; ++b) {
    const FloatMatrix batch = random_matrix(10 + b, 12, 50 + b, 1 + static_cast<float>(b));
    seen.observe(batch.view(), {}, backwards);
    for (Index g = 0; g < 3; ++g) {
      const auto current = range_of(batch, [g](Index, Index c) { return c / 4 == g; });
      HeadwiseRange::Estimate& e = expected[static_cast<std::size_t>(g)];
      e = b == 0 ? current
                 : HeadwiseRange::Estimate{moved(e.span, current.span, 0.1f), moved(e.shift, current.shift, 0.1f)};
    }
  }
  CHECK(seen.batches() == 4);
  CHECK(seen.estimates() == expected);
  CHECK(seen.quantizers().at(1) == ShiftedUniform<8>::over(expected[1].shift, expected[1].span));
}

TEST_CASE("heads in rows are found in every image, and groups take consecutive ones") {
  constexpr Index images = 3, heads = 4, tokens = 5;
  const FloatMatrix batch = random_matrix(images * heads * tokens, 6, 60);
  const HeadLayout layout{heads, tokens};
  for (const Index groups : {1, 2, 4}) {
    HeadwiseRange seen({.groups = groups});
    seen.observe(batch.view(), layout);
    const auto group_of = [&](Index r) { return r / tokens % heads / (heads / groups); };
    for (Index g = 0; g < groups; ++g) {
      CHECK(seen.estimates().at(static_cast<std::size_t>(g)) ==
            range_of(batch, [&](Index r, Index) { return group_of(r) == g; }));
    }
    const auto codes = quantize_with(batch.view(), seen.quantizers_for(shape_of(batch.view()), layout),
                                     {.tiling = layout.tiling(groups, batch.cols)});
    for (Index r = 0; r < batch.rows; ++r) {
      CHECK(codes.quantizer_at(r, 0) == seen.quantizers()[static_cast<std::size_t>(group_of(r))]);
    }
  }
}

TEST_CASE("head-wise estimates say what is wrong, and stay as they were") {
  CHECK_RAISES(HeadwiseRange({.groups = 0}), "HeadwiseRange: groups is 0, expected at least 1");
  CHECK_RAISES(HeadwiseRange({.sigma = 0}), "HeadwiseRange: sigma is 0, expected more than 0 and at most 1");
  CHECK_RAISES(HeadwiseRange({.sigma = std::numeric_limits<float>::quiet_NaN()}), "sigma is nan");
  HeadwiseRange seen({.groups = 4});
  CHECK_RAISES(seen.estimates(), "HeadwiseRange::estimates: no data was observed");
  FloatMatrix batch = random_matrix(6, 8, 61);
  CHECK_RAISES(seen.observe(batch.view().row_range(0, 0)), "HeadwiseRange::observe: no data was observed");
  seen.observe(batch.view());
  const auto before = seen.estimates();
  CHECK_RAISES(seen.observe(batch.view().col_range(0, 6)), "batch has 6 columns, expected a multiple of the 4 groups");
  CHECK_RAISES(seen.observe(batch.view(), {6, 1}), "layout has 6 heads, expected a multiple of the 4 groups");
  CHECK_RAISES(seen.observe(batch.view(), {4, 1}), "batch has 6 rows, expected a multiple of 4 heads times 1 tokens");
  CHECK_RAISES(seen.observe(batch.view(), {4, 0}), "4 heads times 0 tokens");
  CHECK_RAISES(seen.quantizers_for({6, 7}), "HeadwiseRange::quantizers_for: batch has 7 columns");
  batch.values[9] = std::numeric_limits<float>::infinity();
  CHECK_RAISES(seen.observe(batch.view()), "HeadwiseRange::observe: batch is not finite: row 1, column 1 is inf");
  CHECK(seen.estimates() == before);
  CHECK(seen.batches() == 1);
}

TEST_CASE("head-wise estimates go on from what was kept") {
  const FloatMatrix matrix = random_matrix(20, 6, 9);
  HeadwiseRange all({.groups = 3}), first({.groups = 3});
  all.observe(matrix.view());
  first.observe(matrix.view());
  HeadwiseRange resumed(first.options(), first.batches(), first.estimates());
  all.observe(matrix.view().row_range(0, 5));
  resumed.observe(matrix.view().row_range(0, 5));
  CHECK(resumed.estimates() == all.estimates());
  CHECK(resumed.batches() == 2);
  CHECK_RAISES(HeadwiseRange({.groups = 2}, 1, {{1, 0}}), "there are 1 estimates, expected 2 (groups)");
  CHECK_RAISES(HeadwiseRange({}, 1, {{-1, 0}}), "a span is negative or not finite");
  CHECK_RAISES(HeadwiseRange({}, 0, {{1, 0}}), "batches is 0");
}
