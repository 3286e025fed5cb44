#include "halfstep/core/finite.hpp"

#include "halfstep/core/thread_pool.hpp"

#include <limits>

#include "support/catch.hpp"
#include "support/special_values.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("is_finite_bits looks at every kind of float", "[core][finite]") {
  for (const float x : {0.0f, -0.0f, 1.0f, std::numeric_limits<float>::max(), std::numeric_limits<float>::lowest(),
                        std::numeric_limits<float>::denorm_min()}) {
    CHECK(hs::is_finite_bits(x));
  }
  for (const double x : {0.0, -1.0, std::numeric_limits<double>::max(), std::numeric_limits<double>::denorm_min()}) {
    CHECK(hs::is_finite_bits(x));
  }
  for (const float x : {not_a_number, -not_a_number, infinity, -infinity}) {
    CHECK_FALSE(hs::is_finite_bits(x));
    CHECK_FALSE(hs::is_finite_bits(static_cast<double>(x)));
  }
}

TEST_CASE("the first value that is not finite is found at every position and size", "[core][finite]") {
  for (const hs::Index n : {1, 2, 7, 255, 256, 257, 600}) {
    std::vector<float> x(static_cast<std::size_t>(n), 1.0f);
    CHECK(hs::find_non_finite(x.data(), n) == n);
    for (const hs::Index at : {hs::Index{0}, n / 2, n - 1}) {
      x.assign(x.size(), 1.0f);
      x[static_cast<std::size_t>(at)] = -infinity;
      x.back() = at == n - 1 ? -infinity : not_a_number;
      CAPTURE(n, at);
      CHECK(hs::find_non_finite(x.data(), n) == at);
    }
  }
  CHECK(hs::find_non_finite(static_cast<const float*>(nullptr), 0) == 0);
}

TEST_CASE("require_finite names row, column and value, for any executor and layout", "[core][finite]") {
  std::vector<float> data(40 * 3000, 0.5f);
  data[17 * 3000 + 4] = not_a_number;
  data[30 * 3000 + 1] = infinity;
  const hs::MatrixView<const float> rows(data.data(), 40, 3000);
  hs::ThreadPool pool(3);
  CHECK_RAISES(hs::require_finite("add", "batch", rows), "halfstep: add: batch is not finite: row 17, column 4 is nan");
  CHECK_RAISES(hs::require_finite("add", "batch", rows, pool), "row 17, column 4 is nan");
  CHECK_RAISES(hs::require_finite("add", "batch", hs::transposed(rows)), "row 1, column 30 is inf");
  CHECK(hs::find_non_finite(rows) == hs::Position{17, 4});
  CHECK_FALSE(hs::find_non_finite(rows.row_range(0, 17)).has_value());
}
