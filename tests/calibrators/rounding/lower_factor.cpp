#include "halfstep/calibrators/rounding/lower_factor.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "halfstep/core/eigen.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

/// Reads the columns of a symmetric matrix.
template <class T>
auto reader(const MatrixD& h) {
  return [&h](Index i, Index j, Index count, T* to) {
    for (Index k = 0; k < count; ++k) {
      REQUIRE(i + k >= j);
      to[k] = static_cast<T>(h(i + k, j));
    }
  };
}

/// x x^T for normal x `[size, columns]`.
MatrixD moment(Index size, Index columns, std::uint32_t seed) {
  const MatrixD x = as_eigen(random_matrix(size, columns, seed).view()).cast<double>();
  return x * x.transpose();
}

/// A symmetric matrix with these eigenvalues: reflections on both sides.
MatrixD with_eigenvalues(const std::vector<double>& values, std::uint32_t seed) {
  const auto size = static_cast<Index>(values.size());
  MatrixD h = MatrixD::Zero(size, size);
  for (Index i = 0; i < size; ++i) h(i, i) = values[static_cast<std::size_t>(i)];
  for (std::uint32_t k = 0; k < 3; ++k) {
    MatrixD v = as_eigen(random_matrix(size, 1, seed + k).view()).cast<double>();
    v /= v.norm();
    const MatrixD reflection = MatrixD::Identity(size, size) - 2 * v * v.transpose();
    h = (reflection * h * reflection).eval();
  }
  return h;
}

}  // namespace

TEMPLATE_TEST_CASE("lower_factor: L L^T is the matrix, for any size", "", float, double) {
  const double epsilon = std::is_same_v<TestType, float> ? 0x1p-24 : 0x1p-53;
  for (const Index size : {1, 2, 3, 11, 12, 13, 23, 24, 25, 95, 96, 97, 200, 300}) {
    CAPTURE(size);
    MatrixD h = moment(size, size + 5, static_cast<std::uint32_t>(size));
    h.diagonal().array() += 0.01 * h.diagonal().mean();
    LowerFactor<TestType> factor(size);
    REQUIRE(factor.factor(reader<TestType>(h), PivotRule::positive, 0, {}));
    CHECK(factor.positive_signs() == size);
    double worst = 0;
    for (Index i = 0; i < size; ++i) {
      for (Index j = 0; j <= i; ++j) {
        double sum = 0;
        for (Index k = 0; k <= j; ++k) sum += static_cast<double>(factor(i, k)) * static_cast<double>(factor(j, k));
        worst = std::max(worst, std::fabs(sum - h(i, j)) / std::sqrt(h(i, i) * h(j, j)));
      }
    }
    CHECK(worst <= 2 * static_cast<double>(size + 2) * epsilon);  // Higham, Accuracy and Stability, theorem 10.3
  }
}

TEST_CASE("lower_factor: the same bits for any executor") {
  MatrixD h = moment(400, 400, 1);
  h.diagonal().array() += 1;
  LowerFactor<double> serial(400), other(400);
  REQUIRE(serial.factor(reader<double>(h), PivotRule::positive, 0, {}));
  const FreshThreadsExecutor threads(3);
  REQUIRE(other.factor(reader<double>(h), PivotRule::positive, 0, threads));
  Index wrong = 0;
  for (Index i = 0; i < 400; ++i) {
    for (Index j = 0; j <= i; ++j) wrong += serial(i, j) != other(i, j);
  }
  CHECK(wrong == 0);
}

TEST_CASE("lower_factor: gives up where a matrix is not positive definite, wherever that shows") {
  for (const Index size : {1, 13, 100, 250}) {
    for (const Index where : {Index{0}, size / 2, size - 1}) {
      MatrixD h = MatrixD::Identity(size, size);
      h(where, where) = 0;
      LowerFactor<double> factor(size);
      CHECK(!factor.factor(reader<double>(h), PivotRule::positive, 0, {}));
      h(where, where) = -1;
      CHECK(!factor.factor(reader<double>(h), PivotRule::positive, 0, {}));
      h(where, where) = std::nan("");
      CHECK(!factor.factor(reader<double>(h), PivotRule::positive, 0, {}));
      CHECK(!factor.factor(reader<double>(h), PivotRule::raised, 1, {}));
      h(where, where) = 4;
      CHECK(factor.factor(reader<double>(h), PivotRule::positive, 0, {}));
      CHECK(factor(where, where) == 2);
    }
  }
}

TEMPLATE_TEST_CASE("lower_factor: signs are those of the eigenvalues", "", float, double) {
  for (const Index size : {5, 60, 130, 210}) {
    for (const Index negative : {Index{0}, Index{1}, size / 3, size}) {
      CAPTURE(size, negative);
      std::vector<double> values;
      for (Index i = 0; i < size; ++i)
        values.push_back((i < negative ? -1.0 : 1.0) * (0.1 + static_cast<double>(i % 9)));
      const MatrixD h = with_eigenvalues(values, static_cast<std::uint32_t>(size));
      LowerFactor<TestType> factor(size);
      REQUIRE(factor.factor(reader<TestType>(h), PivotRule::signs, TestType(1e-7), {}));
      CHECK(factor.positive_signs() == size - negative);
    }
  }
}

TEST_CASE("lower_factor: raised pivots leave a positive definite matrix that differs where it must") {
  std::vector<double> values(50, 1.0);
  values[7] = -0.5;
  values[20] = 0;
  const MatrixD h = with_eigenvalues(values, 3);
  LowerFactor<double> factor(50);
  REQUIRE(factor.factor(reader<double>(h), PivotRule::raised, 1e-3, {}));
  for (Index i = 0; i < 50; ++i) CHECK(factor(i, i) * factor(i, i) >= 1e-3 * (1 - 1e-12));
  // Up to the first pivot that is not positive all is as it was.
  double sum = 0;
  for (Index k = 0; k <= 1; ++k) sum += factor(1, k) * factor(1, k);
  CHECK(std::fabs(sum - h(1, 1)) < 1e-12);
}
