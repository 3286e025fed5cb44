#include "halfstep/recipes/running_channel_means.hpp"

#include <algorithm>

#include "support/catch.hpp"
#include "support/float_matrix.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("means of channels do not depend on how the rows come", "[running_channel_means]") {
  const FloatMatrix x = random_matrix(11, 4, 472);
  hs::RunningChannelMeans whole, parts;
  whole.add<float>(x.view());
  for (hs::Index r = 0; r < 11; r += 3) parts.add<float>(x.view().row_range(r, std::min<hs::Index>(3, 11 - r)));
  for (hs::Index c = 0; c < 4; ++c) {
    double sum = 0;
    for (hs::Index r = 0; r < 11; ++r) sum += static_cast<double>(x.view()(r, c));
    CHECK(whole.mean(c) == sum / 11);
    CHECK(parts.mean(c) == whole.mean(c));
  }
}
