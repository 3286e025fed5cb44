#include "halfstep/simd/multiply_add.hpp"

#include <cmath>
#include <cstddef>
#include <random>

#include "halfstep/simd/memory.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;
namespace simd = halfstep::simd;

namespace {

/// A sum of double products is exact up to one rounding to double, so that rounding it to float again may go wrong only
/// next to a tie; these operands keep the exact result within 48 bits.
float expected(float a, float b, float c) {
  if (simd::fuses_multiply_add)
    return static_cast<float>(static_cast<double>(a) * static_cast<double>(b) + static_cast<double>(c));
  const volatile float product = a * b;
  return product + c;
}

}  // namespace

TEMPLATE_TEST_CASE("multiply_add rounds as often as it says, in every lane", "[multiply_add]", float, simd::FloatBatch,
                   simd::PortableFloat) {
  using T = TestType;
  constexpr std::size_t lanes = simd::lanes_of<T>;
  std::mt19937 generator(7);
  std::uniform_int_distribution<int> integer(-4095, 4095);
  int differs = 0;
  for (int i = 0; i < 2000; ++i) {
    float a[lanes], b[lanes], c[lanes], r[lanes];
    for (std::size_t l = 0; l < lanes; ++l) {
      a[l] = static_cast<float>(integer(generator)) * 0x1.001p-3f;
      b[l] = static_cast<float>(integer(generator)) + 0.25f;
      c[l] = -a[l] * b[l] + static_cast<float>(integer(generator)) * 0x1p-4f;
    }
    simd::store(r, simd::multiply_add(simd::load<T>(a), simd::load<T>(b), simd::load<T>(c)));
    for (std::size_t l = 0; l < lanes; ++l) {
      REQUIRE(r[l] == expected(a[l], b[l], c[l]));
      differs +=
          r[l] != static_cast<float>(static_cast<double>(a[l]) * static_cast<double>(b[l]) + static_cast<double>(c[l]));
    }
  }
  CHECK((differs > 0) == !simd::fuses_multiply_add);
}
