#include "halfstep/calibrators/range/fit_each.hpp"

#include <vector>

#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"

using namespace halfstep;

static_assert(FitRule<LibraryFit<Uniform<4>>, Uniform<4>>);
static_assert(!FitRule<LibraryFit<Uniform<4>>, Uniform<8>>, "the rule must make the quantizer asked for");

TEST_CASE("each range gets its quantizer, by the library's rule or another") {
  const std::vector<Range> ranges = {{-1, 2, 0.5f}, {0, 0, 0}, {3, 9, 4}};
  const std::vector<Uniform<4>> affine = fit_each<Uniform<4>>(ranges);
  const std::vector<Uniform<4>> symmetric = fit_each<Uniform<4>>(ranges, LibraryFit<Uniform<4>>{Symmetry::symmetric});
  const std::vector<Uniform<4>> own = fit_each<Uniform<4>>(ranges, [](const Range& range) {
    return Uniform<4>{range.max + 1, 3};
  });
  REQUIRE(affine.size() == 3);
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    CHECK(affine[i] == Uniform<4>::fit(ranges[i]));
    CHECK(symmetric[i] == Uniform<4>::fit(ranges[i], Symmetry::symmetric));
    CHECK(own[i] == Uniform<4>{ranges[i].max + 1, 3});
  }
  CHECK(fit_each<Uniform<4>>({}).empty());
}
