#include "halfstep/quantizers/scale_storage.hpp"

#include <cmath>
#include <cstdint>
#include <limits>

#include "halfstep/core/float16.hpp"
#include "halfstep/core/float8.hpp"
#include "support/catch.hpp"
#include "support/special_values.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {}  // namespace

TEST_CASE("a stored scale is what its type gives back", "[scale_storage]") {
  CHECK(hs::stored_scale(0.1f, hs::ScaleStorage::f32) == 0.1f);
  CHECK(hs::stored_scale(0.1f, hs::ScaleStorage::f16) == hs::to_float(hs::half_from_float(0.1f)));
  CHECK(hs::stored_scale(1e-30f, hs::ScaleStorage::f16) == 0x1p-24f);
  CHECK(hs::stored_scale(1e30f, hs::ScaleStorage::f16) == 65504.0f);
  CHECK(hs::stored_scale(0x1.8p-24f, hs::ScaleStorage::f16) == 0x1p-23f);  // a tie between subnormals goes to the even
  CHECK(hs::stored_scale(0.1f, hs::ScaleStorage::e8m0) == 0.125f);
  CHECK(hs::stored_scale(0.125f, hs::ScaleStorage::e8m0) == 0.125f);
  CHECK(hs::stored_scale(largest_float, hs::ScaleStorage::e8m0) == 0x1p127f);
  CHECK(hs::stored_scale(0x1.2p-127f, hs::ScaleStorage::e8m0) == 0x1p-126f);
  CHECK(hs::stored_scale(0x1p-140f, hs::ScaleStorage::e8m0) == 0x1p-127f);
  CHECK(hs::stored_scale(0.1f, hs::ScaleStorage::e4m3) == 0.1015625f);
  CHECK(hs::stored_scale(1e-30f, hs::ScaleStorage::e4m3) == 0x1p-6f);
  CHECK(hs::stored_scale(1e30f, hs::ScaleStorage::e4m3) == 448);
}

TEST_CASE("every code of a scale comes back", "[scale_storage]") {
  for (int code = 0; code <= 254; ++code) {
    const float scale = hs::decode_e8m0(static_cast<std::uint8_t>(code));
    CHECK(hs::encode_e8m0_up(scale) == code);
    CHECK(hs::stored_scale(scale, hs::ScaleStorage::e8m0) == scale);
    if (code < 254) CHECK(hs::encode_e8m0_up(std::nextafter(scale, largest_float)) == code + 1);
  }
  for (int code = 8; code <= 126; ++code) {
    const float scale = hs::decode_e4m3(static_cast<std::uint8_t>(code));
    CHECK(hs::encode_e4m3_scale(scale) == code);
    CHECK(hs::stored_scale(scale, hs::ScaleStorage::e4m3) == scale);
  }
  for (const float odd : {0.0f, -1.0f, std::numeric_limits<float>::quiet_NaN()}) {
    CHECK(hs::encode_e8m0_up(odd) == 0);
    CHECK(hs::encode_e4m3_scale(odd) == 8);
  }
}

TEST_CASE("bytes of a stored scale", "[scale_storage]") {
  STATIC_REQUIRE(hs::storage_bytes(hs::ScaleStorage::f32) == 4);
  STATIC_REQUIRE(hs::storage_bytes(hs::ScaleStorage::f16) == 2);
  STATIC_REQUIRE(hs::storage_bytes(hs::ScaleStorage::e8m0) == 1);
  STATIC_REQUIRE(hs::storage_bytes(hs::ScaleStorage::e4m3) == 1);
}
