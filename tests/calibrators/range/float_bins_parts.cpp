#include "halfstep/calibrators/range/float_bins_parts.hpp"

#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "calibrators/range/samples.hpp"
#include "halfstep/calibrators/range/float_bins.hpp"
#include "support/catch.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("bins are what their parts say") {
  for (const int mantissa_bits : {0, 5, 16}) {
    for (const bool any : {true, false}) {
      const FloatMatrix x = any ? any_finite(1, 501, 3) : random_matrix(1, 501, 4);
      FloatBins bins(mantissa_bits);
      bins.add(x.values.data(), 501);
      const FloatBinsParts parts = bins.parts();
      CHECK(fault_of(parts).empty());
      CHECK(count_of(parts) == 501);
      CHECK(FloatBins(parts) == bins);
    }
  }
  for (const std::vector<float>& values : {std::vector<float>{0, -0.0f}, {-1, -3}, {2, 5}, {-1, 0}, {0, 1}}) {
    FloatBins bins;
    bins.add(values.data(), static_cast<Index>(values.size()));
    CHECK(FloatBins(bins.parts()) == bins);
  }
}

TEST_CASE("parts of no values are refused") {
  const std::vector<float> values = {-3, -1, 0, 1, 2};
  FloatBins bins(1);
  bins.add(values.data(), 5);
  const auto refuses = [&](auto change, std::string_view reason) {
    FloatBinsParts parts = bins.parts();
    change(parts);
    CAPTURE(fault_of(parts));
    CHECK(fault_of(parts).find(reason) != std::string_view::npos);
    CHECK_RAISES(FloatBins(parts), reason);
  };
  using Parts = FloatBinsParts;
  refuses([](Parts& p) { p.positive.first_octave = 254; }, "octaves reach beyond the finite floats");
  refuses([](Parts& p) { p.positive.counts.push_back(1); }, "octaves have another number of counts");
  refuses([](Parts& p) { p.positive = {3, 0, {}}; }, "no octaves have a first one");
  refuses([](Parts& p) { p.negative.counts.assign(p.negative.counts.size(), 0); }, "octaves reach beyond the values");
  refuses([](Parts& p) { p.zeros = -1; }, "a count is negative");
  refuses([](Parts& p) { p.zeros = std::numeric_limits<std::int64_t>::max(); }, "all are more than 2^63");
  refuses([](Parts& p) { p = {1, 0, 0, 0, {}, {}}; }, "there are no values");
  refuses([](Parts& p) { p.max = std::numeric_limits<float>::infinity(); }, "an end is not finite");
  refuses([](Parts& p) { p.max = 1.4f; }, "the largest value is not in the last bin");
  refuses([](Parts& p) { p.min = -4; }, "the least value is not in the first bin");
  FloatBins one(1);
  one.add(1.25f);
  FloatBinsParts parts = one.parts();
  parts.min = 1.4f;
  CHECK(fault_of(parts) == "the least value is above the largest");
  CHECK_RAISES(FloatBins(FloatBinsParts{17, 0, 0, 1, {}, {}}), "mantissa_bits is 17, expected 0 to 16");
}
