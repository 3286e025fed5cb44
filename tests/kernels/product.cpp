#include "halfstep/kernels/product.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/kernels/tile_default.hpp"
#include "kernels/matrices.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

hs::PackedMatrix per_row_weight(hs::Index rows, hs::Index cols) {
  return hs::pack(hs::quantize<hs::Uniform<4>>(random_eigen(rows, cols, 71), {.tiling = hs::per_row()}));
}

}  // namespace

TEST_CASE("small products stay on the calling thread", "[product]") {
  hs::Workspace workspace;
  hs::ThreadPool pool(4);
  const hs::PackedMatrix small = per_row_weight(64, 64), large = per_row_weight(1000, 1000);
  const hs::ProductPlan plan_small{small, hs::default_tile(), {}, pool, workspace};
  const hs::ProductPlan plan_large{large, hs::default_tile(), {}, pool, workspace};
  CHECK(plan_small.worker_count(1) == 1);
  CHECK(plan_small.worker_count(1000000) == 4);
  CHECK(plan_large.worker_count(1) == 3);
  CHECK(plan_large.worker_count(2) == 4);
  CHECK(plan_large.worker_count(0) == 1);
  const hs::ProductPlan serial{large, hs::default_tile(), {}, {}, workspace};
  CHECK(serial.worker_count(1000) == 1);
}

TEST_CASE("tiles cover the product once, for any executor", "[product]") {
  hs::ThreadPool pool(4);
  BackwardsExecutor backwards(3);
  const hs::PackedMatrix w = per_row_weight(330, 200);
  const hs::EncodedMatrix x = hs::encode(random_eigen(270, 200, 72), hs::Activation());
  for (const hs::ExecutorRef executor : {hs::ExecutorRef(), hs::ExecutorRef(pool), hs::ExecutorRef(backwards)}) {
    hs::Workspace workspace;
    std::vector<int> seen(270 * 330);
    hs::run_product({w, hs::default_tile(), {100, 64}, executor, workspace}, x.rows_view(), [&](hs::OutputTile tile) {
      for (hs::Index r = tile.row; r < tile.row + tile.rows; ++r) {
        // Each element belongs to one tile, so threads never write the same one.
        for (hs::Index c = tile.col; c < tile.col + tile.cols; ++c) ++seen[static_cast<std::size_t>(r * 330 + c)];
      }
    });
    CHECK(std::count(seen.begin(), seen.end(), 1) == 270 * 330);
  }
}
