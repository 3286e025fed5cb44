#include "halfstep/kernels/activation.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "kernels/every_quantizer.hpp"
#include "kernels/matrices.hpp"
#include "support/catch.hpp"
#include "support/quantizer_ref.hpp"
#include "support/test_quantizers.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// What an activation makes of a code.
double value_of(const hs::Activation& activation, hs::Activation::RowScale scale, std::uint8_t code) {
  double sum = -static_cast<double>(scale.zero);
  for (int p = 0; p < activation.plane_count(); ++p) {
    sum += static_cast<double>(activation.plane_weight(p)) * activation.plane_map(p)[code];
  }
  return static_cast<double>(scale.unit) * sum;
}

/// An activation has the codes, values and bits of the quantizer that it was made from.
void check_activation(const hs::Activation& activation, const QuantizerRef& q, int bits) {
  const FloatMatrix x = random_matrix(1, 77, 3);
  CHECK(activation.bits() == bits);
  CHECK_FALSE(activation.is_dynamic());
  std::vector<std::uint8_t> codes(77);
  const hs::Activation::RowScale scale = activation.encode(x.values.data(), 77, codes.data());
  CHECK(scale.unit == activation.static_scale().unit);
  CHECK(scale.zero == activation.static_scale().zero);
  const hs::Lowering lowering = q.lower();
  CHECK(activation.plane_count() == lowering.plane_count);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    REQUIRE(codes[i] == q.encode(x.values[i]));
    // The zero is moved in float: exact for the integers that it mostly is, else one rounding.
    const double slack = std::ldexp(std::fabs(static_cast<double>(lowering.unit) * scale.zero), -23);
    REQUIRE(std::fabs(value_of(activation, scale, codes[i]) - lowering.value(codes[i])) <= slack);
  }
  for (int p = 0; p < activation.plane_count(); ++p) {
    const auto first = activation.plane_bytes(p).begin();
    CHECK(*std::min_element(first, first + q.level_count()) == 0);
  }
}

}  // namespace

TEST_CASE("any quantizer is an activation of the same codes and values", "[activation]") {
  for (const KernelQuantizer& quantizer : every_quantizer()) {
    INFO(quantizer.name);
    check_activation(quantizer.fitted.activation, quantizer.fitted.q, quantizer.bits);
    check_activation(quantizer.plain.activation, quantizer.plain.q, quantizer.bits);
  }
}

TEST_CASE("a dynamic activation is fitted to each row", "[activation]") {
  const FloatMatrix x = random_matrix(4, 50, 4);
  for (const hs::Symmetry symmetry : {hs::Symmetry::affine, hs::Symmetry::symmetric}) {
    const auto activation = hs::Activation::per_token<hs::Uniform<6>>(symmetry);
    CHECK(activation.is_dynamic());
    CHECK(activation.bits() == 6);
    for (hs::Index r = 0; r < 4; ++r) {
      const float* row = x.values.data() + r * 50;
      hs::RunningRange range;
      REQUIRE(hs::widen(range, row, 50));
      const hs::Uniform<6> q = hs::Uniform<6>::fit(range.range(), symmetry);
      std::vector<std::uint8_t> codes(50);
      const hs::Activation::RowScale scale = activation.encode(row, 50, codes.data());
      CHECK(scale.unit == q.scale);
      CHECK(scale.zero == static_cast<float>(q.zero_point));
      for (std::size_t i = 0; i < 50; ++i) CHECK(codes[i] == q.encode(row[i]));
    }
  }
  CHECK(hs::Activation().is_dynamic());
  CHECK(hs::Activation().bits() == 8);
}

TEST_CASE("a quantizer that scales by the mean has it, per token as well", "[activation]") {
  const FloatMatrix x = random_matrix(1, 50, 5);
  // Its planes depend on its parameters, so per token it is refused rather than given wrong planes.
  CHECK_RAISES(hs::Activation::per_token<WarpQuantizer<4>>(), "the planes of this quantizer depend on its parameters");
  CHECK_NOTHROW(hs::Activation::per_token<SqrtQuantizer<4>>());
}

TEST_CASE("codes are laid out by groups, with a sum for each", "[activation]") {
  const FloatMatrix x = random_matrix(1, 61, 6);
  const hs::Uniform<8> q{0.02f, 100};
  const hs::Activation activation = q;
  for (const hs::Index group : {0, 1, 7, 16, 19, 32}) {
    const hs::KLayout layout(61, group);
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(layout.padded_k()), 0xee);
    std::vector<std::int32_t> sums(static_cast<std::size_t>(layout.groups()));
    static_cast<void>(activation.encode(x.values.data(), layout, codes.data(), sums.data()));
    std::vector<std::int32_t> expected(sums.size());
    for (hs::Index k = 0; k < 61; ++k) {
      const std::int32_t code = q.encode(x.values[static_cast<std::size_t>(k)]);
      CHECK(codes[static_cast<std::size_t>(layout.position(k))] == code);
      expected[static_cast<std::size_t>(k / layout.group)] += code;
      codes[static_cast<std::size_t>(layout.position(k))] = 0xee;
    }
    CHECK(sums == expected);
    for (const std::uint8_t byte : codes) CHECK(byte == 0xee);  // nothing between the groups was written
  }
}

TEST_CASE("a row that is not finite has no unit", "[activation]") {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> x(40, 1.0f);
    x[37] = bad;
    std::vector<std::uint8_t> codes(40);
    const std::vector<hs::Activation> activations{hs::Activation(), hs::Uniform<4>{0.5f, 3}, PowerQuantizer<4>{1.0f}};
    for (const hs::Activation& activation : activations) {
      const hs::Activation::RowScale scale = activation.encode(x.data(), 40, codes.data());
      CHECK(std::isnan(scale.unit));
      CHECK(std::isfinite(scale.zero));
    }
  }
}

namespace activation_tests {

/// Too large to be kept inline.
struct LargeQuantizer {
  static constexpr int bits = 3;
  static constexpr bool reads_mean_abs = false;
  float scale = 1;
  std::array<float, 40> ballast{};
  friend bool operator==(const LargeQuantizer&, const LargeQuantizer&) = default;
  template <class T>
  auto encode(T x) const {
    return hs::simd::round_clamp(x / T(scale), 0.0f, 7.0f);
  }
  template <class C>
  auto decode(C code) const {
    return hs::simd::to_float(code) * hs::simd::FloatOf<C>(scale);
  }
  static LargeQuantizer fit(hs::Range range) { return {hs::usable_scale(range.max / 7), {}}; }
};

template <class Q>
void check_copies(const Q& q) {
  hs::Activation copy;
  {
    const hs::Activation activation = q;
    copy = activation;
  }
  const hs::Activation moved = std::move(copy);
  for (const float x : {-1.0f, 0.3f, 2.0f, 9.0f}) {
    std::uint8_t code = 0xee;
    static_cast<void>(moved.encode(&x, 1, &code));
    CHECK(code == q.encode(x));
  }
}

}  // namespace activation_tests

TEST_CASE("copies encode alike, whatever the size of the quantizer", "[activation]") {
  activation_tests::check_copies(hs::Uniform<4>{0.5f, 3});
  activation_tests::check_copies(activation_tests::LargeQuantizer{0.5f, {}});
}
