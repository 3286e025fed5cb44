#include "halfstep/kernels/encode_vectors.hpp"

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "halfstep/quantizers/codebook.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

template <class Q>
void check_bulk() {
  Q q;
  std::mt19937 generator(3);
  std::normal_distribution<float> normal;
  for (float& value : q.values) value = normal(generator);
  for (Index n = 0; n <= 70; ++n) {
    // Blocks that end exactly with the last element: the address sanitizer sees an access beyond them.
    std::vector<float> x = random_matrix(1, n * Q::dim, static_cast<std::uint32_t>(n)).values;
    x.shrink_to_fit();
    std::vector<std::uint8_t> codes(static_cast<std::size_t>(n));
    encode_vectors(q, x.data(), n, codes.data());
    std::vector<float> values(x.size());
    decode_vectors(q, codes.data(), n, values.data());
    for (Index i = 0; i < n; ++i) {
      VectorLanes<Q::dim, float> vector;
      std::copy_n(x.data() + i * Q::dim, Q::dim, vector.begin());
      REQUIRE(codes[static_cast<std::size_t>(i)] == q.encode(vector));
      const auto word = q.decode(codes[static_cast<std::size_t>(i)]);
      REQUIRE(std::equal(word.begin(), word.end(), values.data() + i * Q::dim));
    }
  }
}

}  // namespace

TEST_CASE("bulk loops over vectors are the quantizer, one by one", "[codebook]") {
  check_bulk<Codebook<1, 3>>();
  check_bulk<Codebook<2, 64>>();
  check_bulk<Codebook<3, 17>>();
  check_bulk<Codebook<4, 256>>();
  check_bulk<Codebook<16, 16>>();
}

TEST_CASE("bulk encoding with 8-bit words is the quantizer, one by one", "[codebook]") {
  const auto q = to_int8(Codebook<2, 4>{{0, 0, 1, 1, -1, 2, 3, -2}});
  const std::vector<float> x = random_matrix(1, 74, 9).values;
  std::vector<std::uint8_t> codes(37);
  encode_vectors(q, x.data(), 37, codes.data());
  for (std::size_t i = 0; i < 37; ++i) CHECK(codes[i] == q.encode(VectorLanes<2, float>{x[2 * i], x[2 * i + 1]}));
}
