#include "halfstep/calibrators/range/published_fits.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "halfstep/calibrators/range/fit_each.hpp"
#include "support/catch.hpp"
#include "support/special_values.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// Ranges that hold 0, lie on one side of it, are empty, narrow or huge.
std::vector<Range> sample_ranges(std::uint32_t seed) {
  std::vector<Range> ranges = {{0, 0, 0},
                               {3.25f, 3.25f, 3.25f},
                               {-0.75f, -0.75f, 0.75f},
                               {-1, 1, 1},
                               {-largest_float, largest_float, 1},
                               {1e-30f, 2e-30f, 1e-30f},
                               {0, 1e-42f, 0},
                               {1000, 1000.01f, 1000}};
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  for (int i = 0; i < 300; ++i) {
    const float scale = std::exp(2 * normal(generator)), a = scale * normal(generator), b = scale * normal(generator);
    ranges.push_back({std::min(a, b), std::max(a, b), 0});
  }
  return ranges;
}

/// float32 operations whose operands and result no compiler may widen or fuse.
float divided(float a, float b) {
  const volatile float x = a, y = b, quotient = x / y;
  return quotient;
}
float difference(float a, float b) {
  const volatile float x = a, y = b, result = x - y;
  return result;
}
float magnitude(const Range& range) { return std::fmax(std::fabs(range.min), std::fabs(range.max)); }

template <int Bits>
void check_fq_vit(const Range& range) {
  constexpr float top = (1 << Bits) - 1;
  const Uniform<Bits> u = fq_vit_unsigned_fit<Bits>(range);
  const float span = difference(range.max, range.min);
  if (std::isfinite(span)) CHECK(u.scale == std::fmax(divided(span, top), 0x1p-23f));
  CHECK(u.zero_point ==
        static_cast<int>(std::fmin(std::fmax(-std::nearbyint(divided(range.min, u.scale)), 0.0f), top)));
  const Uniform<Bits> s = fq_vit_signed_fit<Bits>(range);
  CHECK(s.scale == std::fmax(divided(std::fmax(-range.min, range.max), top / 2), 0x1p-23f));
  CHECK(s.zero_point == 1 << (Bits - 1));
}

template <int Bits>
void check_symmetric(const Range& range) {
  constexpr float half = 1 << (Bits - 1);
  const Uniform<Bits> ptq4vit = ptq4vit_fit<Bits>(range), noisy = noisyquant_fit<Bits>(range);
  CHECK(ptq4vit.zero_point == 1 << (Bits - 1));
  CHECK(noisy.zero_point == 1 << (Bits - 1));
  const float a = divided(magnitude(range), half - 0.5f), b = divided(magnitude(range), half - 1);
  if (a >= std::numeric_limits<float>::min()) CHECK(ptq4vit.scale == a);
  if (b >= std::numeric_limits<float>::min() && std::isfinite(b * half))
    CHECK(noisy.scale == b);  // its largest value is a float
  CHECK(ptq4vit.scale > 0);
  CHECK(noisy.scale > 0);
}

template <int Bits>
void check_repq(const Range& range) {
  constexpr float top = (1 << Bits) - 1;
  const Uniform<Bits> q = repq_fit<Bits>(range);
  REQUIRE(std::isfinite(q.scale));
  REQUIRE(q.scale > 0);
  const float step = divided(difference(range.max, range.min), top);
  if (std::isfinite(step) && step > magnitude(range) * 0x1p-22f && step >= std::numeric_limits<float>::min()) {
    CHECK(q.scale == step);
    CHECK(q.zero_point == static_cast<int>(std::nearbyint(divided(-range.min, step))));
  }
  CHECK(std::abs(q.zero_point) <= 1 << 23);
  if (range == Range{}) CHECK(q == Uniform<Bits>{1, 0});
  // Both ends come back: to half a step, and half a place of the float where steps are that fine.
  for (const float end : {range.min, range.max}) {
    const double back = static_cast<double>(q.decode(q.encode(end)));
    const double slack = 0.5001 * static_cast<double>(q.scale) + 0x1p-23 * std::fabs(static_cast<double>(end));
    // Not where the grid, half a step off, leaves the floats, nor where the step is a subnormal's.
    if (magnitude(range) < 1e38f && magnitude(range) >= 1e-30f)
      CHECK(std::fabs(back - static_cast<double>(end)) <= slack);
  }
}

template <int Bits>
void check_all() {
  const std::uint32_t seed = 100 + Bits;
  for (const Range& range : sample_ranges(seed)) {
    CAPTURE(seed, Bits, range.min, range.max);
    check_fq_vit<Bits>(range);
    check_symmetric<Bits>(range);
    check_repq<Bits>(range);
  }
}

}  // namespace

TEST_CASE("published rules follow their formulas in float32") {
  check_all<2>();
  check_all<3>();
  check_all<4>();
  check_all<5>();
  check_all<6>();
  check_all<7>();
  check_all<8>();
}

TEST_CASE("published rules keep their constants") {
  CHECK(fq_vit_signed_fit<8>({-127.5f, 100, 0}).scale == 1);
  CHECK(ptq4vit_fit<8>({-127.5f, 100, 0}).scale == 1);
  CHECK(noisyquant_fit<8>({-127, 100, 0}).scale == 1);
  CHECK(fq_vit_unsigned_fit<4>({-7, 8, 0}) == Uniform<4>{1, 7});
  CHECK(repq_fit<4>({5, 20, 0}) == Uniform<4>{1, -5});
  CHECK(repq_fit<4>({-20, -5, 0}) == Uniform<4>{1, 20});
  CHECK(fq_vit_unsigned_fit<8>({}) == Uniform<8>{0x1p-23f, 0});
  CHECK(fq_vit_signed_fit<8>({}) == Uniform<8>{0x1p-23f, 128});
  CHECK(ptq4vit_fit<8>({}) == Uniform<8>{1, 128});
}

TEST_CASE("a constant: lost by FQ-ViT, kept by the library, kept to its last places by the unclipped rule") {
  for (const float value : {3.25f, -0.75f, 1e-6f, 1e20f}) {
    CAPTURE(value);
    const Range range{value, value, 0};
    const Uniform<8> unclipped = repq_fit<8>(range);
    CHECK(unclipped.decode(unclipped.encode(value)) == Approx(value).epsilon(0x1p-22));
    const Uniform<8> library = Uniform<8>::fit(range);
    CHECK(library.decode(library.encode(value)) == Approx(value).epsilon(0x1p-22));
  }
  const Uniform<8> published = fq_vit_unsigned_fit<8>({3.25f, 3.25f, 0});
  CHECK(published.decode(published.encode(3.25f)) == 255 * 0x1p-23f);
}

TEST_CASE("a published rule is a rule for ranges") {
  const std::vector<Range> ranges = {{-1, 2, 0}, {5, 20, 0}};
  const std::vector<Uniform<4>> quantizers = fit_each<Uniform<4>>(ranges, repq_fit<4>);
  CHECK(quantizers == std::vector<Uniform<4>>{repq_fit<4>(ranges[0]), repq_fit<4>(ranges[1])});
}

TEST_CASE("rules of the outlier-free transformers") {
  for (const Range& range : sample_ranges(77)) {
    CAPTURE(range.min, range.max);
    const Uniform<4> affine = outlier_free_fit<4>(range);
    const float low = std::fmin(range.min, 0.0f), high = std::fmax(range.max, 1e-8f);
    const float span = difference(high, low);
    if (std::isfinite(span)) CHECK(affine.scale == std::fmax(divided(span, 15), 1e-8f));
    CHECK(affine.zero_point == static_cast<int>(std::fmin(std::nearbyint(divided(-low, affine.scale)), 15.0f)));
    const Uniform<4> symmetric = outlier_free_symmetric_fit<4>(range);
    CHECK(symmetric.scale == std::fmax(divided(magnitude(range), range.min < 0 ? 7 : 15), 1e-8f));
    CHECK(symmetric.zero_point == (range.min < 0 ? 8 : 0));
  }
}

TEST_CASE("SmoothQuant, AWQ and ViDiT-Q have floors of their own") {
  for (const Range& range : sample_ranges(5)) {
    const float largest = magnitude(range), span = difference(range.max, range.min);
    const Uniform<8> s = smooth_quant_fit<8>(range);
    CHECK(s == Uniform<8>{divided(std::fmax(largest, 1e-5f), 127), 128});
    CHECK(awq_symmetric_fit<8>(range) == s);
    CHECK(vidit_q_symmetric_fit<8>(range) == Uniform<8>{std::fmax(divided(largest, 127), 1e-6f), 128});

    const Uniform<4> a = awq_fit<4>(range);
    if (std::isfinite(span)) CHECK(a.scale == divided(std::fmax(span, 1e-5f), 15));
    CHECK(a.zero_point ==
          static_cast<int>(std::fmin(std::fmax(-std::nearbyint(divided(range.min, a.scale)), 0.0f), 15.0f)));
    const float low = std::fmin(range.min, 0.0f), width = difference(std::fmax(range.max, 0.0f), low);
    const Uniform<4> v = vidit_q_fit<4>(range);
    if (std::isfinite(width)) CHECK(v.scale == std::fmax(divided(width, 15), 1e-6f));
    CHECK(v.zero_point == static_cast<int>(std::fmin(-std::nearbyint(divided(low, v.scale)), 15.0f)));
  }
}
