#include "halfstep/quantizers/nv_float.hpp"

#include <cmath>
#include <cstdint>
#include <limits>

#include "halfstep/core/float8.hpp"
#include "simd/sweep.hpp"
#include "support/catch.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("the tensor's scale takes its largest magnitude to 448 times 6", "[nv_float]") {
  CHECK(NVFP4::tensor_scale_of({-2688, 5, 0}) == 1);
  CHECK(NVFP4::tensor_scale_of({0, 0, 0}) == 1);
  CHECK(NVFP4::tensor_scale_of({0, 1e-40f, 0}) == 0x1p-119f);
  const NVFP4 q = NVFP4::fit({-2688, 5, 0});
  CHECK(q.scale == 448);
  CHECK(q.decode(q.encode(-2688.0f)) == -2688);
}

TEST_CASE("block scales are E4M3 numbers within their bounds", "[nv_float]") {
  CHECK(NVFP4::fit_block({-6, 0, 0}, 1) == NVFP4{1, 1});
  CHECK(NVFP4::fit_block({0, 6.1f, 0}, 1) == NVFP4{1, 1});
  CHECK(NVFP4::fit_block({0, 0.6f, 0}, 0.1f) == NVFP4{1, 0.1f});
  CHECK(NVFP4::fit_block({0, 0, 0}, 0.1f) == NVFP4{0x1p-6f, 0.1f});
  CHECK(NVFP4::fit_block({0, 1e9f, 0}, 0.1f) == NVFP4{448, 0.1f});
}

TEST_CASE("codes are those of FP4, multiplied by the reciprocal", "[nv_float]") {
  int wrong = 0;
  for (const NVFP4& q : {NVFP4{1, 1}, NVFP4{0.1015625f, 0.37f}, NVFP4{448, 1e-30f}, NVFP4{0x1p-6f, 0x1p-119f}}) {
    for (const float x : sweep_of_floats(5000)) {
      const float reciprocal = (1 / q.tensor_scale) / q.scale;
      wrong += q.encode(x) == Fp4E2M1{1}.encode(x * reciprocal) ? 0 : 1;
    }
    for (std::int32_t code = 0; code < 16; ++code) {
      wrong += q.decode(code) == Fp4E2M1{1}.decode(code) * (q.scale * q.tensor_scale) ? 0 : 1;
    }
    CHECK(lower(q).max_error == 0);
    CHECK(lower(q).plane_count == 1);
  }
  CHECK(wrong == 0);
}
