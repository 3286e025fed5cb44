#include "halfstep/calibrators/range/minifloat_formats.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "support/catch.hpp"
#include "support/with_bits.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("minifloat formats are those of their bits, by growing mantissa") {
  CHECK(minifloat_formats<4>() == std::vector<MinifloatFormat>{{3, 0}, {2, 1}, {1, 2}});
  CHECK(minifloat_formats<6>().size() == 5);
  CHECK(minifloat_formats<8>().front() == MinifloatFormat{5, 2});
  CHECK(minifloat_formats<8>().back() == MinifloatFormat{1, 6});
  for (const int wanted : {3, 4, 5, 6, 7, 8}) {
    CHECK(with_value<3, 4, 5, 6, 7, 8>(wanted, [&](auto bits) {
      for (const MinifloatFormat& format : minifloat_formats<bits()>()) {
        CAPTURE(format.exponent_bits, format.mantissa_bits);
        bool is_visited = false;
        with_minifloat<bits()>(format, [&](auto q) {
          is_visited = true;
          CHECK(q.bits == wanted);
          CHECK(q.mantissa_bits == format.mantissa_bits);
          // The bias of a magnitude is what the quantizer's own fit gives: one logarithm and one rounding apart.
          for (const float largest : {1.0f, 0.03f, 700.0f}) {
            CHECK(exponent_bias_of(format, largest) == Approx(q.fit({-largest, 0, 0}).exponent_bias()).margin(1e-5));
          }
        });
        CHECK(is_visited);
      }
    }));
  }
  const auto nothing = [](auto) {};
  CHECK_RAISES(with_minifloat<4>({2, 2}, nothing), "with_minifloat: format is E2M2, expected one of 4 bits");
}

TEST_CASE("minifloats of any bias have normal scales and finite values") {
  for (const float bias : {0.0f, 1.0f, -3.5f, 126.0f, 200.0f, -130.0f, -1e30f, 1e30f}) {
    for (const MinifloatFormat& format : minifloat_formats<8>()) {
      with_minifloat<8>(format, [&](auto q) {
        using Q = decltype(q);
        const std::vector<float> biases = {bias};
        const Q found = minifloats_of_biases<Q>(biases)[0];
        CHECK(found.scale >= std::numeric_limits<float>::min());
        CHECK(std::isfinite(found.decode(Q::largest_code)));
        if (std::fabs(bias) < 100) CHECK(found == Q::with_exponent_bias(bias));
      });
    }
  }
}

TEST_CASE("shifts bring channels to a common bias, as near as they can") {
  const MinifloatFormat format{2, 1};
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> biases = {-1.4f, 0.6f, 1.5f, 9.0f, infinity, -1.6f};
  CHECK(least_exponent_bias(format, biases) == -1.6f);
  const SharedExponentBias shared = shared_exponent_bias(format, biases, -1.4f);  // rounds to -1
  CHECK(shared.bias == -1.4f);
  CHECK(shared.shifts == std::vector<std::int32_t>{0, 2, 3, 3, 3, 0});  // 1.5 rounds to 2
  CHECK(least_exponent_bias(format, std::vector<float>(2, infinity)) == 1.0f);
  CHECK(std::isinf(exponent_bias_of(format, 0.0f)));
}
