#include "halfstep/calibrators/transform/rotate.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("a rotation spreads an outlier over all channels") {
  for (const Index size : {64, 768, 688}) {
    MatrixF x = MatrixF::Zero(1, size);
    x(0, 17) = 100;
    const MatrixF y = apply(hadamard_rotation(size), x);
    const bool is_hadamard = hadamard_order(size) > 0;
    const float even = 100 / std::sqrt(static_cast<float>(size));
    if (is_hadamard) CHECK(y.cwiseAbs().minCoeff() == Approx(even).epsilon(1e-6));
    CHECK(y.cwiseAbs().maxCoeff() <= (is_hadamard ? even * 1.000001f : 100.0f));
    CHECK(y.norm() == Approx(100).epsilon(1e-5));
  }
}

TEST_CASE("rotations are the same on any number of threads, in any storage order") {
  ThreadPool pool(3);
  for (const Index size : {172, 768, 13}) {
    CAPTURE(size);
    const Rotation r = hadamard_rotation(size);
    const FloatMatrix x = random_matrix(90, size, 7);
    const MatrixF y = apply(r, x.view());
    CHECK(apply(r, x.view(), pool) == y);
    FloatMatrix rows = x;
    rotate_rows(r, rows.view(), pool);
    CHECK(first_difference(rows.view(), view(y)).empty());
    // The transpose, column by column and through strides.
    FloatMatrix turned(size, 90), strided = x;
    for (Index i = 0; i < 90; ++i) {
      for (Index c = 0; c < size; ++c) turned.view()(c, i) = x(i, c);
    }
    FloatMatrix by_stride = turned;
    rotate_columns(r, turned.view(), pool);
    rotate_rows(r, transposed(by_stride.view()));
    rotate_columns(r, transposed(strided.view()));
    for (Index i = 0; i < 90; ++i) {
      for (Index c = 0; c < size; ++c) {
        REQUIRE(turned(c, i) == y(i, c));
        REQUIRE(by_stride(c, i) == y(i, c));
        REQUIRE(strided(i, c) == y(i, c));
      }
    }
  }
}

TEST_CASE("float rotations are what double ones are, to their precision") {
  for (const Index size : {8, 40, 86, 4096}) {
    const FloatMatrix x = random_matrix(2, size, 8);
    const MatrixF y = apply(hadamard_rotation(size), x.view());
    const MatrixD exact = apply(hadamard_rotation<double>(size), x.view());
    for (Index i = 0; i < y.rows(); ++i) {
      double size_of_row = 0;
      for (Index c = 0; c < size; ++c) size_of_row += static_cast<double>(x(i, c)) * static_cast<double>(x(i, c));
      // An orthonormal stage keeps the norm and rounds it once: m stages, the base's sums, the base, the factor.
      const double bound = std::sqrt(size_of_row) * (14.0 + 86) * 0x1p-24;
      for (Index c = 0; c < size; ++c) CHECK(std::fabs(static_cast<double>(y(i, c)) - exact(i, c)) <= bound);
    }
  }
}

TEST_CASE("rotations of no rows and of one channel") {
  CHECK(apply(hadamard_rotation(8), MatrixF(0, 8)).cols() == 8);
  MatrixF none(0, 8);
  rotate_rows(hadamard_rotation(8), mutable_view(none));
  const MatrixF one{{3}, {-4}};
  CHECK(apply(hadamard_rotation(1), one) == one);
  const Eigen::MatrixXf column_major = Eigen::MatrixXf::Random(4, 12);
  CHECK(apply(hadamard_rotation(12), column_major) == apply(hadamard_rotation(12), MatrixF(column_major)));
}

TEST_CASE("rotations say what is wrong") {
  const Rotation r = hadamard_rotation(8);
  MatrixF x = MatrixF::Zero(2, 12);
  CHECK_RAISES(apply(r, x), "apply: rotation has size 8, expected 12 (channels)");
  CHECK_RAISES(rotate_rows(r, mutable_view(x)), "rotate_rows: rotation has size 8, expected 12");
  CHECK_RAISES(rotate_columns(r, mutable_view(x)), "rotate_columns: rotation has size 8, expected 2");
  Rotation broken = hadamard_rotation(24);
  broken.base.pop_back();
  CHECK_RAISES(apply(broken, MatrixF(MatrixF::Zero(1, 24))),
               "rotation of size 24 has a base of order 12 with 143 entries, expected");
  broken = {24, 8, std::vector<float>(64, 1.0f), 1};
  CHECK_RAISES(apply(broken, MatrixF(MatrixF::Zero(1, 24))), "has a base of order 8");
  broken = {24, 0, {}, 1};
  CHECK_RAISES(apply(broken, MatrixF(MatrixF::Zero(1, 24))), "has a base of order 0");
}
