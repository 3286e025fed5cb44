#include "halfstep/kernels/explain.hpp"

#include <string>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/quantizers/minifloat.hpp"
#include "kernels/matrices.hpp"
#include "support/catch.hpp"
#include "support/test_quantizers.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

template <class Q>
hs::PackedMatrix packed_random(hs::Index rows, hs::Index cols, const hs::Tiling& tiling) {
  return hs::pack(hs::quantize<Q>(random_eigen(rows, cols, 71), {.tiling = tiling}));
}

bool says(const hs::ProductExplanation& e, const std::string& part) {
  return hs::concat(e).find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("the kernel that runs, where it runs, and the threads", "[explain]") {
  const hs::MatrixF x = random_eigen(200, 256, 72);
  const hs::PackedMatrix w = packed_random<hs::Uniform<4>>(128, 256, hs::per_row());
  hs::ThreadPool pool(2);
  const hs::ProductExplanation e = hs::explain(x, w, {.executor = pool});
  CHECK(e.kernel == hs::default_tile().name);
  CHECK(e.unit_isa == hs::simd::isa_name);
  CHECK(e.machine_isa == hs::simd::best_supported_isa());
  CHECK(e.workers == 2);
  CHECK(e.byte_products == 1);
  CHECK(e.corrects_in_integers);
  CHECK(hs::explain(x.topRows(1), w, {.executor = pool}).workers == 1);
  if (e.kernel == e.machine_isa) {
    CHECK(e.is_fast());
    CHECK(says(e, "the fast route"));
  } else {
    CHECK(says(e, hs::concat("this machine runs ", e.machine_isa)));
  }
}

TEST_CASE("each reason for a slower route is given", "[explain]") {
  const hs::MatrixF x = random_eigen(5, 100, 73);
  const hs::PackedMatrix w = packed_random<hs::Uniform<8>>(20, 100, hs::per_row());
  CHECK(says(hs::explain(x, w, {.tile = &hs::tile_generic}), "the kernel is plain C++"));
  CHECK(says(hs::explain(x, packed_random<hs::Uniform<4>>(20, 100, hs::per_group(19))), "K is 176 instead of 100"));
  CHECK(says(hs::explain(x, packed_random<hs::Uniform<4>>(20, 100, hs::per_group(32))), "groups of 32 are scaled"));
  CHECK(says(hs::explain(x, packed_random<hs::Uniform<4>>(20, 100, dealt_columns(100, 64))), "columns are reordered"));
  CHECK(says(hs::explain(Eigen::MatrixXf(x), w), "x is read through strides"));
  CHECK(says(hs::explain(hs::encode(x, hs::Activation(), 16), w), "x was encoded for another grouping"));
  CHECK_FALSE(says(hs::explain(hs::encode(x, hs::Activation()), w), "another grouping"));

  const hs::ProductExplanation planes =
      hs::explain(x, packed_random<EvenOddQuantizer<4>>(20, 100, hs::per_row()), {.activation = EvenOddQuantizer<4>{}});
  CHECK(planes.byte_products == 4);
  CHECK(says(planes, "the weight has two planes"));
  CHECK(says(planes, "the activations have two planes"));
  CHECK_FALSE(planes.corrects_in_integers);

  const hs::ProductExplanation floats = hs::explain(x, w, {.activation = hs::Activation::kept_in_float()});
  CHECK(floats.kernel == "float");
  CHECK(floats.byte_products == 0);
  CHECK(says(floats, "activations are kept in float"));
  CHECK(says(hs::explain(x, packed_random<hs::Fp8E4M3>(20, 100, hs::per_row())), "activations are kept in float"));

  const hs::ProductExplanation reals = hs::explain(x, packed_random<SqrtQuantizer<4>>(20, 100, hs::per_row()));
  CHECK(says(reals, "the correction is made in double") == (!reals.corrects_in_integers && reals.byte_products == 1));
  CHECK_RAISES(hs::explain(random_eigen(5, 99, 74), w), "explain: x has 99 columns, packed weight expects 100");
}
