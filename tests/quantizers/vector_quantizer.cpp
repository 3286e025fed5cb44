#include "halfstep/quantizers/vector_quantizer.hpp"

#include "halfstep/quantizers/codebook.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"

using namespace halfstep;

static_assert(VectorQuantizer<Codebook<4, 256>>);
static_assert(VectorQuantizer<Codebook<1, 3>>);
static_assert(VectorQuantizer<Int8Codebook<2, 64>>);
static_assert(!VectorQuantizer<Uniform<4>>);
static_assert(!VectorQuantizer<float>);

TEST_CASE("codes of vectors have fewer bits than values", "[codebook]") {
  CHECK(bits_per_value<Codebook<4, 256>> == 2.0);
  CHECK(bits_per_value<Codebook<2, 64>> == 3.0);
  CHECK(bits_per_value<Codebook<8, 16>> == 0.5);
  CHECK(Codebook<2, 65>::bits == 7);
}
