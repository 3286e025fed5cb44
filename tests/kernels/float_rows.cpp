#include "halfstep/kernels/float_rows.hpp"

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "kernels/matrices.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("float rows are read in place where they can be, and copied in the weight's order else", "[float_rows]") {
  const hs::MatrixF x = random_eigen(37, 30, 71), w = random_eigen(4, 30, 72);
  const auto pack = [&](const hs::Tiling& tiling) {
    return hs::pack(hs::quantize<hs::Uniform<4>>(w, {.tiling = tiling}));
  };
  const hs::PackedMatrix plain = pack(hs::per_row()), dealt = pack(dealt_columns(30, 8));
  hs::Workspace workspace;
  hs::ThreadPool pool(3);
  const hs::FloatRows in_place = hs::float_rows_for(hs::view(x), plain, workspace, {});
  CHECK(in_place.data == x.data());
  CHECK(in_place.row_stride == 30);
  CHECK(hs::rows_from(in_place, 5, 2).row(1) == x.data() + 6 * 30);
  const ColumnMajorF turned = x;
  const hs::MatrixD wide = x.cast<double>();
  for (const hs::ExecutorRef executor : {hs::ExecutorRef(), hs::ExecutorRef(pool)}) {
    for (const hs::PackedMatrix& weight : {plain, dealt}) {
      for (const hs::FloatRows& rows : {hs::float_rows_for(hs::view(x), weight, workspace, executor),
                                        hs::float_rows_for(hs::view(turned), weight, workspace, executor),
                                        hs::float_rows_for(hs::view(wide), weight, workspace, executor)}) {
        REQUIRE(rows.rows == 37);
        for (hs::Index m = 0; m < 37; ++m) {
          for (hs::Index k = 0; k < 30; ++k) REQUIRE(rows.row(m)[k] == x(m, weight.channel(k)));
        }
      }
    }
  }
}
