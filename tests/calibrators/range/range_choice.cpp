#include "halfstep/calibrators/range/range_choice.hpp"

#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"

using namespace halfstep;

TEST_CASE("the best range is the one of least error, the first of equals") {
  BestRange<Uniform<4>> search;
  const double errors[] = {3, 2, 2, 5, 1.5, 1.5};
  for (int i = 0; i < 6; ++i) {
    search.offer({1.0f + static_cast<float>(i), i}, {0, static_cast<float>(i), 0}, errors[i]);
    const int expected = i < 1 ? 0 : (i < 4 ? 1 : 4);
    CAPTURE(i);
    CHECK(search.best() == RangeChoice<Uniform<4>>{{1.0f + static_cast<float>(expected), expected},
                                                   {0, static_cast<float>(expected), 0},
                                                   expected,
                                                   errors[expected]});
  }
}

TEST_CASE("the first candidate is taken whatever its error") {
  BestRange<Uniform<4>> search;
  search.offer({2, 1}, {}, 1e300);  // the published searches start from 1e10, and leave a larger error without a scale
  CHECK(search.best().quantizer == Uniform<4>{2, 1});
}

TEST_CASE("quantizers of choices keep their order") {
  const std::vector<RangeChoice<Uniform<4>>> choices = {{{1, 2}, {}, 0, 0}, {{3, 4}, {}, 5, 6}};
  CHECK(quantizers_of(choices) == std::vector<Uniform<4>>{{1, 2}, {3, 4}});
}
