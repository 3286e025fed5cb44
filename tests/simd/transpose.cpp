#include "halfstep/simd/transpose.hpp"

#include <cstdint>
#include <vector>

#include "support/catch.hpp"

namespace simd = halfstep::simd;

TEST_CASE("a block is transposed in place of its own, whatever the strides", "[transpose]") {
  constexpr std::int64_t n = simd::transpose_size;
  for (const std::int64_t from_stride : {n, n + 1, n + 13}) {
    for (const std::int64_t to_stride : {n, n + 3}) {
      std::vector<float> from(static_cast<std::size_t>(n * from_stride + 1)),
          to(static_cast<std::size_t>(n * to_stride + 1), -1);
      for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<float>(i);
      simd::transpose_block(from.data() + 1, from_stride, to.data() + 1, to_stride);  // unaligned on both sides
      for (std::int64_t j = 0; j < n; ++j) {
        for (std::int64_t i = 0; i < to_stride && 1 + j * to_stride + i < static_cast<std::int64_t>(to.size()); ++i) {
          const float expected = i < n ? static_cast<float>(1 + i * from_stride + j) : -1;
          REQUIRE(to[static_cast<std::size_t>(1 + j * to_stride + i)] == expected);
        }
      }
      CHECK(to[0] == -1);
    }
  }
}
