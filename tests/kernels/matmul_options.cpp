#include "halfstep/kernels/matmul_options.hpp"

#include <vector>

#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "kernels/matrices.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("options that do not fit a product are refused by name", "[matmul_options]") {
  const hs::PackedMatrix w = hs::pack(hs::quantize<hs::Uniform<4>>(random_eigen(5, 8, 1)));
  const std::vector<float> bias(4), right_bias(5);
  const hs::MatrixF residual = random_eigen(2, 5, 1);
  const hs::Shape x{3, 8};
  const auto check = [&](const hs::MatmulOptions& options) { hs::require_product("f", x, w, options); };
  CHECK_NOTHROW(check({}));
  CHECK_NOTHROW(check({.bias = right_bias}));
  CHECK_RAISES(check({.bias = bias}), "halfstep: f: bias has 4 elements, packed weight has 5 rows (its out_features)");
  CHECK_RAISES(check({.residual = hs::view(residual)}), "residual has shape [2, 5], expected [3, 5]");
  for (const hs::Blocking blocking : {hs::Blocking{0, 64}, {1, 0}, {1, 8}, {1, 65552}, {1, 40}}) {
    CHECK_RAISES(check({.blocking = blocking}),
                 hs::concat("blocking has rows ", blocking.rows, " and panel_k ", blocking.panel_k));
  }
  CHECK_NOTHROW(check({.blocking = {1, 16}}));
  CHECK_NOTHROW(check({.blocking = {1, 65536}}));
}

TEST_CASE("any quantizer is an option", "[matmul_options]") {
  const hs::MatmulOptions dynamic, fixed{.activation = hs::Uniform<4>{0.5f, 3}, .epilogue = hs::Gelu{}};
  CHECK(dynamic.activation.is_dynamic());
  CHECK(dynamic.activation.bits() == 8);
  CHECK_FALSE(fixed.activation.is_dynamic());
  CHECK(fixed.epilogue.kind() == hs::Epilogue::Kind::gelu);
}
