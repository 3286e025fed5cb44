#pragma once

/// \file
/// The real values that planes stand for: what a product of codes computes, as floats. For engines that check the
/// integer kernels, for error statistics and for looking at what a quantizer did. No inference path comes here.

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/simd/math.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace halfstep::inline HALFSTEP_ABI {

/// The value of each code of a row that `activation` encoded with this unit and zero.
[[nodiscard]] inline std::array<float, 256> code_values(const Activation& activation, Activation::RowScale scale) {
  std::array<float, 256> values{};
  for (std::size_t code = 0; code < std::size_t{1} << activation.bits(); ++code) {
    double sum = -static_cast<double>(scale.zero);
    for (int p = 0; p < activation.plane_count(); ++p) {
      const double weight = static_cast<double>(activation.plane_weight(p));
      sum += weight * static_cast<double>(activation.plane_bytes(p)[code]);
    }
    values[code] = static_cast<float>(static_cast<double>(scale.unit) * sum);
  }
  return values;
}

/// The same for one row in blocks, in place; `codes` holds n bytes of scratch. A row that is not finite becomes NaN.
inline void fake_quantize_blocks(const Activation& activation, float* row, Index n, std::uint8_t* codes) {
  bool finite = true;
  for (Index begin = 0; begin < n; begin += activation.block_size()) {
    const Index count = std::min(activation.block_size(), n - begin);
    Activation::RowScale scale;
    std::int32_t sum = 0;
    activation.encode_blocks(row + begin, KLayout(count, 0), codes, &sum, &scale.unit, &scale.zero);
    finite = finite && simd::is_finite(scale.unit);
    const std::array<float, 256> values = code_values(activation, scale);
    for (Index i = 0; i < count; ++i) row[begin + i] = values[codes[i]];
  }
  if (!finite) std::fill_n(row, n, std::numeric_limits<float>::quiet_NaN());
}

/// `out = decode(encode(x))` under `activation`, row by row; x `[rows, cols]` at any strides, out of the same shape
/// with contiguous rows, not overlapping x. Values as the kernels have them (within the lowering's `max_error` of the
/// quantizer's own `decode`); a row that is not finite becomes NaN. Class: exact.
inline void fake_quantize_into(MatrixView<const float> x, const Activation& activation, MatrixView<float> out,
                               Workspace& workspace) {
  const Workspace::Scope scope(workspace);
  const std::span<std::uint8_t> codes = workspace.take<std::uint8_t>(x.cols);
  std::array<float, 256> values{};
  Activation::RowScale last;
  for (Index r = 0; r < x.rows; ++r) {
    float* row = out.row(r);
    for (Index c = 0; c < x.cols; ++c) row[c] = x(r, c);
    if (activation.block_size() > 0) {
      fake_quantize_blocks(activation, row, x.cols, codes.data());
      continue;
    }
    const Activation::RowScale scale = activation.encode(row, x.cols, codes.data());
    if (r == 0 || scale.unit != last.unit || scale.zero != last.zero) values = code_values(activation, scale);
    last = scale;
    for (std::size_t c = 0; c < codes.size(); ++c) row[c] = values[codes[c]];
  }
}

/// The values of a packed weight, `[out_features, in_features]` in the order of its inputs. Class: exact.
[[nodiscard]] inline MatrixF decode_packed(const PackedMatrix& weight) {
  MatrixF values(weight.rows(), weight.cols());
  const KLayout& layout = weight.layout();
  for (Index n = 0; n < weight.rows(); ++n) {
    for (Index k = 0; k < weight.cols(); ++k) {
      const Index group = k / layout.group;
      double sum = -static_cast<double>(weight.zero(group)[n]);
      if (weight.needs_floats())
        sum += static_cast<double>(weight.minifloat().decode(weight.plane_value(0, n, k) & 255));
      for (int p = 0; p < weight.plane_count() && !weight.needs_floats(); ++p) {
        sum += static_cast<double>(weight.plane_weight(p)) * static_cast<double>(weight.plane_value(p, n, k));
      }
      const auto& order = weight.input_order();
      const Index column = order.empty() ? k : Index{order[static_cast<std::size_t>(k)]};
      values(n, column) = static_cast<float>(static_cast<double>(weight.scale(group)[n]) * sum);
    }
  }
  return values;
}

}  // namespace halfstep::inline HALFSTEP_ABI
