#include "halfstep/kernels/integer_rows.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "kernels/integers.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEMPLATE_TEST_CASE("the largest of a row, wherever it stands", "[integer_rows]", std::int8_t, std::int32_t) {
  using T = TestType;
  for (const hs::Index n : row_lengths()) {
    std::vector<T> row(static_cast<std::size_t>(n), std::numeric_limits<T>::min());
    CHECK(hs::row_maximum(row.data(), n) == std::numeric_limits<T>::min());
    for (T& at : row) {
      at = std::numeric_limits<T>::max();
      CHECK(hs::row_maximum(row.data(), n) == std::numeric_limits<T>::max());
      at = -5;
      CHECK(hs::row_maximum(row.data(), n) == -5);
      at = std::numeric_limits<T>::min();
    }
  }
}

TEMPLATE_TEST_CASE("parts of rows are read with their sign, zeros beyond", "[integer_rows]", std::int8_t,
                   std::int32_t) {
  constexpr auto lanes = static_cast<hs::Index>(hs::simd::batch_lanes);
  for (hs::Index count = 1; count <= lanes; ++count) {
    std::vector<TestType> exact;  // not a byte more, for tools that watch memory
    for (hs::Index i = 0; i < count; ++i) exact.push_back(static_cast<TestType>(i % 2 == 0 ? -100 - i : 7 + i));
    const hs::simd::IntBatch values = hs::load_integers(exact.data(), count);
    std::vector<std::int32_t> all(static_cast<std::size_t>(lanes)), stored(static_cast<std::size_t>(count));
    hs::simd::store(all.data(), values);
    hs::store_integers(stored.data(), values, count);
    for (hs::Index i = 0; i < lanes; ++i) {
      const auto at = static_cast<std::size_t>(i);
      CHECK(all[at] == (i < count ? std::int32_t{exact[std::min(at, exact.size() - 1)]} : 0));
      if (i < count) CHECK(stored[at] == exact[at]);
    }
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(count));
    hs::store_integers(bytes.data(), hs::simd::IntBatch(255), count);
    CHECK(bytes == std::vector<std::uint8_t>(static_cast<std::size_t>(count), 255));
  }
}

TEST_CASE("values that are too large are named, the first of them", "[integer_rows]") {
  hs::ThreadPool pool(3);
  auto x = random_integers<std::int32_t>(3000, 19, 1, -99, 99);
  hs::require_below("test", hs::MatrixView<const std::int32_t>(x.view()), 100, pool);
  x(2500, 3) = 100;
  x(2000, 18) = -100;
  CHECK_RAISES(hs::require_below("test", hs::MatrixView<const std::int32_t>(x.view()), 100, pool),
               "halfstep: test: x at row 2000, column 18 is -100, expected less than 100 in size");
}
