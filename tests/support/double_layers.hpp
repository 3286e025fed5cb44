#pragma once

/// \file
/// The identity of equivalent transforms, `apply(x) * fold(w)^T = x * w^T`, in doubles.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "halfstep/core/eigen.hpp"
#include "halfstep/core/linear_view.hpp"
#include "halfstep/core/random.hpp"
#include "support/catch.hpp"

namespace halfstep_tests {

inline halfstep::MatrixD random_doubles(halfstep::Index rows, halfstep::Index cols, std::uint64_t seed) {
  halfstep::MatrixD m(rows, cols);
  const halfstep::Random random(seed);
  for (halfstep::Index i = 0; i < m.size(); ++i) {
    m.data()[i] = static_cast<double>(random.normal(static_cast<std::uint64_t>(i)));
  }
  return m;
}

/// A linear layer of doubles that owns its parameters.
struct DoubleLayer {
  halfstep::MatrixD weight;
  std::vector<double> bias;
  halfstep::BasicLinearView<double> view() { return {halfstep::mutable_view(weight), bias}; }

  [[nodiscard]] halfstep::MatrixD output(const halfstep::MatrixD& x) const {
    halfstep::MatrixD y = halfstep::MatrixD::Zero(x.rows(), weight.rows());
    for (halfstep::Index t = 0; t < y.rows(); ++t) {
      for (halfstep::Index o = 0; o < y.cols(); ++o) {
        if (!bias.empty()) y(t, o) = bias[static_cast<std::size_t>(o)];
        for (halfstep::Index c = 0; c < x.cols(); ++c) y(t, o) += x(t, c) * weight(o, c);
      }
    }
    return y;
  }
};

inline DoubleLayer random_double_layer(halfstep::Index out, halfstep::Index in, std::uint64_t seed) {
  const halfstep::MatrixD bias = random_doubles(1, out, seed + 1000);
  return {random_doubles(out, in, seed), {bias.data(), bias.data() + out}};
}

/// `folded` makes of the transformed activations what `plain` makes of x: sums of n terms of a size of at most `term`,
/// each off by n roundings of the sum of those sizes.
inline void check_identity(const DoubleLayer& plain, const halfstep::MatrixD& x, const DoubleLayer& folded,
                           const halfstep::MatrixD& transformed, double term) {
  const halfstep::MatrixD a = plain.output(x), b = folded.output(transformed);
  REQUIRE(a.rows() == b.rows());
  const auto n = static_cast<double>(x.cols()) + 2;
  const double bound = n * n * term * 0x1p-52;
  for (halfstep::Index i = 0; i < a.size(); ++i) CHECK(std::fabs(a.data()[i] - b.data()[i]) <= bound);
}

}  // namespace halfstep_tests
