#include "halfstep/kernels/pack_plan.hpp"

#include <cmath>
#include <vector>

#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/kernels/unpack.hpp"
#include "kernels/matrices.hpp"
#include "support/catch.hpp"
#include "support/test_quantizers.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace pack_plan_tests {

/// A table of four levels, and a side to it that only some granules have: one plane or two, and weights that depend on
/// the parameters.
struct TwinQuantizer {
  static constexpr int bits = 2;
  static constexpr bool reads_mean_abs = false;
  float scale = 1;
  float ratio = 0;  // of the positive side's step to the negative one's; 0: no positive side
  friend bool operator==(const TwinQuantizer&, const TwinQuantizer&) = default;
  template <class T>
  auto encode(T x) const {
    namespace simd = hs::simd;
    const auto negative = simd::round_clamp(simd::abs(x) / T(scale), 0, 1);
    const auto positive = simd::round_clamp(x / T(scale * (ratio == 0 ? 1e9f : ratio)), 0, 1);
    using I = decltype(negative + negative);
    return simd::select(x < T(0), I(2) + negative, positive);
  }
  template <class C>
  auto decode(C code) const {
    namespace simd = hs::simd;
    using F = simd::FloatOf<C>;
    const auto steps = simd::to_float(code & C(1));
    return simd::select(code < C(2), steps * F(scale * ratio), -(steps * F(scale)));
  }
  static TwinQuantizer fit(hs::Range range) {
    const float low = hs::usable_scale(-range.min);
    return {low, range.max > 0 ? range.max / low : 0};
  }
  hs::Lowering lower() const {
    hs::Lowering lowering;
    lowering.unit = scale;
    lowering.plane_count = ratio == 0 ? 1 : 2;
    lowering.planes[0].weight = ratio == 0 ? 1 : ratio;
    lowering.planes[1].weight = 1;
    for (int code = 0; code < 4; ++code) {
      const auto at = static_cast<std::size_t>(code);
      const int step = code & 1;
      lowering.planes[0].values[at] = static_cast<std::int16_t>(code < 2 && ratio != 0 ? step : 0);
      lowering.planes[ratio == 0 ? 0 : 1].values[at] = static_cast<std::int16_t>(code < 2 ? 0 : -step);
    }
    return lowering;
  }
};

double packed_value(const hs::PackedMatrix& packed, hs::Index n, hs::Index k) {
  double value = -static_cast<double>(packed.zero(0)[n]);
  for (int p = 0; p < packed.plane_count(); ++p) {
    value += static_cast<double>(packed.plane_weight(p)) * packed.plane_value(p, n, k);
  }
  return value * static_cast<double>(packed.scale(0)[n]);
}

}  // namespace pack_plan_tests

TEST_CASE("a plane is moved into s8, by the common zero where it can vanish", "[pack_plan]") {
  hs::BytePlane plane;
  for (std::size_t code = 0; code < 256; ++code) plane.values[code] = static_cast<std::int16_t>(code);
  const auto offset_with_zero = [&](int levels, float zero) { return hs::plane_offset(plane, levels, &zero); };
  CHECK(offset_with_zero(16, 8.0f) == 8);
  CHECK(offset_with_zero(16, 0.0f) == 0);
  CHECK(offset_with_zero(256, 128.0f) == 128);
  CHECK(offset_with_zero(256, 127.0f) == 128);  // 255 - 127 does not fit
  CHECK(offset_with_zero(16, 7.5f) == 8);
  CHECK(offset_with_zero(16, -200.0f) == 8);
  CHECK(hs::plane_offset(plane, 256, nullptr) == 128);
  for (std::size_t code = 0; code < 256; ++code)
    plane.values[code] = static_cast<std::int16_t>(static_cast<int>(code) - 12);
  CHECK(hs::plane_offset(plane, 16, nullptr) == 0);  // signed and small: as it is
}

TEST_CASE("granules of other planes and weights are brought together by their tables", "[pack_plan]") {
  using pack_plan_tests::TwinQuantizer;
  hs::QuantizedMatrix<TwinQuantizer> quantized({4, 4}, hs::per_row());
  const std::vector<std::uint8_t> codes{0, 1, 2, 3};
  const TwinQuantizer rows[] = {{1, 3}, {1, 3}, {2, 0}, {0.5f, 1.7f}};
  for (const int used : {1, 2, 3, 4}) {
    for (hs::Index n = 0; n < 4; ++n) {
      quantized.set_quantizer(n, rows[n < used ? n : 0]);
      quantized.set_row(n, codes.data());
    }
    const hs::PackPlan<TwinQuantizer> plan(quantized);
    const hs::PackedMatrix packed = hs::pack(quantized);
    // Two rows of one ratio keep its weights; the third has one plane, which fits the plane of weight 1; the fourth has
    // another ratio, so that all get tables.
    CHECK(packed.plane_count() == 2);
    CHECK(packed.plane_weight(0) == (used < 4 ? 3.0f : 256.0f));
    CHECK(plan.is_shared() == (used < 3));
    for (hs::Index n = 0; n < 4; ++n) {
      for (hs::Index k = 0; k < 4; ++k) {
        const double value = static_cast<double>(quantized.value(n, k));
        CAPTURE(used, n, k);
        CHECK(std::fabs(pack_plan_tests::packed_value(packed, n, k) - value) <= (used < 4 ? 1e-6 : 4.0 / 131000));
      }
    }
    const hs::QuantizedMatrix<TwinQuantizer> again = hs::unpack(packed, quantized);
    for (hs::Index n = 0; n < 4; ++n) {
      for (hs::Index k = 0; k < 4; ++k) CHECK(again.value(n, k) == quantized.value(n, k));
    }
  }
}
