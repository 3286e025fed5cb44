#pragma once

/// \file
/// Both operands of a linear layer as minifloats: weights with a bias for each row, activations with a common bias and
/// a shift for each channel.

#include "halfstep/calibrators/range/minifloat_formats.hpp"
#include "halfstep/calibrators/range/squared_error.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// A weight `[out_features, channels]`, one exponent bias for each row.
struct MinifloatWeight {
  MinifloatFormat format;
  std::vector<float> biases;
};

/// Activations `[tokens, channels]`: channel j is encoded with the exponent bias `shared.bias + shared.shifts[j]`,
/// which is the same as `x_j * 2^shifts[j]` encoded with `shared.bias`.
struct MinifloatActivation {
  MinifloatFormat format;
  SharedExponentBias shared;
};

/// `to[c] = decode(encode(values[c])) - values[c]`.
template <class Q>
void store_minifloat_changes(const Q& q, std::span<const float> values, double* to) {
  float errors[ColumnSums::width];
  for (std::size_t c = 0; c < values.size(); c += ColumnSums::width) {
    const std::size_t count = std::min(ColumnSums::width, values.size() - c);
    quantization_errors(q, values.data() + c, count, errors);
    for (std::size_t j = 0; j < count; ++j) to[c + j] = -static_cast<double>(errors[j]);
  }
}

/// 2^shift for each channel.
[[nodiscard]] inline std::vector<float> powers_of_two(const std::vector<std::int32_t>& shifts) {
  std::vector<float> powers;
  for (const std::int32_t shift : shifts) powers.push_back(std::ldexp(1.0f, shift));
  return powers;
}

/// What a common bias does to activations of known shifts.
template <class Q>
struct ShiftedMinifloat {
  Q quantizer;
  std::vector<float> powers;  ///< 2^shift of each channel

  ShiftedMinifloat(const SharedExponentBias& shared)  // NOLINT(google-explicit-constructor): a change of form
      : quantizer(minifloat_of_bias<Q>(shared.bias)), powers(powers_of_two(shared.shifts)) {}

  /// `to[c] = x_hat - x` for a token; `scratch` holds as many floats. Multiplying with powers of two is exact.
  void store_changes(const float* x, std::vector<float>& scratch, double* to) const {
    for (std::size_t c = 0; c < powers.size(); ++c) scratch[c] = x[c] * powers[c];
    store_minifloat_changes(quantizer, scratch, to);
    for (std::size_t c = 0; c < powers.size(); ++c) to[c] /= static_cast<double>(powers[c]);
  }
};

/// The weight as it is decoded. Class: exact.
template <int Bits>
[[nodiscard]] MatrixF decoded_weight(const MinifloatWeight& weight, const MatrixF& w, ExecutorRef executor) {
  MatrixF out(w.rows(), w.cols());
  with_minifloat<Bits>(weight.format, [&](auto format) {
    using Q = decltype(format);
    parallel_for(executor, w.rows(), band_grain(w.cols()), [&](Index begin, Index end) {
      for (Index r = begin; r < end; ++r) {
        const Q q = minifloat_of_bias<Q>(weight.biases[static_cast<std::size_t>(r)]);
        for (Index c = 0; c < w.cols(); ++c) out(r, c) = q.decode(q.encode(w(r, c)));
      }
    });
  });
  return out;
}

/// The activations as they are decoded. Class: exact.
template <int Bits>
[[nodiscard]] MatrixF decoded_activation(const MinifloatActivation& activation, const MatrixF& x,
                                         ExecutorRef executor) {
  MatrixF out(x.rows(), x.cols());
  with_minifloat<Bits>(activation.format, [&](auto format) {
    const ShiftedMinifloat<decltype(format)> shifted(activation.shared);
    parallel_for(executor, x.rows(), band_grain(x.cols()), [&](Index begin, Index end) {
      for (Index r = begin; r < end; ++r) {
        for (Index c = 0; c < x.cols(); ++c) {
          const float power = shifted.powers[static_cast<std::size_t>(c)];
          out(r, c) = shifted.quantizer.decode(shifted.quantizer.encode(x(r, c) * power)) / power;
        }
      }
    });
  });
  return out;
}

}  // namespace halfstep::inline HALFSTEP_ABI
