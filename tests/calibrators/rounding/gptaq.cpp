#include "halfstep/calibrators/rounding/gptaq.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "calibrators/rounding/gptq_samples.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

using namespace halfstep;
using namespace halfstep_tests;

TEST_CASE("gptaq: P is alpha triu(D U^T, 1) U, in any order, with dead channels, for any executor") {
  for (const Index size : {1, 6, 40, 70}) {
    for (const Index block : {16, 128}) {
      CAPTURE(size, block);
      const SampleLayer layer(1, size, 3 * size, 1, {size / 2});
      const Curvature h(layer.hessian, DeadDiagonal::mean);
      if (h.live() == 0) continue;
      const std::vector<Index> order = descending_order(h.diagonal());
      LowerFactor<double> factor(size);
      const Damping damping = DampingLadder(h, order, {}, factor, {}).climb();
      REQUIRE(damping.rung == DampingRung::first);
      const ErrorFeedback feedback(factor, block, {});
      const auto p = target_shift(factor, feedback, h, layer.difference, order, 0.25, {});

      DoubleMatrix damped(size, size), d(size, size), left(size, size);
      for (Index i = 0; i < size; ++i) {
        for (Index j = 0; j < size; ++j) {
          const Index a = order[static_cast<std::size_t>(i)], b = order[static_cast<std::size_t>(j)];
          damped(i, j) = i == j ? damped_diagonal(h, damping, a) : h(a, b);
          d(i, j) = h.is_dead(b) ? 0.0 : h.scale() * layer.difference(a, b);
        }
      }
      const DoubleMatrix u = published_factor(damped);
      for (Index i = 0; i < size; ++i) {
        for (Index j = i + 1; j < size; ++j) {
          for (Index k = j; k < size; ++k) left(i, j) += d(i, k) * u(j, k);
        }
      }
      double worst = 0, largest = 0;
      for (Index i = 0; i < size; ++i) {
        for (Index j = 0; j < size; ++j) {
          double sum = 0;
          for (Index k = 0; k <= j; ++k) sum += 0.25 * left(i, k) * u(k, j);
          largest = std::max(largest, std::fabs(sum));
          worst = std::max(worst, std::fabs(static_cast<double>(p(i, j)) - sum));
          if (j <= i) CHECK(p(i, j) == 0);
        }
      }
      // Float: each element is a sum of up to `size` products of numbers up to the largest, or a few times that.
      CHECK(worst <= static_cast<double>(size) * 0x1p-21 * largest);

      const FreshThreadsExecutor threads(3);
      const auto other = target_shift(factor, feedback, h, layer.difference, order, 0.25, threads);
      Index wrong = 0;
      for (Index i = 0; i < size; ++i) {
        for (Index j = 0; j < size; ++j) wrong += other(i, j) != p(i, j);
      }
      CHECK(wrong == 0);
    }
  }
}
