#include "halfstep/io/statistics_layout.hpp"

#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("statistics have keys and kinds of their own", "[statistics_layout]") {
  CHECK(hs::statistics_key("a.b") == "halfstep.statistics.a.b");
  CHECK(hs::statistics_kind<hs::Histogram> == "histogram");
  CHECK(hs::StorableObserver<hs::MinMax>);
  CHECK_FALSE(hs::StorableObserver<int>);
}
