#pragma once

/// \file
/// Shapes and operands of the products that are timed, and how far a result is from the exact one.

#include <halfstep/core/eigen.hpp>
#include <halfstep/core/error.hpp>
#include <halfstep/core/random.hpp>
#include <halfstep/kernels/softmax.hpp>
#include <halfstep/simd/gelu.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace halfstep_bench {

/// x `[m, k]` times w `[n, k]` transposed.
struct MatmulShape {
  halfstep::Index m, n, k;
  [[nodiscard]] double operations() const {
    return 2 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  }
};

/// What activations look like: normal with a few large channels, rows of a softmax, or what GELU leaves.
enum class ActivationData { normal, probabilities, gelu };

/// Float operands of one shape: activations as transformers have them, and normal weights.
struct MatmulOperands {
  halfstep::MatrixF x, w;
  std::vector<double> exact;  ///< the first 4 rows of x * w^T in double

  MatmulOperands(const MatmulShape& shape, ActivationData data) : x(shape.m, shape.k), w(shape.n, shape.k) {
    fill(data);
    const halfstep::Random random(1, 1);
    for (halfstep::Index i = 0; i < w.size(); ++i) w.data()[i] = 0.02f * random.normal(static_cast<std::uint64_t>(i));
    for (halfstep::Index m = 0; m < std::min<halfstep::Index>(4, shape.m); ++m) {
      for (halfstep::Index n = 0; n < shape.n; ++n) {
        double sum = 0;
        for (halfstep::Index k = 0; k < shape.k; ++k)
          sum += static_cast<double>(x(m, k)) * static_cast<double>(w(n, k));
        exact.push_back(sum);
      }
    }
  }

 private:
  void fill(ActivationData data) {
    const halfstep::Random random(1, 0);
    for (halfstep::Index i = 0; i < x.size(); ++i) {
      const float value = random.normal(static_cast<std::uint64_t>(i));
      const float large = data == ActivationData::normal && i % x.cols() % 97 == 0 ? 6.0f : 1.0f;
      x.data()[i] = data == ActivationData::probabilities ? 2 * value : large * value;
      if (data == ActivationData::gelu) x.data()[i] = halfstep::simd::gelu(value);
    }
    if (data == ActivationData::probabilities) halfstep::softmax(halfstep::mutable_view(x));
  }
};

/// The operands of a shape, made once.
inline const MatmulOperands& matmul_operands(const MatmulShape& shape, ActivationData data) {
  static std::map<std::string, std::unique_ptr<MatmulOperands>> cache;
  auto& entry = cache[halfstep::concat(shape.m, "x", shape.n, "x", shape.k, "/", static_cast<int>(data))];
  if (!entry) entry = std::make_unique<MatmulOperands>(shape, data);
  return *entry;
}

/// 10 log10 of signal over noise of the first rows of y.
inline double sqnr_db(const halfstep::MatrixF& y, const std::vector<double>& exact) {
  double signal = 0, noise = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const double error = static_cast<double>(y.data()[i]) - exact[i];
    signal += exact[i] * exact[i];
    noise += error * error;
  }
  return noise == 0 ? INFINITY : 10 * std::log10(signal / noise);
}

}  // namespace halfstep_bench
