#include "halfstep/kernels/encode_row.hpp"

#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

#include "support/all_quantizers.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"
#include "support/quantizer_ref.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// The bulk functions of a quantizer, and the quantizer itself, with its type forgotten.
struct Rows {
  QuantizerRef q;
  std::function<hs::EncodedRow(const float*, hs::Index, std::uint8_t*)> encode;
  std::function<void(const std::uint8_t*, hs::Index, float*)> decode;
  std::function<void(const float*, hs::Index, float*)> fake_quantize;
};

template <class Q>
Rows rows_of(const Q& q) {
  return {q, [q](const float* x, hs::Index n, std::uint8_t* codes) { return hs::encode_row(q, x, n, codes); },
          [q](const std::uint8_t* codes, hs::Index n, float* x) { hs::decode_row(q, codes, n, x); },
          [q](const float* x, hs::Index n, float* out) { hs::fake_quantize_row(q, x, n, out); }};
}

/// `n` elements that begin `offset` elements into buffers of exact size, so that a sanitizer sees one too far on either
/// side.
void check_row(const Rows& rows, std::size_t n, std::size_t offset) {
  CAPTURE(n, offset);
  const auto size = static_cast<hs::Index>(n);
  const std::vector<float> x = random_matrix(1, static_cast<hs::Index>(n + offset), 5).values;
  std::vector<std::uint8_t> codes(n + offset, 0xee), expected(n + offset, 0xee);
  const hs::EncodedRow seen = rows.encode(x.data() + offset, size, codes.data() + offset);
  std::int32_t sum = 0;
  std::vector<float> values(n + offset, -99.0f), expected_values = values, faked = x, expected_faked = x;
  for (std::size_t i = offset; i < n + offset; ++i) {
    const std::int32_t code = rows.q.encode(x[i]);
    sum += code;
    expected[i] = static_cast<std::uint8_t>(code);
    expected_values[i] = expected_faked[i] = rows.q.decode(code);
  }
  REQUIRE(codes == expected);
  CHECK(seen.code_sum == sum);
  CHECK(seen.is_finite);
  rows.decode(codes.data() + offset, size, values.data() + offset);
  REQUIRE(values == expected_values);
  rows.fake_quantize(faked.data() + offset, size, faked.data() + offset);
  REQUIRE(faked == expected_faked);
}

/// Long rows, which are decoded through a table, have the level of every code.
void check_long_rows(const Rows& rows) {
  for (const int n : {2 * rows.q.level_count(), 2 * rows.q.level_count() + 5}) {
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(n));
    std::vector<float> values(codes.size()), expected(codes.size());
    for (std::size_t i = 0; i < codes.size(); ++i) {
      codes[i] = static_cast<std::uint8_t>(i % static_cast<std::size_t>(rows.q.level_count()));
      expected[i] = rows.q.decode(codes[i]);
    }
    rows.decode(codes.data(), n, values.data());
    REQUIRE(values == expected);
    check_row(rows, codes.size(), 0);
  }
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("rows are encoded and decoded as elements are, at every length and alignment", "[encode_row]",
                        AllQuantizers) {
  const auto q = hs::fit<TestType>({-1.5f, 3.0f, 1.0f}, hs::Symmetry::affine);
  const Rows rows = rows_of(q);
  for (std::size_t n = 0; n <= 140; ++n) {
    for (const std::size_t offset : {std::size_t{0}, std::size_t{3}}) check_row(rows, n, offset);
  }
  check_long_rows(rows);
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
