#include "halfstep/quantizers/twin_uniform.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "support/catch.hpp"
#include "support/special_values.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// rne(x / step) up to `most`, of the float quotient.
int steps_of(float x, float step, int most) {
  return static_cast<int>(std::nearbyint(std::clamp(static_cast<double>(x / step), 0.0, static_cast<double>(most))));
}

template <int Bits>
void check_softmax(const TwinSoftmax<Bits>& q) {
  const int most = q.half - 1;
  int wrong = 0;
  for (int i = -100; i <= 10000; ++i) {
    const float x = static_cast<float>(i) / 8192 * q.largest;
    const bool is_coarse = x >= std::ldexp(q.largest, -q.shift);
    const float step = std::ldexp(q.largest, is_coarse ? 0 : -q.shift) / static_cast<float>(most);
    const int payload = steps_of(x, step, most);
    wrong += q.encode(x) == payload + (is_coarse ? q.half : 0) ? 0 : 1;
    wrong += q.decode(q.encode(x)) == static_cast<float>(payload) * step ? 0 : 1;
    if (i >= 0 && x <= q.largest) {
      REQUIRE(std::fabs(static_cast<double>(q.decode(q.encode(x)) - x)) <= static_cast<double>(step) * 0.500001);
    }
  }
  CAPTURE(Bits, q.largest, q.shift);
  CHECK(wrong == 0);
}

template <int Bits>
void check_gelu(const TwinGelu<Bits>& q) {
  const int most = q.half - 1;
  int wrong = 0;
  for (int i = -10000; i <= 10000; ++i) {
    const float x = static_cast<float>(i) / 8192 * q.scale * static_cast<float>(most);
    const int positive = steps_of(x, q.scale, most), negative = steps_of(-x, q.negative_scale, most);
    const float value = static_cast<float>(positive) * q.scale - static_cast<float>(negative) * q.negative_scale;
    wrong += q.encode(x) == (negative == 0 ? q.half + positive : negative) ? 0 : 1;
    wrong += q.decode(q.encode(x)) == value ? 0 : 1;
  }
  CAPTURE(Bits, q.scale, q.negative_scale);
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("twin softmax codes are those of their region", "[twin_uniform]") {
  check_softmax(TwinSoftmax<3>{1, 4});
  check_softmax(TwinSoftmax<4>{1, 0});
  check_softmax(TwinSoftmax<4>{0.3f, 8});
  check_softmax(TwinSoftmax<6>{1, 4});
  check_softmax(TwinSoftmax<8>{1e-10f, 12});
  CHECK(TwinSoftmax<4>{1, 3}.encode(not_a_number) == 0);
  CHECK(TwinSoftmax<4>{1, 3}.encode(-infinity) == 0);
  CHECK(TwinSoftmax<4>{1, 3}.encode(infinity) == 15);
}

TEST_CASE("twin GELU codes are those of their region, and zero has one", "[twin_uniform]") {
  check_gelu(TwinGelu<3>{1, 0.1f});
  check_gelu(TwinGelu<4>{0.56f, 0.021f});
  check_gelu(TwinGelu<8>{0.03f, 0.0013f});
  const TwinGelu<4> q{1, 0.1f};
  for (const float x : {0.0f, -0.0f, 0.4f, -0.04f, not_a_number}) CHECK(q.encode(x) == 8);
  CHECK(q.encode(-infinity) == 7);
  CHECK(q.encode(infinity) == 15);
}

TEST_CASE("steps of GELU may be a power of two apart", "[twin_uniform]") {
  CHECK(TwinGelu<4>{0.9f, 0.1f}.with_power_of_two_ratio() == TwinGelu<4>{0.8f, 0.1f});
  CHECK(TwinGelu<4>{0.03f, 0.1f}.with_power_of_two_ratio() == TwinGelu<4>{0.025f, 0.1f});
  CHECK(lower(TwinGelu<8>{0.8f, 0.1f}).max_error == 0);
  CHECK(lower(TwinGelu<8>{0.9f, 0.1f}).max_error <= 0x1p-23f * 127 * 0.1f);  // the ratio of the steps is rounded
}

TEST_CASE("twin softmax lowers to a coarse and a fine plane, exactly", "[twin_uniform]") {
  const TwinSoftmax<8> q{1, 10};
  const Lowering lowering = lower(q);
  CHECK(lowering.plane_count == 2);
  CHECK(lowering.planes[1].weight == 0x1p-10f);
  CHECK(lowering.max_error == 0);
  CHECK(lowering.planes[0].values[255] == 127);
  CHECK(lowering.planes[1].values[127] == 127);
  CHECK(lower(TwinSoftmax<4>{0.3f, 5}).planes == lower(TwinSoftmax<4>{7, 5}).planes);
}
