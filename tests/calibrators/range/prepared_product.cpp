#include "halfstep/calibrators/range/prepared_product.hpp"

#include <vector>

#include "support/catch.hpp"
#include "support/float_matrix.hpp"

using namespace halfstep;
using namespace halfstep_tests;

namespace {

MatrixF eigen_of(const FloatMatrix& values) { return as_eigen(values.view()); }

}  // namespace

TEST_CASE("a product is prepared from the side of the searched operand") {
  const FloatMatrix x = random_matrix(9, 4, 1), w = random_matrix(5, 4, 2), gradient = random_matrix(9, 5, 3);
  const ObservedProduct product{.lhs = x.view(), .rhs = w.view(), .gradient = gradient.view()};
  const auto of_input = prepare_product<MatrixF>(product, 0, nullptr, {.metric = OutputMetric::hessian});
  CHECK(of_input.searched.data == x.values.data());  // side by side already: not copied
  CHECK(of_input.fixed == eigen_of(w));
  CHECK(of_input.factor == eigen_of(gradient));
  CHECK(of_input.residual.size() == 0);
  const OutputLossOptions by_weight{.operand = Operand::rhs, .metric = OutputMetric::hessian};
  const MatrixF other = 2 * eigen_of(x);
  const auto of_weight = prepare_product<MatrixF>(product, 0, &other, by_weight);
  CHECK(of_weight.searched.rows == 5);
  CHECK(of_weight.fixed == other);
  CHECK(of_weight.factor == eigen_of(gradient).transpose());
  CHECK(of_weight.residual.isApprox(eigen_of(w) * eigen_of(x).transpose(), 1e-6f));
}

TEST_CASE("an operand with strides is copied, the bias lies along the outputs") {
  const FloatMatrix p = random_matrix(6, 7, 4), v = random_matrix(7, 3, 5);
  const std::vector<float> bias = {1, 2, 3};
  const ObservedProduct product{.lhs = p.view(), .rhs = transposed(v.view()), .bias = bias};
  const MatrixF y = (eigen_of(p) * eigen_of(v)).rowwise() + Eigen::RowVectorXf{{1, 2, 3}};
  const auto of_rhs =
      prepare_product<MatrixF>(product, 0, nullptr, {.operand = Operand::rhs, .metric = OutputMetric::cosine});
  CHECK(of_rhs.searched.data != v.values.data());
  CHECK(of_rhs.searched.rows == 3);
  CHECK(of_rhs.searched.rows_are_contiguous());
  CHECK(of_rhs.output.isApprox(y.transpose(), 1e-6f));
  const auto of_lhs = prepare_product<MatrixF>(product, 0, nullptr, {.metric = OutputMetric::linear_weighted});
  CHECK(of_lhs.factor.isApprox(y.cwiseAbs().cwiseSqrt(), 1e-6f));
}

TEST_CASE("a product is reduced where outputs are twice as many as columns") {
  const FloatMatrix x = random_matrix(8, 4, 6), w = random_matrix(5, 4, 7);
  const ObservedProduct product{.lhs = x.view(), .rhs = w.view()};
  auto by_weight = prepare_product<MatrixF>(product, 0, nullptr, {.operand = Operand::rhs});
  reduce_product(by_weight, {});
  CHECK(by_weight.fixed.rows() == 4);
  auto by_input = prepare_product<MatrixF>(product, 0, nullptr, {});
  reduce_product(by_input, {});
  CHECK(by_input.fixed == eigen_of(w));
}
