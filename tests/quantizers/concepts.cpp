// What every quantizer promises, for each of the list.

#include "halfstep/quantizers/concepts.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <vector>

#include "halfstep/simd/memory.hpp"
#include "simd/sweep.hpp"
#include "support/all_quantizers.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float largest_float = std::numeric_limits<float>::max();

/// Every float that a mistake may turn on: all bfloat16 patterns and random bits, a dense sweep of what the quantizer's
/// values span, and the neighbourhood of each middle between two of its values.
template <class Q>
std::vector<float> inputs(const Q& q) {
  static const std::vector<float> common = sweep_of_floats(20000);
  std::vector<float> xs;
  // All of it for usual parameters, a twentieth for the odd ones.
  const std::size_t step = q == Q{} || q == hs::fit<Q>({-1.5f, 2.25f, 0.5f}, hs::Symmetry::affine) ? 1 : 19;
  for (std::size_t i = 0; i < common.size(); i += step) xs.push_back(common[i]);
  std::vector<float> values;
  for (int code = 0; code < hs::level_count<Q>; ++code) values.push_back(q.decode(std::int32_t{code}));
  std::sort(values.begin(), values.end());
  const double low = static_cast<double>(values.front()), high = static_cast<double>(values.back());
  for (int i = -50; i <= 4146; ++i) xs.push_back(static_cast<float>(low + (high - low) * i / 4096));
  for (std::size_t i = 1; i < values.size(); ++i) {
    const auto middle = static_cast<float>((static_cast<double>(values[i - 1]) + static_cast<double>(values[i])) / 2);
    xs.insert(xs.end(), {middle, std::nextafter(middle, -infinity), std::nextafter(middle, infinity), values[i]});
  }
  return xs;
}

/// How many codes of a batch differ from the scalar ones.
template <class Batch, class Q>
int encode_differences(const Q& q, const std::vector<float>& xs) {
  return differences<Batch>([&](auto x) { return q.encode(x); }, xs);
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("codes lie in the domain, and batches give the scalar code", "[quantizers]", AllQuantizers) {
  using Q = TestType;
  for (const Q& q : quantizers_to_test<Q>()) {
    const std::vector<float> xs = inputs(q);
    int outside = 0;
    for (const float x : xs) {
      const std::int32_t code = q.encode(x);
      outside += code < 0 || code >= hs::level_count<Q> ? 1 : 0;
    }
    CHECK(outside == 0);
    CHECK(encode_differences<hs::simd::FloatBatch>(q, xs) == 0);
    CHECK(encode_differences<hs::simd::PortableFloat>(q, xs) == 0);
  }
}

TEMPLATE_LIST_TEST_CASE("values are finite, and batches give the scalar value", "[quantizers]", AllQuantizers) {
  using Q = TestType;
  std::vector<std::int32_t> codes;
  for (int code = 0; code < hs::level_count<Q>; ++code) codes.push_back(code);
  for (const Q& q : quantizers_to_test<Q>()) {
    int not_finite = 0;
    for (const std::int32_t code : codes) not_finite += std::isfinite(q.decode(code)) ? 0 : 1;
    CHECK(not_finite == 0);
    CHECK(differences<hs::simd::IntBatch>([&](auto c) { return q.decode(c); }, codes) == 0);
    CHECK(differences<hs::simd::PortableInt>([&](auto c) { return q.decode(c); }, codes) == 0);
  }
}

TEMPLATE_LIST_TEST_CASE("a value encodes to a code of the same value", "[quantizers]", AllQuantizers) {
  using Q = TestType;
  for (const Q& q : quantizers_to_test<Q>()) {
    std::map<float, int> sharing;
    for (int code = 0; code < hs::level_count<Q>; ++code) ++sharing[q.decode(std::int32_t{code})];
    for (int code = 0; code < hs::level_count<Q>; ++code) {
      if (is_exempt_code(q, code)) continue;
      const float value = q.decode(std::int32_t{code});
      const std::int32_t again = q.encode(value);
      CAPTURE(code, value, again);
      REQUIRE(q.decode(again) == value);
      if (sharing[value] == 1) REQUIRE(again == code);
    }
  }
}

TEMPLATE_LIST_TEST_CASE("infinities saturate, and NaN has one code", "[quantizers]", AllQuantizers) {
  using Q = TestType;
  for (const Q& q : quantizers_to_test<Q>()) {
    CHECK(q.encode(infinity) == q.encode(largest_float));
    CHECK(q.encode(-infinity) == q.encode(-largest_float));
    const std::int32_t code = q.encode(std::numeric_limits<float>::quiet_NaN());
    for (const std::uint32_t bits : {0x7f800001u, 0x7fffffffu, 0xff800001u, 0xffc00000u}) {
      CHECK(q.encode(std::bit_cast<float>(bits)) == code);
    }
  }
}

TEMPLATE_LIST_TEST_CASE("a lowering keeps to its stated error and to bytes", "[quantizers]", AllQuantizers) {
  using Q = TestType;
  for (const Q& q : quantizers_to_test<Q>()) {
    const hs::Lowering lowering = hs::lower(q);
    REQUIRE((lowering.plane_count == 1 || lowering.plane_count == 2));
    REQUIRE(std::isfinite(lowering.unit));
    REQUIRE(std::isfinite(lowering.zero));
    for (std::size_t p = 0; p < static_cast<std::size_t>(lowering.plane_count); ++p) {
      const auto first = lowering.planes[p].values.begin();
      const auto [least, most] = std::minmax_element(first, first + hs::level_count<Q>);
      CHECK(*most - *least <= 255);
    }
    for (int code = 0; code < hs::level_count<Q>; ++code) {
      const double value = static_cast<double>(q.decode(std::int32_t{code}));
      const double lowered = lowering.value(code);
      // decode rounds `unit * integer` once.
      const double slack = std::ldexp(std::fabs(value), -24) + std::numeric_limits<float>::denorm_min();
      CAPTURE(code, value, lowered, lowering.max_error);
      REQUIRE(std::fabs(lowered - value) <= static_cast<double>(lowering.max_error) + slack);
    }
    const hs::LoweringScale scale = hs::lowering_scale(q);
    CHECK(scale.unit == lowering.unit);
    CHECK(scale.zero == lowering.zero);
  }
}

TEMPLATE_LIST_TEST_CASE("a fit has a positive scale, also where the range is degenerate", "[quantizers]",
                        AllQuantizers) {
  using Q = TestType;
  if constexpr (hs::HasScale<Q>) {
    for (const Q& q : quantizers_to_test<Q>()) {
      Q copy = q;
      CHECK(copy.scale > 0);
      CHECK(std::isfinite(copy.scale));
    }
  }
  STATIC_REQUIRE(hs::level_count<Q> == 1 << Q::bits);
  CHECK(Q{} == Q{});
}

namespace concepts_tests {

struct NotAQuantizer {
  static constexpr int bits = 4;
};
struct WithoutBatches {
  static constexpr int bits = 4;
  float scale = 1;
  friend bool operator==(const WithoutBatches&, const WithoutBatches&) = default;
  std::int32_t encode(float) const { return 0; }
  float decode(std::int32_t) const { return 0; }
  static WithoutBatches fit(hs::Range) { return {}; }
};
struct TooWide : hs::Uniform<8> {
  static constexpr int bits = 9;
};

}  // namespace concepts_tests

using namespace concepts_tests;

TEST_CASE("the concepts tell what a type can do", "[quantizers]") {
  STATIC_REQUIRE(hs::ScalarQuantizer<SqrtQuantizer<4>>);
  STATIC_REQUIRE_FALSE(hs::ScalarQuantizer<NotAQuantizer>);
  STATIC_REQUIRE_FALSE(hs::ScalarQuantizer<WithoutBatches>);
  STATIC_REQUIRE_FALSE(hs::ScalarQuantizer<TooWide>);
  STATIC_REQUIRE_FALSE(hs::ScalarQuantizer<int>);
  STATIC_REQUIRE(hs::HasSymmetry<hs::Uniform<4>>);
  STATIC_REQUIRE_FALSE(hs::HasSymmetry<SqrtQuantizer<4>>);
  STATIC_REQUIRE(hs::HasScale<hs::Uniform<4>>);
  STATIC_REQUIRE(hs::reads_mean_abs<SqrtQuantizer<4>>());
  STATIC_REQUIRE_FALSE(hs::reads_mean_abs<hs::Uniform<4>>());
  CHECK(hs::fit<SqrtQuantizer<4>>({0, 225, 0}, hs::Symmetry::symmetric) == SqrtQuantizer<4>{1});
  CHECK(hs::fit<hs::Uniform<4>>({-7, 2, 0}, hs::Symmetry::symmetric) == hs::Uniform<4>{1, 8});
}
