#include "halfstep/quantizers/minifloat_code.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "halfstep/quantizers/minifloat.hpp"
#include "halfstep/quantizers/mx_float.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "halfstep/simd/memory.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("only 8-bit minifloats are decoded by kernels", "[minifloat_code]") {
  STATIC_REQUIRE(hs::HasMinifloatCode<hs::Fp8E4M3>);
  STATIC_REQUIRE(hs::HasMinifloatCode<hs::Float<3, 4>>);
  STATIC_REQUIRE(hs::HasMinifloatCode<hs::MXFP8E5M2>);
  STATIC_REQUIRE(!hs::HasMinifloatCode<hs::Fp6E3M2>);
  STATIC_REQUIRE(!hs::HasMinifloatCode<hs::MXFP4>);
  STATIC_REQUIRE(!hs::HasMinifloatCode<hs::Uniform<8>>);
}

TEMPLATE_TEST_CASE("every code has the value that the quantizer gives it, in every lane", "[minifloat_code]",
                   hs::Fp8E4M3, hs::Fp8E5M2, (hs::Float<4, 3>), (hs::Float<5, 2>), (hs::Float<3, 4>), (hs::Float<1, 6>),
                   hs::MXFP8E4M3) {
  using Q = TestType;
  for (std::int32_t code = 0; code < 256; ++code) {
    const float value = Q{}.decode(code);
    CAPTURE(code);
    REQUIRE(Q::minifloat_code.decode(code) == value);
    REQUIRE(std::signbit(Q::minifloat_code.decode(code)) == std::signbit(value));
    float lanes[hs::simd::batch_lanes];
    hs::simd::store(lanes, Q::minifloat_code.decode(hs::simd::IntBatch(code)));
    for (const float lane : lanes) REQUIRE(lane == value);
  }
}
