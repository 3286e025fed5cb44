#include "halfstep/quantizers/block_format.hpp"

#include "halfstep/quantizers/minifloat.hpp"
#include "halfstep/quantizers/mx_float.hpp"
#include "halfstep/quantizers/nv_float.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;

namespace block_format_tests {

struct WithoutTensorFit : hs::Fp4E2M1 {
  static constexpr hs::Index block_size = 16;
  static constexpr hs::ScaleStorage scale_storage = hs::ScaleStorage::e4m3;
  float tensor_scale = 1;
};

}  // namespace block_format_tests

TEST_CASE("the concept tells block formats from quantizers", "[block_format]") {
  STATIC_REQUIRE(hs::BlockFormat<hs::MXFP4>);
  STATIC_REQUIRE(hs::BlockFormat<hs::MXFP8E5M2>);
  STATIC_REQUIRE(hs::BlockFormat<hs::NVFP4>);
  STATIC_REQUIRE_FALSE(hs::BlockFormat<hs::Fp4E2M1>);
  STATIC_REQUIRE_FALSE(hs::BlockFormat<hs::Uniform<4>>);
  STATIC_REQUIRE_FALSE(hs::BlockFormat<block_format_tests::WithoutTensorFit>);
  STATIC_REQUIRE(hs::HasTensorScale<hs::NVFP4>);
  STATIC_REQUIRE_FALSE(hs::HasTensorScale<hs::MXFP4>);
}

TEST_CASE("bits per element are those of the formats", "[block_format]") {
  STATIC_REQUIRE(hs::block_bits_per_element<hs::MXFP4> == 4.25);
  STATIC_REQUIRE(hs::block_bits_per_element<hs::MXFP6E2M3> == 6.25);
  STATIC_REQUIRE(hs::block_bits_per_element<hs::MXFP6E3M2> == 6.25);
  STATIC_REQUIRE(hs::block_bits_per_element<hs::MXFP8E4M3> == 8.25);
  STATIC_REQUIRE(hs::block_bits_per_element<hs::MXFP8E5M2> == 8.25);
  STATIC_REQUIRE(hs::block_bits_per_element<hs::NVFP4> == 4.5);
}
