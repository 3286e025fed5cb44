#pragma once

/// \file
/// Output errors as three loops in double: what searches by output error are compared with.

#include <cmath>
#include <cstddef>
#include <functional>
#include <vector>

#include "halfstep/calibrators/range/observed_product.hpp"
#include "halfstep/calibrators/range/output_metric.hpp"

namespace halfstep_tests {

/// What an element (of product p, in row r) becomes.
using Become = std::function<float(std::size_t p, halfstep::Index r, float x)>;

inline float same(std::size_t, halfstep::Index, float x) { return x; }

/// Which granule an element of the output of product p counts for.
using GranuleOf = std::function<std::size_t(std::size_t p, halfstep::Index m, halfstep::Index n)>;

/// The losses of `granules` granules by the definition of `OutputMetric`.
inline std::vector<double> reference_losses(const std::vector<halfstep::ObservedProduct>& products, const Become& lhs,
                                            const Become& rhs, halfstep::OutputMetric metric, std::size_t granules,
                                            const GranuleOf& granule_of) {
  using halfstep::Index;
  using halfstep::OutputMetric;
  std::vector<double> losses(granules), counts(granules);
  for (std::size_t p = 0; p < products.size(); ++p) {
    const auto& product = products[p];
    for (Index m = 0; m < product.lhs.rows; ++m) {
      std::vector<double> dot(granules), norm(granules), output_norm(granules);
      std::vector<bool> is_seen(granules);
      for (Index n = 0; n < product.rhs.rows; ++n) {
        const double bias = product.bias.empty() ? 0.0 : static_cast<double>(product.bias[n]);
        double y = bias, found = bias;
        for (Index k = 0; k < product.lhs.cols; ++k) {
          const float a = product.lhs(m, k), b = product.rhs(n, k);
          y += static_cast<double>(a) * static_cast<double>(b);
          found += static_cast<double>(lhs(p, m, a)) * static_cast<double>(rhs(p, n, b));
        }
        const std::size_t g = granule_of(p, m, n);
        const double e = found - y;
        is_seen[g] = true;
        dot[g] += y * found;
        norm[g] += found * found;
        output_norm[g] += y * y;
        if (metric == OutputMetric::cosine) continue;
        counts[g] += 1;
        if (metric == OutputMetric::squared) losses[g] += e * e;
        if (metric == OutputMetric::absolute) losses[g] += std::fabs(e);
        if (metric == OutputMetric::linear_weighted) losses[g] += std::fabs(y) * e * e;
        if (metric == OutputMetric::square_weighted) losses[g] += y * e * y * e;
        if (metric == OutputMetric::hessian) losses[g] += std::pow(static_cast<double>(product.gradient(m, n)) * e, 2);
      }
      if (metric != OutputMetric::cosine) continue;
      for (std::size_t g = 0; g < granules; ++g) {
        if (!is_seen[g]) continue;
        counts[g] += 1;
        losses[g] += norm[g] > 0 && output_norm[g] > 0 ? 1 - dot[g] / std::sqrt(norm[g] * output_norm[g]) : 1;
      }
    }
  }
  for (std::size_t g = 0; g < granules; ++g) losses[g] /= counts[g];
  return losses;
}

inline const std::vector<halfstep::OutputMetric>& all_metrics() {
  using halfstep::OutputMetric;
  static const std::vector<OutputMetric> metrics = {OutputMetric::squared,         OutputMetric::absolute,
                                                    OutputMetric::linear_weighted, OutputMetric::square_weighted,
                                                    OutputMetric::hessian,         OutputMetric::cosine};
  return metrics;
}

}  // namespace halfstep_tests
