#include "halfstep/kernels/dense_product.hpp"

#include <cmath>
#include <vector>

#include "halfstep/core/eigen.hpp"
#include "halfstep/core/thread_pool.hpp"
#include "kernels/matrices.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// The written order.
hs::MatrixF chains(const hs::MatrixF& a, const hs::MatrixF& b, hs::MatrixF out, hs::TileUpdate update) {
  const float sign = update == hs::TileUpdate::subtract ? -1.0f : 1.0f;
  for (hs::Index m = 0; m < out.rows(); ++m) {
    for (hs::Index n = 0; n < out.cols(); ++n) {
      float sum = update == hs::TileUpdate::set ? 0.0f : out(m, n);
      for (hs::Index k = 0; k < a.cols(); ++k) sum = hs::simd::multiply_add(sign * a(m, k), b(n, k), sum);
      out(m, n) = sum;
    }
  }
  return out;
}

}  // namespace

TEST_CASE("every shape, update and number of threads gives the written chains", "[dense_product]") {
  hs::ThreadPool pool(3);
  hs::Workspace workspace;
  for (const hs::Index m : {0, 1, 5, 7, 257}) {
    for (const hs::Index n : {0, 1, 15, 16, 17, 65, 130}) {
      for (const hs::Index k : {0, 1, 7, 8, 33, 300}) {
        const hs::MatrixF a = random_eigen(m, k, 81), b = random_eigen(n, k, 82), start = random_eigen(m, n, 83);
        for (const hs::TileUpdate update : {hs::TileUpdate::set, hs::TileUpdate::add, hs::TileUpdate::subtract}) {
          CAPTURE(m, n, k, static_cast<int>(update));
          const hs::MatrixF expected = chains(a, b, start, update);
          for (const hs::ExecutorRef executor : {hs::ExecutorRef(), hs::ExecutorRef(pool)}) {
            hs::MatrixF out = start;
            hs::dense_product_into(hs::view(a), hs::view(b), hs::mutable_view(out), workspace, {update, executor});
            REQUIRE(difference(out, expected) == "");
          }
        }
      }
    }
  }
}

TEST_CASE("b may be strided either way, a and out lie in larger matrices", "[dense_product]") {
  const hs::MatrixF a = random_eigen(9, 40, 84), b = random_eigen(30, 40, 85);
  hs::MatrixF expected(9, 30);
  hs::dense_product(hs::view(a), hs::view(b), hs::mutable_view(expected));
  const ColumnMajorF turned = b;
  hs::MatrixF out(9, 30);
  hs::dense_product(hs::view(a), hs::view(turned), hs::mutable_view(out));
  CHECK(difference(out, expected) == "");
  hs::MatrixF wide = hs::MatrixF::Constant(20, 90, 1e9f), frame = hs::MatrixF::Constant(20, 50, -7.0f);
  wide.block(3, 5, 9, 40) = a;
  const hs::MatrixView<float> inside = hs::mutable_view(frame).block(2, 3, 9, 30);
  hs::dense_product(hs::view(wide).block(3, 5, 9, 40), hs::view(b), inside);
  CHECK(difference(frame.block(2, 3, 9, 30), expected) == "");
  CHECK((frame.array() == -7.0f).count() == 20 * 50 - 9 * 30);
}

TEST_CASE("the product is that of float64 within its bound", "[dense_product]") {
  const hs::MatrixF a = random_eigen(20, 500, 86), b = random_eigen(30, 500, 87);
  hs::MatrixF out(20, 30);
  hs::dense_product(hs::view(a), hs::view(b), hs::mutable_view(out));
  const hs::MatrixD exact = a.cast<double>() * b.cast<double>().transpose();
  const hs::MatrixD magnitude = a.cast<double>().cwiseAbs() * b.cast<double>().cwiseAbs().transpose();
  for (hs::Index i = 0; i < exact.size(); ++i) {
    const double bound = 2 * 500 * 0x1p-24 * (1 + 0x1p-10) * magnitude.data()[i];
    REQUIRE(std::fabs(static_cast<double>(out.data()[i]) - exact.data()[i]) <= bound);
  }
}

TEST_CASE("a warm workspace allocates nothing, and shapes that do not fit are refused", "[dense_product]") {
  const hs::MatrixF a = random_eigen(20, 50, 86), b = random_eigen(30, 50, 87);
  hs::MatrixF out(20, 30);
  hs::Workspace workspace;
  const auto multiply = [&] { hs::dense_product_into(hs::view(a), hs::view(b), hs::mutable_view(out), workspace); };
  multiply();
  CHECK(allocations_of(multiply) == 0);
  const hs::MatrixF other = random_eigen(30, 49, 1);
  CHECK_RAISES(hs::dense_product(hs::view(a), hs::view(other), hs::mutable_view(out)),
               "a has shape [20, 50], b [30, 49] and out [20, 30]");
  const ColumnMajorF turned = a;
  CHECK_RAISES(hs::dense_product(hs::view(turned), hs::view(b), hs::mutable_view(out)), "must be contiguous");
}
