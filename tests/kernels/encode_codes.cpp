#include "halfstep/kernels/encode_codes.hpp"

#include <cmath>
#include <cstdint>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/log_int_softmax.hpp"
#include "halfstep/kernels/matmul.hpp"
#include "halfstep/kernels/pack_activation.hpp"
#include "halfstep/kernels/shiftmax.hpp"
#include "halfstep/quantizers/log2.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "kernels/integers.hpp"
#include "kernels/matrices.hpp"
#include "support/catch.hpp"
#include "support/test_quantizers.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

template <class Q>
void check_codes_of(const Q& q) {
  hs::ThreadPool pool(3);
  for (const hs::Index cols : {0, 1, 15, 16, 17, 97, 257}) {
    const auto codes = random_integers<std::uint8_t>(9, cols, 1, 0, (1 << Q::bits) - 1);
    hs::MatrixF values(9, cols);
    for (hs::Index r = 0; r < 9; ++r) {
      for (hs::Index c = 0; c < cols; ++c) values(r, c) = q.decode(std::int32_t{codes(r, c)});
    }
    for (const hs::Index group : {0, 16, 19}) {
      CAPTURE(cols, group);
      const hs::EncodedMatrix expected = hs::encode(values, q, group);
      REQUIRE(hs::encode_codes(codes.view(), q, group) == expected);
      REQUIRE(hs::encode_codes(codes.view(), q, group, pool) == expected);
    }
  }
}

}  // namespace

TEST_CASE("codes are encoded as the values that have them", "[encode_codes]") {
  check_codes_of(hs::Uniform<8>{0x1p-7f, 0});
  check_codes_of(hs::Uniform<4>{0.5f, 7});
  check_codes_of(hs::Log2<4>{1.0f});
  check_codes_of(SqrtQuantizer<4>{0.3f});
  check_codes_of(EvenOddQuantizer<4>{0.7f, -3.0f});
}

TEST_CASE("probabilities of integer softmax multiply values from their codes", "[encode_codes]") {
  const auto scores = random_integers<std::int8_t>(20, 50, 2, -128, 127);
  const hs::MatrixF v = random_eigen(50, 16, 3);
  const hs::PackedMatrix values = hs::pack_activation(hs::transposed(hs::view(v)), hs::Uniform<8>{0.03f, 128});
  IntegerMatrix<std::uint8_t> p(20, 50), logs(20, 50);
  hs::shiftmax(scores.view(), 0.05f, p.view());
  hs::log_int_softmax(scores.view(), 0.05f, logs.view());
  hs::MatrixF linear(20, 50), halved(20, 50);
  for (hs::Index r = 0; r < 20; ++r) {
    for (hs::Index c = 0; c < 50; ++c) {
      linear(r, c) = static_cast<float>(p(r, c)) / 128;
      halved(r, c) = logs(r, c) == 15 ? 0.0f : std::exp2(-static_cast<float>(logs(r, c)));
    }
  }
  const hs::Uniform<8> steps{0x1p-7f, 0};
  CHECK(difference(hs::matmul(hs::encode_codes(p.view(), steps), values),
                   hs::matmul(linear, values, {.activation = steps})) == "");
  CHECK(difference(hs::matmul(hs::encode_codes(logs.view(), hs::Log2<4>{1.0f}), values),
                   hs::matmul(halved, values, {.activation = hs::Log2<4>{1.0f}})) == "");
}

TEST_CASE("codes that mean nothing are refused", "[encode_codes]") {
  IntegerMatrix<std::uint8_t> codes(3, 4);
  for (std::uint8_t& code : codes.values) code = 3;
  codes(2, 1) = 16;
  CHECK_RAISES(hs::encode_codes(codes.view(), hs::Uniform<4>{0.5f, 7}),
               "halfstep: encode_codes: codes at row 2, column 1 is 16, activation has codes 0 to 15");
  CHECK_RAISES(hs::encode_codes(codes.view(), hs::Activation()), "activation is no static one");
  CHECK_RAISES(hs::encode_codes(hs::transposed(hs::MatrixView<const std::uint8_t>(codes.view())), hs::Uniform<8>{}),
               "rows of codes must be contiguous");
}
