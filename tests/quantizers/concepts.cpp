// What every quantizer promises, for each of the list.

#include "halfstep/quantizers/concepts.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <vector>

#include "halfstep/simd/memory.hpp"
#include "simd/sweep.hpp"
#include "support/all_quantizers.hpp"
#include "support/catch.hpp"
#include "support/special_values.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// A quantizer whose type is forgotten: the checks below are compiled once, and not once per type.
struct Subject {
  const void* quantizer;
  int level_count;
  bool is_monotone;
  bool is_usual;  ///< default parameters or an ordinary fit
  std::optional<float> scale;
  hs::Lowering lowering;
  hs::LoweringScale lowering_scale;
  bool (*is_exempt)(const void*, int);
  // Each from `n` elements to `n`, a multiple of every number of lanes.
  void (*encode)(const void*, const float*, std::size_t n, std::int32_t*);
  void (*encode_native)(const void*, const float*, std::size_t n, std::int32_t*);
  void (*encode_portable)(const void*, const float*, std::size_t n, std::int32_t*);
  void (*decode)(const void*, const std::int32_t*, std::size_t n, float*);
  void (*decode_native)(const void*, const std::int32_t*, std::size_t n, float*);
  void (*decode_portable)(const void*, const std::int32_t*, std::size_t n, float*);

  [[nodiscard]] std::int32_t code_of(float x) const {
    const std::vector<float> xs(most_lanes, x);
    std::vector<std::int32_t> codes(most_lanes);
    encode(quantizer, xs.data(), most_lanes, codes.data());
    return codes[0];
  }
  /// The value of every code.
  [[nodiscard]] std::vector<float> levels() const {
    const std::vector<std::int32_t> codes = all_codes();
    std::vector<float> values(codes.size());
    decode(quantizer, codes.data(), codes.size(), values.data());
    values.resize(static_cast<std::size_t>(level_count));
    return values;
  }
  /// Every code, and the last one until the number is a multiple of every number of lanes.
  [[nodiscard]] std::vector<std::int32_t> all_codes() const {
    std::vector<std::int32_t> codes;
    for (int code = 0; code < level_count; ++code) codes.push_back(code);
    while (codes.size() % most_lanes != 0) codes.push_back(level_count - 1);
    return codes;
  }

  static constexpr std::size_t most_lanes = 16;
};

template <class Q, class T>
void encode_all(const void* q, const float* x, std::size_t n, std::int32_t* codes) {
  static_assert(Subject::most_lanes % hs::simd::lanes_of<T> == 0);
  for (std::size_t i = 0; i < n; i += hs::simd::lanes_of<T>) {
    hs::simd::store(codes + i, static_cast<const Q*>(q)->encode(hs::simd::load<T>(x + i)));
  }
}
template <class Q, class C>
void decode_all(const void* q, const std::int32_t* codes, std::size_t n, float* values) {
  for (std::size_t i = 0; i < n; i += hs::simd::lanes_of<C>) {
    hs::simd::store(values + i, static_cast<const Q*>(q)->decode(hs::simd::load<C>(codes + i)));
  }
}
template <class Q>
bool is_exempt(const void* q, int code) {
  return is_exempt_code(*static_cast<const Q*>(q), code);
}

template <class Q>
Subject subject(const Q& q) {
  namespace simd = hs::simd;
  Subject s{&q,
            hs::level_count<Q>,
            is_monotone(q),
            false,
            std::nullopt,
            hs::lower(q),
            hs::lowering_scale(q),
            &is_exempt<Q>,
            &encode_all<Q, float>,
            &encode_all<Q, simd::FloatBatch>,
            &encode_all<Q, simd::PortableFloat>,
            &decode_all<Q, std::int32_t>,
            &decode_all<Q, simd::IntBatch>,
            &decode_all<Q, simd::PortableInt>};
  s.is_usual = q == Q{} || q == hs::fit<Q>({-1.5f, 2.25f, 0.5f}, hs::Symmetry::affine);
  if constexpr (hs::HasScale<Q>) s.scale = q.scale;
  return s;
}

/// Every float that a mistake may turn on: all floats of 16 bits and random ones, a dense sweep of what the quantizer's
/// values span, and the neighbourhood of each middle between two of its values. Sorted, NaN last.
std::vector<float> inputs(const Subject& subject) {
  static const std::vector<float> common = sweep_of_floats(20000);
  std::vector<float> xs;
  // All of it for usual parameters, a twentieth for the odd ones.
  const std::size_t step = subject.is_usual ? 1 : 19;
  for (std::size_t i = 0; i < common.size(); i += step) xs.push_back(common[i]);
  std::vector<float> values = subject.levels();
  std::sort(values.begin(), values.end());
  const double low = static_cast<double>(values.front()), high = static_cast<double>(values.back());
  for (int i = -50; i <= 4146; ++i) xs.push_back(static_cast<float>(low + (high - low) * i / 4096));
  for (std::size_t i = 1; i < values.size(); ++i) {
    const auto middle = static_cast<float>((static_cast<double>(values[i - 1]) + static_cast<double>(values[i])) / 2);
    xs.insert(xs.end(), {middle, std::nextafter(middle, -infinity), std::nextafter(middle, infinity), values[i]});
  }
  const auto numbers_end = std::partition(xs.begin(), xs.end(), [](float x) { return x == x; });
  std::sort(xs.begin(), numbers_end);
  while (xs.size() % Subject::most_lanes != 0) xs.push_back(std::numeric_limits<float>::quiet_NaN());
  return xs;
}

template <class T>
int count_differences(const std::vector<T>& a, const std::vector<T>& b) {
  int count = 0;
  for (std::size_t i = 0; i < a.size(); ++i) count += same(a[i], b[i]) ? 0 : 1;
  return count;
}

/// How often a larger input has a code of less value, or, where levels rise or fall with the code, a code that moves
/// the other way.
int count_falls(const Subject& subject, const std::vector<float>& xs, const std::vector<std::int32_t>& codes) {
  const std::vector<float> levels = subject.levels();
  const bool rises = std::is_sorted(levels.begin(), levels.end());
  const bool falls = std::is_sorted(levels.rbegin(), levels.rend());
  int count = 0;
  for (std::size_t i = 1; i < xs.size() && xs[i] == xs[i]; ++i) {
    const auto before = static_cast<std::size_t>(codes[i - 1]), after = static_cast<std::size_t>(codes[i]);
    const bool is_fall =
        levels[after] < levels[before] || (rises && !falls && after < before) || (falls && !rises && after > before);
    count += is_fall && xs[i - 1] < xs[i] ? 1 : 0;
  }
  return count;
}

/// Codes lie in the domain, batches give the scalar code, and codes follow the order of values.
void check_subject_codes(const Subject& subject) {
  const std::vector<float> xs = inputs(subject);
  std::vector<std::int32_t> codes(xs.size()), native(xs.size()), portable(xs.size());
  subject.encode(subject.quantizer, xs.data(), xs.size(), codes.data());
  subject.encode_native(subject.quantizer, xs.data(), xs.size(), native.data());
  subject.encode_portable(subject.quantizer, xs.data(), xs.size(), portable.data());
  const auto is_outside = [&](std::int32_t code) { return code < 0 || code >= subject.level_count; };
  const bool are_inside = std::none_of(codes.begin(), codes.end(), is_outside);
  CHECK(are_inside);
  CHECK(count_differences(codes, native) == 0);
  CHECK(count_differences(codes, portable) == 0);
  if (are_inside && subject.is_monotone) CHECK(count_falls(subject, xs, codes) == 0);
}

/// Values are finite, and batches give the scalar value.
void check_subject_values(const Subject& subject) {
  const std::vector<std::int32_t> codes = subject.all_codes();
  std::vector<float> values(codes.size()), native(codes.size()), portable(codes.size());
  subject.decode(subject.quantizer, codes.data(), codes.size(), values.data());
  subject.decode_native(subject.quantizer, codes.data(), codes.size(), native.data());
  subject.decode_portable(subject.quantizer, codes.data(), codes.size(), portable.data());
  CHECK(std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); }));
  CHECK(count_differences(values, native) == 0);
  CHECK(count_differences(values, portable) == 0);
}

/// A value encodes to a code of the same value, and to its own where no other code shares it.
void check_way_back(const Subject& subject) {
  const std::vector<float> levels = subject.levels();
  std::map<float, int> sharing;
  for (const float level : levels) ++sharing[level];
  for (int code = 0; code < subject.level_count; ++code) {
    if (subject.is_exempt(subject.quantizer, code)) continue;
    const float value = levels[static_cast<std::size_t>(code)];
    const std::int32_t again = subject.code_of(value);
    if (again == code || (sharing[value] > 1 && levels.at(static_cast<std::size_t>(again)) == value)) continue;
    FAIL_CHECK("code " << code << " of value " << value << " came back as " << again);
  }
}

/// Infinities saturate, and NaN has one code.
void check_special_values(const Subject& subject) {
  CHECK(subject.code_of(infinity) == subject.code_of(largest_float));
  CHECK(subject.code_of(-infinity) == subject.code_of(-largest_float));
  const std::int32_t code = subject.code_of(std::numeric_limits<float>::quiet_NaN());
  for (const std::uint32_t bits : {0x7f800001u, 0x7fffffffu, 0xff800001u, 0xffc00000u}) {
    CHECK(subject.code_of(std::bit_cast<float>(bits)) == code);
  }
}

/// A lowering keeps to its stated error and to bytes.
void check_lowering(const Subject& subject) {
  const hs::Lowering& lowering = subject.lowering;
  REQUIRE((lowering.plane_count == 1 || lowering.plane_count == 2));
  CHECK(std::isfinite(lowering.unit));
  CHECK(std::isfinite(lowering.zero));
  for (std::size_t p = 0; p < static_cast<std::size_t>(lowering.plane_count); ++p) {
    const auto first = lowering.planes[p].values.begin();
    const auto [least, most] = std::minmax_element(first, first + subject.level_count);
    CHECK(*most - *least <= 255);
  }
  const std::vector<float> levels = subject.levels();
  for (int code = 0; code < subject.level_count; ++code) {
    const double value = static_cast<double>(levels[static_cast<std::size_t>(code)]);
    const double lowered = lowering.value(code);
    // decode rounds `unit * integer` once.
    const double slack = std::ldexp(std::fabs(value), -24) + std::numeric_limits<float>::denorm_min();
    if (std::fabs(lowered - value) <= static_cast<double>(lowering.max_error) + slack) continue;
    FAIL_CHECK("code " << code << " of value " << value << " is lowered to " << lowered << ", stated error "
                       << lowering.max_error);
  }
  CHECK(subject.lowering_scale.unit == lowering.unit);
  CHECK(subject.lowering_scale.zero == lowering.zero);
}

void check(const Subject& subject) {
  check_subject_codes(subject);
  check_subject_values(subject);
  check_way_back(subject);
  check_special_values(subject);
  check_lowering(subject);
  // A fit has a positive scale, also where the range is degenerate.
  if (subject.scale) CHECK((*subject.scale > 0 && std::isfinite(*subject.scale)));
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("what every quantizer promises", "[quantizers]", AllQuantizers) {
  using Q = TestType;
  STATIC_REQUIRE(hs::level_count<Q> == 1 << Q::bits);
  CHECK(Q{} == Q{});
  const std::vector<Q> quantizers = quantizers_to_test<Q>();
  for (std::size_t i = 0; i < quantizers.size(); ++i) {
    INFO("parameters " << i << " of quantizers_to_test");
    check(subject(quantizers[i]));
  }
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
