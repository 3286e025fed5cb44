#pragma once

/// \file
/// Layers to round, and GPTQ as its authors write it down: in double, with U, column by column.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "halfstep/calibrators/range/published_fits.hpp"
#include "halfstep/calibrators/rounding/gptq.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "support/float_matrix.hpp"

namespace halfstep_tests {

using halfstep::Index;

/// A dense double matrix.
struct DoubleMatrix {
  Index rows = 0, cols = 0;
  std::vector<double> values;
  DoubleMatrix(Index r, Index c) : rows(r), cols(c), values(static_cast<std::size_t>(r * c)) {}
  double& operator()(Index r, Index c) { return values[static_cast<std::size_t>(r * cols + c)]; }
  double operator()(Index r, Index c) const { return values[static_cast<std::size_t>(r * cols + c)]; }
};

/// A weight with the inputs that it gets in the quantized model and in the float model.
struct SampleLayer {
  FloatMatrix w, x, f;
  halfstep::HessianAccumulator hessian;
  halfstep::InputDifference difference;

  /// Inputs are correlated, as activations are; channels in `dead` are never active in the quantized model.
  SampleLayer(Index rows, Index columns, Index tokens, std::uint32_t seed, const std::vector<Index>& dead = {})
      : w(random_matrix(rows, columns, seed)),
        x(random_matrix(tokens, columns, seed + 1)),
        f(random_matrix(tokens, columns, seed + 2, 0.1f)),
        hessian(columns),
        difference(columns) {
    const FloatMatrix common = random_matrix(tokens, 1, seed + 3);
    for (Index t = 0; t < tokens; ++t) {
      for (Index c = 0; c < columns; ++c) {
        float& value = x.view()(t, c);
        value = (value + 2 * common(t, 0)) * (1.0f + static_cast<float>(c % 7));
        f.view()(t, c) += value;
        if (std::find(dead.begin(), dead.end(), c) != dead.end()) value = 0;
      }
    }
    hessian.add(x.view());
    difference.add(x.view(), f.view());
  }

  /// sum x x^T in double.
  [[nodiscard]] DoubleMatrix second_moment() const { return moment(x, x); }
  /// sum (f - x) x^T in double.
  [[nodiscard]] DoubleMatrix difference_moment() const {
    FloatMatrix d = f;
    for (std::size_t i = 0; i < d.values.size(); ++i) d.values[i] -= x.values[i];
    return moment(d, x);
  }

 private:
  [[nodiscard]] static DoubleMatrix moment(const FloatMatrix& a, const FloatMatrix& b) {
    DoubleMatrix sum(a.cols, b.cols);
    for (Index t = 0; t < a.rows; ++t) {
      for (Index i = 0; i < a.cols; ++i) {
        for (Index j = 0; j < b.cols; ++j) sum(i, j) += static_cast<double>(a(t, i)) * static_cast<double>(b(t, j));
      }
    }
    return sum;
  }
};

/// (w - v) H (w - v)^T of a row.
template <class Q>
double proxy(const SampleLayer& layer, const DoubleMatrix& h, const halfstep::QuantizedMatrix<Q>& q, Index row) {
  std::vector<double> error;
  for (Index c = 0; c < q.cols(); ++c) {
    error.push_back(static_cast<double>(layer.w(row, c)) - static_cast<double>(q.value(row, c)));
  }
  double sum = 0;
  for (Index i = 0; i < q.cols(); ++i) {
    for (Index j = 0; j < q.cols(); ++j) {
      sum += error[static_cast<std::size_t>(i)] * h(i, j) * error[static_cast<std::size_t>(j)];
    }
  }
  return sum;
}

/// |x v^T - f w^T|^2 of a row: how far the output is from the float model's.
template <class Q>
double output_error(const SampleLayer& layer, const halfstep::QuantizedMatrix<Q>& q, Index row) {
  double sum = 0;
  for (Index t = 0; t < layer.x.rows; ++t) {
    double y = 0;
    for (Index c = 0; c < q.cols(); ++c) {
      y += static_cast<double>(layer.x(t, c)) * static_cast<double>(q.value(row, c)) -
           static_cast<double>(layer.f(t, c)) * static_cast<double>(layer.w(row, c));
    }
    sum += y * y;
  }
  return sum;
}

/// U with U^T U = H^-1, upper triangular, by the published route: Cholesky, inverse, Cholesky.
inline DoubleMatrix published_factor(const DoubleMatrix& h) {
  const Index n = h.rows;
  const auto cholesky = [n](const DoubleMatrix& a) {
    DoubleMatrix l(n, n);
    for (Index j = 0; j < n; ++j) {
      for (Index i = j; i < n; ++i) {
        double sum = a(i, j);
        for (Index k = 0; k < j; ++k) sum -= l(i, k) * l(j, k);
        l(i, j) = i == j ? std::sqrt(sum) : sum / l(j, j);
      }
    }
    return l;
  };
  const DoubleMatrix l = cholesky(h);
  DoubleMatrix inverse(n, n), left(n, n);  // left = l^-1
  for (Index j = 0; j < n; ++j) {
    for (Index i = j; i < n; ++i) {
      double sum = i == j ? 1.0 : 0.0;
      for (Index k = j; k < i; ++k) sum -= l(i, k) * left(k, j);
      left(i, j) = sum / l(i, i);
    }
  }
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j) {
      for (Index k = std::max(i, j); k < n; ++k) inverse(i, j) += left(k, i) * left(k, j);
    }
  }
  const DoubleMatrix lower = cholesky(inverse);
  DoubleMatrix upper(n, n);
  for (Index i = 0; i < n; ++i) {
    for (Index j = i; j < n; ++j) upper(i, j) = lower(j, i);
  }
  return upper;
}

/// Published settings.
struct PublishedSettings {
  Index group_size = 0, block_size = 128;
  bool act_order = false, static_groups = false;
  double damping = 0.01, alpha = 0;
};

/// What the published program does, for affine grids of `Bits` bits.
template <int Bits>
struct PublishedGptq {
  std::vector<Index> order;
  DoubleMatrix codes;
  /// Of each row: how far, in steps, the weight nearest to a border between two codes was from it.
  std::vector<double> margin;

  PublishedGptq(const SampleLayer& layer, const PublishedSettings& s)
      : order(halfstep::plain_order(layer.w.cols)),
        codes(layer.w.rows, layer.w.cols),
        margin(static_cast<std::size_t>(layer.w.rows), 1.0) {
    const Index n = layer.w.cols, rows = layer.w.rows;
    DoubleMatrix sum = layer.second_moment(), difference = layer.difference_moment();
    std::vector<double> diagonal;
    std::vector<bool> dead;
    for (Index c = 0; c < n; ++c) {
      dead.push_back(sum(c, c) == 0);
      if (dead.back()) sum(c, c) = 0.5;  // 1 in the published unit: one sequence, a factor of 2
      diagonal.push_back(sum(c, c));
    }
    if (s.act_order) order = halfstep::descending_order(diagonal);
    double mean = 0;
    for (const double d : diagonal) mean += d / static_cast<double>(n);
    DoubleMatrix h(n, n), d(n, n), w(rows, n), p(n, n);
    for (Index i = 0; i < n; ++i) {
      for (Index j = 0; j < n; ++j) {
        const Index a = order[static_cast<std::size_t>(i)], b = order[static_cast<std::size_t>(j)];
        h(i, j) = sum(a, b) + (i == j ? s.damping * mean : 0.0);
        d(i, j) = dead[static_cast<std::size_t>(b)] ? 0.0 : difference(a, b);
      }
      for (Index r = 0; r < rows; ++r) {
        const Index c = order[static_cast<std::size_t>(i)];
        w(r, i) = dead[static_cast<std::size_t>(c)] ? 0.0 : static_cast<double>(layer.w(r, c));
      }
    }
    const DoubleMatrix u = published_factor(h);
    if (s.alpha != 0) shift(u, d, s.alpha, p);
    for (Index r = 0; r < rows; ++r) round_row(layer, s, u, p, dead, w, r);
  }

 private:
  static void shift(const DoubleMatrix& u, const DoubleMatrix& d, double alpha, DoubleMatrix& p) {
    const Index n = u.rows;
    DoubleMatrix left(n, n);
    for (Index i = 0; i < n; ++i) {
      for (Index j = i + 1; j < n; ++j) {
        for (Index k = j; k < n; ++k) left(i, j) += d(i, k) * u(j, k);
      }
    }
    for (Index i = 0; i < n; ++i) {
      for (Index j = 0; j < n; ++j) {
        for (Index k = 0; k <= j; ++k) p(i, j) += alpha * left(i, k) * u(k, j);
      }
    }
  }

  static halfstep::Uniform<Bits> fit(const std::vector<double>& values) {
    halfstep::Range range;
    for (const double v : values) {
      range.min = std::min(range.min, static_cast<float>(v));
      range.max = std::max(range.max, static_cast<float>(v));
    }
    return halfstep::gptq_fit<Bits>(range);
  }

  void round_row(const SampleLayer& layer, const PublishedSettings& s, const DoubleMatrix& u, const DoubleMatrix& p,
                 const std::vector<bool>& dead, DoubleMatrix& w, Index r) {
    const Index n = w.cols;
    std::vector<double> plain;
    for (Index c = 0; c < n; ++c) plain.push_back(static_cast<double>(layer.w(r, c)));
    halfstep::Uniform<Bits> q = fit(plain);
    for (std::size_t c = 0; c < plain.size(); ++c) {
      if (dead[c]) plain[c] = 0;
    }
    for (Index begin = 0; begin < n; begin += s.block_size) {
      const Index end = std::min(begin + s.block_size, n);
      std::vector<double> local, errors;
      for (Index i = begin; i < end; ++i) local.push_back(w(r, i));
      const auto at = [&](Index i) -> double& { return local[static_cast<std::size_t>(i - begin)]; };
      for (Index i = begin; i < end; ++i) {
        const Index c = order[static_cast<std::size_t>(i)];
        if (s.group_size > 0) {
          std::vector<double> group;
          if (s.static_groups) {
            const Index first = c / s.group_size * s.group_size;
            for (Index k = first; k < std::min(first + s.group_size, n); ++k) {
              group.push_back(plain[static_cast<std::size_t>(k)]);
            }
            q = fit(group);
          } else if (i % s.group_size == 0) {
            for (Index k = i; k < std::min(i + s.group_size, n); ++k) group.push_back(w(r, k));
            q = fit(group);
          }
        }
        const double x = at(i), steps = x / static_cast<double>(q.scale);
        const double rounded = std::nearbyint(steps);
        const double code = std::clamp(rounded + q.zero_point, 0.0, static_cast<double>((1 << Bits) - 1));
        if (code == rounded + q.zero_point) {
          double& least = margin[static_cast<std::size_t>(r)];
          least = std::min(least, 0.5 - std::fabs(steps - rounded));
        }
        codes(r, c) = code;
        const double error = (x - static_cast<double>(q.scale) * (code - q.zero_point)) / u(i, i);
        for (Index k = i; k < end; ++k) at(k) -= error * u(i, k) - x * p(i, k);
        errors.push_back(error);
      }
      for (Index k = end; k < n; ++k) {
        for (Index i = begin; i < end; ++i) {
          w(r, k) -= errors[static_cast<std::size_t>(i - begin)] * u(i, k) - at(i) * p(i, k);
        }
      }
    }
  }
};

}  // namespace halfstep_tests
