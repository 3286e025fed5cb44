#include "halfstep/kernels/encode_row.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/all_quantizers.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEMPLATE_LIST_TEST_CASE("rows are encoded and decoded as elements are, at every length and alignment", "[encode_row]",
                        AllQuantizers) {
  using Q = TestType;
  const Q q = hs::fit<Q>({-1.5f, 3.0f, 1.0f}, hs::Symmetry::affine);
  for (std::size_t n = 0; n <= 140; ++n) {
    for (const std::size_t offset : {std::size_t{0}, std::size_t{3}}) {
      // Exact buffers, so that a sanitizer sees a byte too far on either side.
      std::vector<float> x = random_matrix(1, static_cast<hs::Index>(n + offset), 5).values;
      std::vector<std::uint8_t> codes(n + offset, 0xee);
      const hs::EncodedRow seen =
          hs::encode_row(q, x.data() + offset, static_cast<hs::Index>(n), codes.data() + offset);
      std::int32_t sum = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const std::int32_t code = q.encode(x[offset + i]);
        REQUIRE(codes[offset + i] == code);
        sum += code;
      }
      for (std::size_t i = 0; i < offset; ++i) CHECK(codes[i] == 0xee);
      CHECK(seen.code_sum == sum);
      CHECK(seen.is_finite);

      std::vector<float> values(n + offset, -99.0f), faked = x;
      hs::decode_row(q, codes.data() + offset, static_cast<hs::Index>(n), values.data() + offset);
      hs::fake_quantize_row(q, faked.data() + offset, static_cast<hs::Index>(n), faked.data() + offset);
      for (std::size_t i = 0; i < n; ++i) {
        REQUIRE(values[offset + i] == q.decode(std::int32_t{codes[offset + i]}));
        REQUIRE(faked[offset + i] == values[offset + i]);
      }
    }
  }
}

TEMPLATE_LIST_TEST_CASE("long rows, which are decoded through a table, have the level of every code", "[encode_row]",
                        AllQuantizers) {
  using Q = TestType;
  const Q q = hs::fit<Q>({-1.5f, 3.0f, 1.0f}, hs::Symmetry::affine);
  for (const int n : {2 * hs::level_count<Q>, 2 * hs::level_count<Q> + 5}) {
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::uint8_t>(i % hs::level_count<Q>);
    std::vector<float> values(codes.size());
    hs::decode_row(q, codes.data(), n, values.data());
    for (std::size_t i = 0; i < codes.size(); ++i) REQUIRE(values[i] == q.decode(std::int32_t{codes[i]}));
    std::vector<float> x = random_matrix(1, n, 6).values, faked(x.size());
    hs::fake_quantize_row(q, x.data(), n, faked.data());
    for (std::size_t i = 0; i < x.size(); ++i) REQUIRE(faked[i] == q.decode(q.encode(x[i])));
  }
}

TEST_CASE("a value that is not finite is noticed wherever it stands", "[encode_row]") {
  const hs::Uniform<8> q{0.1f, 128};
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    for (std::size_t n = 1; n <= 70; ++n) {
      std::vector<float> x(n, 1.0f);
      std::vector<std::uint8_t> codes(n);
      for (std::size_t at = 0; at < n; ++at) {
        x[at] = bad;
        REQUIRE_FALSE(hs::encode_row(q, x.data(), static_cast<hs::Index>(n), codes.data()).is_finite);
        REQUIRE(codes[at] == q.encode(bad));
        x[at] = std::numeric_limits<float>::max();
      }
      CHECK(hs::encode_row(q, x.data(), static_cast<hs::Index>(n), codes.data()).is_finite);
    }
  }
}
