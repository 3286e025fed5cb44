#include "halfstep/kernels/block_product.hpp"

#include <vector>

#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/kernels/reference_product.hpp"
#include "halfstep/kernels/tile_generic.hpp"
#include "kernels/matrices.hpp"
#include "support/catch.hpp"
#include "support/test_quantizers.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// One block of rows and columns, whose tiles must cover it once, in order, with the reference's sums.
template <class Q>
void check_block(hs::Index first, hs::Index count, hs::Index block, const hs::Tiling& tiling, hs::Index panel_k) {
  const hs::PackedMatrix w = hs::pack(hs::quantize<Q>(random_eigen(100, 90, 61, 1, 0.5f), {.tiling = tiling}));
  const hs::EncodedMatrix encoded = hs::encode(random_eigen(20, 90, 62), hs::Activation(), w.layout().group);
  const hs::MatrixF expected = hs::reference_product(encoded, w);
  const hs::EncodedRows x = encoded.rows_view();
  const hs::PreparedRows rows{x, {x.plane[0], x.plane[1]}, x.row_stride};
  const hs::BlockPlan plan{hs::tile_generic, rows, w, panel_k, hs::fits_integers(x, w)};
  hs::Workspace workspace;
  const hs::BlockScratch scratch = hs::BlockScratch::take(workspace, plan, count);
  hs::Index next = first;
  hs::BlockProduct(plan, scratch).run(block, first, count, [&](hs::Index row, hs::Index tile_rows, float* sums) {
    CHECK(row == next);
    next += tile_rows;
    for (hs::Index r = 0; r < tile_rows; ++r) {
      for (hs::Index n = 0; n < 64 && block * 64 + n < 100; ++n) {
        REQUIRE(sums[r * 64 + n] == expected(row + r, block * 64 + n));
        sums[r * 64 + n] = -1;  // whoever finishes a tile may change it
      }
    }
  });
  CHECK(next == first + count);
}

}  // namespace

TEST_CASE("a block's tiles cover it once, however K is cut", "[block_product]") {
  for (const hs::Tiling& tiling : {hs::per_row(), hs::per_group(32), hs::per_group(45)}) {
    for (const hs::Index panel_k : {16, 32, 48, 2048}) {
      for (const hs::Index block : {0, 1}) {
        check_block<hs::Uniform<4>>(0, 20, block, tiling, panel_k);
        check_block<hs::Uniform<8>>(3, 13, block, tiling, panel_k);
        check_block<EvenOddQuantizer<4>>(5, 1, block, tiling, panel_k);
        check_block<EvenOddQuantizer<4>>(0, 20, block, tiling, panel_k);
      }
    }
  }
}
