#pragma once

/// \file
/// A linear layer of integers: an 8-bit weight, and what its sums become.

#include "halfstep/config.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/channel_requantizer.hpp"
#include "halfstep/kernels/integer_matmul.hpp"
#include "halfstep/kernels/packed_matrix.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// A weight rounded to symmetric integers, one step for each output row. A value.
struct IntegerWeight {
  PackedMatrix codes;         ///< `[out_features, in_features]`
  std::vector<double> scale;  ///< what a unit of each row is worth

  /// Rounds `weight` `[out_features, in_features]` to `bits` bits, 2 to 8: steps of the largest magnitude of a row over
  /// 2^(bits - 1) - 1, 1 where all of it is 0. Class: exact.
  [[nodiscard]] static IntegerWeight of(MatrixView<const float> weight, int bits) {
    const double largest_code = static_cast<double>((1 << (bits - 1)) - 1);
    IntegerWeight result;
    std::vector<std::int8_t> codes;
    for (Index r = 0; r < weight.rows; ++r) {
      float largest = 0;
      for (Index c = 0; c < weight.cols; ++c) largest = std::max(largest, std::fabs(weight(r, c)));
      const double scale = largest > 0 ? static_cast<double>(largest) / largest_code : 1.0;
      for (Index c = 0; c < weight.cols; ++c) {
        codes.push_back(static_cast<std::int8_t>(std::nearbyint(static_cast<double>(weight(r, c)) / scale)));
      }
      result.scale.push_back(scale);
    }
    result.codes = pack_integers({codes.data(), weight.rows, weight.cols});
    return result;
  }
};

/// `out = requantize(x * weight^T + bias)`. A value.
struct IntegerLinear {
  IntegerWeight weight;
  std::vector<float> bias;  ///< one per output, or empty
  double in_scale = 1;      ///< what a unit of x is worth
  ChannelRequantizer to;    ///< of the sums

  [[nodiscard]] Index out_features() const { return weight.codes.rows(); }

  /// What a unit of the sum of each output is worth.
  [[nodiscard]] std::vector<double> sum_scales() const {
    std::vector<double> scales;
    for (const double scale : weight.scale) scales.push_back(in_scale * scale);
    return scales;
  }
  /// Settles what comes out: integers in steps of `scale`, one for all outputs or one for each.
  void set_output(const std::vector<double>& scale) { to = ChannelRequantizer(sum_scales(), bias, scale); }

  /// The sums without their bias, `[rows, out_features]`, in memory of `workspace`.
  [[nodiscard]] MatrixView<std::int32_t> sums(MatrixView<const std::int8_t> x, Workspace& workspace,
                                              ExecutorRef executor) const {
    const MatrixView<std::int32_t> out(workspace.take<std::int32_t>(x.rows * out_features()).data(), x.rows,
                                       out_features());
    integer_matmul_into(x, weight.codes, out, workspace, executor);
    return out;
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
