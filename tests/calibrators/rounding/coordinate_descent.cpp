// The parts of the descent by themselves; that it never raises an objective and ends where no code can gain is tested
// in gptq.cpp.

#include "halfstep/calibrators/rounding/coordinate_descent.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "calibrators/rounding/gptq_samples.hpp"
#include "support/catch.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("coordinate_descent: Hessian and difference by position, without damping") {
  const SampleLayer layer(3, 30, 60, 1, {4});
  const Curvature h(layer.hessian, DeadDiagonal::mean);
  const std::vector<Index> order = descending_order(h.diagonal());
  const PackedColumns<double> hessian = ordered_hessian(h, order, 7, {});
  const PackedColumns<double> difference = ordered_difference(layer.difference, h.scale(), order, 7, {});
  Index wrong = 0;
  for (Index p = 0; p < 30; ++p) {
    for (Index q = 0; q < 30; ++q) {
      const Index a = order[static_cast<std::size_t>(p)], b = order[static_cast<std::size_t>(q)];
      wrong += hessian(p, q) != h.scale() * layer.hessian.sum()(a, b);
      wrong += difference(p, q) != h.scale() * layer.difference(a, b);
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("coordinate_descent: what draws the output to the float model's") {
  const SampleLayer layer(30, 20, 60, 2, {4});
  const std::vector<Index> order{3, 1, 0, 2, 5, 4, 6, 7, 8, 9, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10};
  const PackedColumns<double> difference = ordered_difference(layer.difference, 1.0, order, 8, {});
  const auto weight = [&](Index row, float* to) { std::copy_n(layer.w.view().row(row), 20, to); };
  const RowStrips<double> pull = output_pull(difference, order, 30, weight);
  const DoubleMatrix d = layer.difference_moment();
  for (Index r = 0; r < 30; ++r) {
    for (Index q = 0; q < 20; ++q) {
      double sum = 0, magnitude = 0;
      for (Index c = 0; c < 20; ++c) {
        const double product = static_cast<double>(layer.w(r, c)) * d(c, order[static_cast<std::size_t>(q)]);
        sum += product;
        magnitude += std::fabs(product);
      }
      CHECK(std::fabs(pull(r, q) - sum) <= 258 * 0x1p-24 * magnitude + 1e-5);  // the sums over tokens are float
    }
  }
}
