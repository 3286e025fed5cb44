#include "halfstep/kernels/product_rows.hpp"

#include <cstdint>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/pack.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "kernels/matrices.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/test_quantizers.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// Rows as `w` reads them, against the encoding of the matrix with its columns in that order.
void check_rows(const hs::EncodedRows& rows, const hs::MatrixF& x, const hs::Activation& activation,
                const hs::PackedMatrix& w) {
  hs::MatrixF ordered(x.rows(), x.cols());
  for (hs::Index k = 0; k < x.cols(); ++k) {
    for (hs::Index m = 0; m < x.rows(); ++m) ordered(m, k) = x(m, w.channel(k));
  }
  hs::EncodedMatrix expected = hs::encode(ordered, activation, w.layout().group);
  const hs::EncodedRows wanted = expected.rows_view();
  REQUIRE(rows.layout == wanted.layout);
  REQUIRE(rows.rows == wanted.rows);
  REQUIRE(rows.row_stride == wanted.row_stride);
  for (hs::Index m = 0; m < rows.rows; ++m) {
    CHECK(rows.scale[m] == wanted.scale[m]);
    CHECK(rows.zero[m] == wanted.zero[m]);
    for (std::size_t p = 0; p < static_cast<std::size_t>(rows.plane_count); ++p) {
      const hs::Index at = m * rows.row_stride, sums_at = m * rows.layout.groups();
      REQUIRE(std::equal(rows.plane[p] + at, rows.plane[p] + at + rows.row_stride, wanted.plane[p] + at));
      REQUIRE(std::equal(rows.sum[p] + sums_at, rows.sum[p] + sums_at + rows.layout.groups(), wanted.sum[p] + sums_at));
    }
  }
}

}  // namespace

TEST_CASE("rows are brought to whatever layout and order a weight has", "[product_rows]") {
  const hs::MatrixF x = random_eigen(9, 50, 1), w = random_eigen(4, 50, 2);
  hs::ThreadPool pool(3);
  hs::Workspace workspace;
  for (const hs::Activation& activation : {hs::Activation(), hs::Activation(PowerQuantizer<4>{2.0f})}) {
    for (const hs::Tiling& tiling : {hs::per_row(), hs::per_group(16), hs::per_group(32), hs::per_group(19),
                                     dealt_columns(50, 16), dealt_columns(50, 7)}) {
      const hs::PackedMatrix packed = hs::pack(hs::quantize<hs::Uniform<4>>(w, {.tiling = tiling}));
      for (const hs::ExecutorRef executor : {hs::ExecutorRef(), hs::ExecutorRef(pool)}) {
        const hs::Workspace::Scope scope(workspace);
        check_rows(hs::encode_rows_for(hs::view(x), activation, packed, workspace, executor), x, activation, packed);
        for (const hs::Index group : {0, 16, 19}) {
          const hs::EncodedMatrix encoded = hs::encode(x, activation, group);
          check_rows(hs::fit_rows_to(encoded.rows_view(), packed, workspace, executor), x, activation, packed);
        }
      }
    }
  }
}

TEST_CASE("rows that fit are not copied", "[product_rows]") {
  const hs::MatrixF x = random_eigen(3, 50, 3);
  const hs::PackedMatrix packed =
      hs::pack(hs::quantize<hs::Uniform<4>>(random_eigen(4, 50, 2), {.tiling = hs::per_group(16)}));
  const hs::EncodedMatrix encoded = hs::encode(x, hs::Activation(), 16);
  hs::Workspace workspace;
  CHECK(hs::fit_rows_to(encoded.rows_view(), packed, workspace, {}).plane[0] == encoded.rows_view().plane[0]);
  CHECK(workspace.capacity() == 0);
}

TEST_CASE("bands cover all rows once, with scratch of their own", "[product_rows]") {
  BackwardsExecutor backwards(4);
  hs::ThreadPool pool(3);
  for (const hs::Index rows : {0, 1, 3, 100, 1000}) {
    for (const hs::Index cols : {0, 1, 5000, 100000}) {
      for (const hs::Index workers : {1, 2, 5}) {
        for (const hs::ExecutorRef executor : {hs::ExecutorRef(), hs::ExecutorRef(backwards), hs::ExecutorRef(pool)}) {
          std::vector<int> seen(static_cast<std::size_t>(rows)), used(static_cast<std::size_t>(workers));
          hs::for_row_bands(executor, rows, cols, workers, [&](hs::Index worker, hs::Index begin, hs::Index end) {
            ++used[static_cast<std::size_t>(worker)];
            for (hs::Index r = begin; r < end; ++r) ++seen[static_cast<std::size_t>(r)];
          });
          CHECK(std::count(seen.begin(), seen.end(), 1) == rows);
          for (const int times : used) CHECK(times <= 1);
        }
      }
    }
  }
}
