#pragma once

/// \file
/// The one product that all kernels are checked with: plain loops, 64-bit integers, nothing shared with what it checks
/// but the layout's own accessors.
///
/// For row m of the activations, row n of the weight and each group g along K:
///
///     D_pr = sum_k a_p(m, k) b_r(n, k)           A_p = sum_k a_p(m, k)           B_r = sum_k b_r(n, k)
///     t    = sum_p sum_r w_p v_r D_pr - z_n sum_p w_p A_p - z_m sum_r v_r B_r + K_g z_m z_n
///     out  = sum_g float(t) * (s_m * s_n)
///
/// s_m and z_m are those of the row, or of the row and the group. t is double, its terms added in the order written (p
/// before r); for integer zeros and weights it is exact. float(t) is rounded once, the two scales are multiplied as
/// floats, that product times float(t) is rounded, and groups are added in ascending order. Class: ordered.

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/kernels/encoded_matrix.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/simd/multiply_add.hpp"
#include "halfstep/simd/pinned.hpp"

#include <cstddef>
#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// The byte of plane p of row m that meets position k of the K axis of `w`.
[[nodiscard]] inline std::int64_t activation_byte(const EncodedRows& x, int p, Index m, const PackedMatrix& w,
                                                  Index k) {
  return x.plane[static_cast<std::size_t>(p)][m * x.row_stride + x.layout.position(w.channel(k))];
}

/// `sum_k a_p(m, k) b_r(n, k)` over group g, exact.
[[nodiscard]] inline std::int64_t plane_dot(const EncodedRows& x, int p, Index m, const PackedMatrix& w, int r, Index n,
                                            Index g) {
  std::int64_t dot = 0;
  const Index first = w.layout().begin(g);
  for (Index k = first; k < first + w.layout().length(g); ++k) {
    dot += activation_byte(x, p, m, w, k) * w.plane_value(r, n, k);
  }
  return dot;
}

/// t of one output and group.
[[nodiscard]] inline double reference_group(const EncodedRows& x, Index m, const PackedMatrix& w, Index n, Index g) {
  const double zero_m = static_cast<double>(x.zero_of(m, g)), zero_n = static_cast<double>(w.zero(g)[n]);
  const Index first = w.layout().begin(g), length = w.layout().length(g);
  double t = 0, sum_a = 0, sum_b = 0;
  for (int p = 0; p < x.plane_count; ++p) {
    const auto weight_p = static_cast<double>(x.plane_weight[static_cast<std::size_t>(p)]);
    for (int r = 0; r < w.plane_count(); ++r) {
      const double weight = weight_p * static_cast<double>(w.plane_weight(r));
      t += simd::pinned(weight * static_cast<double>(plane_dot(x, p, m, w, r, n, g)));
    }
    std::int64_t sum = 0;
    for (Index k = first; k < first + length; ++k) sum += activation_byte(x, p, m, w, k);
    sum_a += simd::pinned(weight_p * static_cast<double>(sum));
  }
  for (int r = 0; r < w.plane_count(); ++r) {
    std::int64_t sum = 0;
    for (Index k = first; k < first + length; ++k) sum += w.plane_value(r, n, k);
    sum_b += simd::pinned(static_cast<double>(w.plane_weight(r)) * static_cast<double>(sum));
  }
  t -= simd::pinned(zero_n * sum_a);
  t -= simd::pinned(zero_m * sum_b);
  return t + simd::pinned(simd::pinned(static_cast<double>(length) * zero_m) * zero_n);
}

/// The product `[x.rows, w.rows]` without bias or activation function, of rows whose columns are in the order of the
/// input channels. Errors: another number of columns.
[[nodiscard]] inline MatrixF reference_product(const EncodedRows& x, const PackedMatrix& w) {
  if (x.layout.k != w.cols()) {
    raise("reference_product", "x has ", x.layout.k, " columns, packed weight expects ", w.cols());
  }
  if (w.needs_floats()) {
    raise("reference_product", "packed weight holds 8-bit floating-point codes, which have no planes of integers");
  }
  MatrixF out(x.rows, w.rows());
  for (Index m = 0; m < x.rows; ++m) {
    for (Index n = 0; n < w.rows(); ++n) {
      float sum = 0;
      for (Index g = 0; g < w.layout().groups(); ++g) {
        const float scale = simd::pinned(x.scale_of(m, g) * w.scale(g)[n]);
        const float part = simd::pinned(static_cast<float>(reference_group(x, m, w, n, g)) * scale);
        sum = g == 0 ? part : sum + part;
      }
      out(m, n) = sum;
    }
  }
  return out;
}

[[nodiscard]] inline MatrixF reference_product(const EncodedMatrix& x, const PackedMatrix& w) {
  return reference_product(x.rows_view(), w);
}

/// The float that stands at row n, position k of K of a packed weight: `scale * (sum_p weight_p * plane_p - zero)`, or
/// `scale * level` of a minifloat, a rounding each. Class: ordered.
[[nodiscard]] inline float packed_value(const PackedMatrix& w, Index n, Index k) {
  const Index g = k / w.layout().group;
  float value = 0;
  if (w.needs_floats()) {
    value = w.minifloat().decode(w.plane_value(0, n, k) & 255);
  } else {
    for (int p = 0; p < w.plane_count(); ++p) {
      value += simd::pinned(w.plane_weight(p) * static_cast<float>(w.plane_value(p, n, k)));
    }
  }
  return (value - w.zero(g)[n]) * w.scale(g)[n];
}

/// The product `[x.rows, w.rows]` of activations that are kept in float: for each output one chain of
/// `simd::multiply_add` over ascending k. Class: bounded, see kernels/float_tile.hpp. Errors: another number of
/// columns.
[[nodiscard]] inline MatrixF reference_float_product(MatrixView<const float> x, const PackedMatrix& w) {
  if (x.cols != w.cols()) {
    raise("reference_float_product", "x has ", x.cols, " columns, packed weight expects ", w.cols());
  }
  MatrixF out(x.rows, w.rows());
  for (Index n = 0; n < w.rows(); ++n) {
    for (Index m = 0; m < x.rows; ++m) out(m, n) = 0;
    for (Index k = 0; k < w.cols(); ++k) {
      const float value = packed_value(w, n, k);
      for (Index m = 0; m < x.rows; ++m) out(m, n) = simd::multiply_add(x(m, w.channel(k)), value, out(m, n));
    }
  }
  return out;
}

}  // namespace halfstep::inline HALFSTEP_ABI
