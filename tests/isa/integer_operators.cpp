// Integer operators, signs and blocks against their references, for every instruction set that isa_tests is built for.

#include <cstdint>
#include <vector>

#include "halfstep/kernels/log_int_softmax.hpp"
#include "halfstep/kernels/matmul.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize_blocks.hpp"
#include "halfstep/kernels/reference_integer.hpp"
#include "halfstep/kernels/reference_product.hpp"
#include "halfstep/kernels/shift_gelu.hpp"
#include "halfstep/kernels/shiftmax.hpp"
#include "halfstep/kernels/sign_matmul.hpp"
#include "halfstep/quantizers/binary.hpp"
#include "halfstep/quantizers/mx_float.hpp"
#include "kernels/integers.hpp"
#include "kernels/matrices.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("integer operators are their references on this instruction set", "[integer]") {
  for (const hs::Index cols : row_lengths()) {
    for (const float scale : {0.004f, 0.02f, 0.11f, 1.0f}) {
      const auto x = random_integers<std::int8_t>(3, cols, 1, -128, 127);
      IntegerMatrix<std::uint8_t> shares(3, cols), logs(3, cols);
      IntegerMatrix<std::int32_t> gelus(3, cols);
      hs::shiftmax(x.view(), scale, shares.view());
      hs::log_int_softmax(x.view(), scale, logs.view());
      hs::shift_gelu(x.view(), scale, gelus.view());
      for (hs::Index r = 0; r < 3; ++r) {
        std::vector<std::int64_t> gelu = hs::reference_shift_sigmoid(x.wide_row(r), scale, 8);
        for (hs::Index c = 0; c < cols; ++c) gelu[static_cast<std::size_t>(c)] *= x(r, c);
        CAPTURE(cols, scale, r);
        REQUIRE(row_difference(shares, r, hs::reference_shiftmax(x.wide_row(r), scale, 8)) == "");
        REQUIRE(row_difference(logs, r, hs::reference_log_int_softmax(x.wide_row(r), scale, 15)) == "");
        REQUIRE(row_difference(gelus, r, gelu) == "");
      }
    }
  }
}

TEST_CASE("products of signs and of blocks are their references on this instruction set", "[integer]") {
  for (const hs::Index cols : {1, 63, 64, 65, 200}) {
    const hs::MatrixF x = random_eigen(5, cols, 2), w = random_eigen(19, cols, 3);
    const hs::SignMatrix a = hs::encode_signs(x, hs::Binary{0.7f, 0.1f}), b = hs::encode_signs(w, hs::Binary{});
    CAPTURE(cols);
    REQUIRE(difference(hs::sign_matmul(a, hs::pack(b)), hs::reference_sign_product(a, b)) == "");
    const hs::PackedMatrix blocks = hs::pack(hs::quantize_blocks<hs::MXFP4>(w));
    const hs::Activation activation = hs::Activation::per_block<hs::MXFP4>();
    REQUIRE(difference(hs::matmul(x, blocks, {.activation = activation}),
                       hs::reference_product(hs::encode(x, activation, blocks.layout().group), blocks)) == "");
  }
}
