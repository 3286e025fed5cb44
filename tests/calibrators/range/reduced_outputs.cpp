#include "halfstep/calibrators/range/reduced_outputs.hpp"

#include <cmath>
#include <cstddef>

#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

MatrixF matrix(Index rows, Index cols, std::uint32_t seed) {
  const FloatMatrix values = random_matrix(rows, cols, seed);
  return as_eigen(values.view());
}

/// Compares both sides of the identity for changes of some sizes. Floats of the reduced form are off by 2^-24 of
/// themselves, squares of their sums by twice that of the sum of magnitudes, squared.
void check_identity(const MatrixF& fixed, const MatrixF& residual) {
  const auto reduced = reduce_outputs(fixed, residual, {});
  REQUIRE(reduced.fixed.rows() == fixed.cols());
  const MatrixD wide = fixed.cast<double>(), narrow = reduced.fixed.cast<double>();
  for (const float size : {1.0f, 0.01f}) {
    const MatrixD change = (size * matrix(residual.rows(), fixed.cols(), 77)).cast<double>();
    const MatrixD error = change * wide.transpose() + residual.cast<double>();
    const MatrixD smaller = change * narrow.transpose() + reduced.residual.cast<double>();
    for (Index i = 0; i < residual.rows(); ++i) {
      const double expected = error.row(i).squaredNorm();
      const double found = smaller.row(i).squaredNorm() + reduced.rest[static_cast<std::size_t>(i)];
      const double magnitude = std::sqrt(expected) * (change.row(i).cwiseAbs() * narrow.transpose().cwiseAbs() +
                                                      reduced.residual.row(i).cast<double>().cwiseAbs())
                                                         .norm();
      CHECK(std::fabs(found - expected) <= 4 * 0x1p-24 * magnitude + 1e-9 * expected);
    }
  }
}

}  // namespace

TEST_CASE("fewer outputs have the same squared error") {
  check_identity(matrix(300, 70, 1), matrix(5, 300, 2));   // more than a block
  check_identity(matrix(200, 130, 3), matrix(3, 200, 4));  // more than two
  check_identity(matrix(9, 1, 5), matrix(2, 9, 6));
}

TEST_CASE("operands that do not fill their columns have fewer outputs, too") {
  MatrixF fixed = matrix(90, 20, 7);
  fixed.col(3) = fixed.col(8);  // rank 18
  fixed.col(5).setZero();
  check_identity(fixed, matrix(4, 90, 8));
  const MatrixF none = MatrixF::Zero(90, 20);
  const auto reduced = reduce_outputs(none, matrix(4, 90, 8), {});
  CHECK(reduced.fixed.isZero());
  for (Index i = 0; i < 4; ++i) {
    CHECK(reduced.rest[static_cast<std::size_t>(i)] == Approx(matrix(4, 90, 8).row(i).cast<double>().squaredNorm()));
  }
}

TEST_CASE("nothing left over stays nothing, and threads change nothing") {
  const MatrixF fixed = matrix(400, 150, 9), residual = matrix(200, 400, 10);
  const auto without = reduce_outputs(fixed, MatrixF(), {});
  CHECK(without.residual.size() == 0);
  CHECK(without.rest.empty());
  const FreshThreadsExecutor threads(3);
  const auto once = reduce_outputs(fixed, residual, {}), again = reduce_outputs(fixed, residual, threads);
  CHECK(without.fixed == once.fixed);
  CHECK(again.fixed == once.fixed);
  CHECK(again.residual == once.residual);
  CHECK(again.rest == once.rest);
}
