#pragma once

/// \file
/// From integer sums to reals: the zero-point correction and the scales of a row tile. docs/numerics.md,
/// section 3.
///
/// Both routes give the bits of `reference_product`: in the integer one every step is exact, and where it applies the
/// double one is exact as well. Class: ordered.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/kernels/encoded_matrix.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/simd/math.hpp"
#include "halfstep/simd/memory.hpp"
#include "halfstep/simd/pinned.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// Whether a float is an integer that float arithmetic keeps exact.
[[nodiscard]] inline bool is_small_integer(float value) {
  return std::fabs(value) < 8388608.0f && value == std::nearbyint(value);
}

/// Whether every term and every sum of the correction of all rows is an integer below 2^53, so that double arithmetic
/// is exact in any order: integer zeros and plane weights on both sides.
[[nodiscard]] inline bool fits_exact_doubles(const EncodedRows& x, const PackedMatrix& w) {
  if (!w.zeros_are_integers()) return false;
  double weights_x = 0, weights_w = 0, largest_zero = 0;
  for (int p = 0; p < x.plane_count; ++p) {
    const float weight = x.plane_weight[static_cast<std::size_t>(p)];
    if (!is_small_integer(weight)) return false;
    weights_x += static_cast<double>(std::fabs(weight));
  }
  for (int r = 0; r < w.plane_count(); ++r) {
    if (!is_small_integer(w.plane_weight(r))) return false;
    weights_w += static_cast<double>(std::fabs(w.plane_weight(r)));
  }
  for (Index i = 0; i < x.rows * x.scale_groups; ++i) {
    if (!is_small_integer(x.zero[i])) return false;
    largest_zero = std::max(largest_zero, static_cast<double>(std::fabs(x.zero[i])));
  }
  const double largest_x = 255 * weights_x + largest_zero;
  const double largest_w = 128 * weights_w + static_cast<double>(w.largest_zero());
  return largest_x * largest_w * static_cast<double>(std::min(w.layout().group, w.layout().k)) < 0x1p52;
}

/// Whether the correction of all rows can stay in int32: one plane on either side, integer zeros, and
/// `K * max|a - z_m| * max|b - z_n|` below 2^31.
[[nodiscard]] inline bool fits_integers(const EncodedRows& x, const PackedMatrix& w) {
  if (x.plane_count != 1 || w.plane_count() != 1 || !w.zeros_are_integers()) return false;
  if (x.plane_weight[0] != 1.0f || w.plane_weight(0) != 1.0f) return false;
  float largest = 255;
  for (Index i = 0; i < x.rows * x.scale_groups; ++i) {
    const float zero = x.zero[i];
    if (!is_small_integer(zero)) return false;
    largest = std::max({largest, zero, 255 - zero});
  }
  const double bound = static_cast<double>(largest) * (128.0 + static_cast<double>(w.largest_zero()));
  return bound * static_cast<double>(std::min(w.layout().group, w.layout().k)) < 2147483648.0;
}

/// Columns [first, first + count) of rows [m, m + rows) of one group, whose sums are turned into floats. `count` is a
/// multiple of 16; rows lie `PackedMatrix::block_rows` elements apart, in integers and in floats.
struct CombineSpan {
  const EncodedRows& x;
  const PackedMatrix& w;
  Index m = 0;
  Index g = 0;
  Index first = 0;
  Index count = 0;
  Index rows = 1;
};

/// `sum = float(t) * (scale_m * scale_n)` in the first group, `sum += ...` in the others.
[[gnu::always_inline]] inline void add_scaled(simd::FloatBatch t, float scale_m, simd::FloatBatch scale_n,
                                              bool is_first, float* sum) {
  const simd::FloatBatch scale = simd::pinned(simd::FloatBatch(scale_m) * scale_n);
  const simd::FloatBatch part = simd::pinned(t * scale);
  simd::store(sum, is_first ? part : simd::load<simd::FloatBatch>(sum) + part);
}

/// One plane on either side, integer zeros: `t = d - z_n A - z_m B + K z_m z_n`, wrapping in int32; `fits_integers` has
/// checked that t itself fits. What depends on the column is read once for all rows.
inline void combine_integers(const CombineSpan& at, const std::int32_t* d, float* sum) {
  using simd::FloatBatch;
  using simd::IntBatch;
  const auto length = static_cast<std::uint32_t>(at.w.layout().length(at.g));
  const std::int32_t* const sums_n = at.w.sum(0, at.g) + at.first;
  const float* const zeros_n = at.w.has_zeros() ? at.w.zero(at.g) + at.first : nullptr;
  const float* const scales_n = at.w.scale(at.g) + at.first;
  const Index groups = at.x.layout.groups();
  const std::int32_t* const sums_m = at.x.sum[0] + at.m * groups + at.g;
  const bool is_first = at.g == 0;
  for (Index n = 0; n < at.count; n += static_cast<Index>(simd::batch_lanes)) {
    const auto sum_n = simd::load<IntBatch>(sums_n + n);
    const auto scale_n = simd::load<FloatBatch>(scales_n + n);
    const IntBatch zero_n = zeros_n != nullptr ? simd::to_int(simd::load<FloatBatch>(zeros_n + n)) : IntBatch(0);
    for (Index i = 0; i < at.rows; ++i) {
      const auto zero_m = static_cast<std::int32_t>(at.x.zero_of(at.m + i, at.g));
      IntBatch t = simd::load<IntBatch>(d + i * PackedMatrix::block_rows + n);
      if (zero_m != 0) t -= IntBatch(zero_m) * sum_n;
      if (zeros_n != nullptr) {
        // K z_m z_n - z_n A = z_n (K z_m - A): one product per column.
        const auto sum_m = static_cast<std::uint32_t>(sums_m[i * groups]);
        t += IntBatch(static_cast<std::int32_t>(length * static_cast<std::uint32_t>(zero_m) - sum_m)) * zero_n;
      }
      add_scaled(simd::to_float(t), at.x.scale_of(at.m + i, at.g), scale_n, is_first,
                 sum + i * PackedMatrix::block_rows + n);
    }
  }
}

/// Sixteen columns of sums in double. Each product is rounded before it is added: `simd::pin` keeps the two loops
/// apart, and each of them becomes vector code.
struct DoubleColumns {
  static constexpr Index count = PackedMatrix::tile_rows;
  double sum[count] = {};

  /// `sum += factor * values`, for int32, float or double values.
  template <class Value>
  void add_product(double factor, const Value* values) {
    double term[count];
    for (Index i = 0; i < count; ++i) term[i] = factor * static_cast<double>(values[i]);
    simd::pin(term);
    for (Index i = 0; i < count; ++i) sum[i] += term[i];
  }
};

/// Sixteen columns of `combine_exact`: `t = sum_i weights[i] d_i - z_m B - (A - K z_m) z_n`.
template <class Dot, std::size_t Products, std::size_t Planes>
[[gnu::always_inline]] inline void exact_columns(const std::array<double, 4>& weights,
                                                 const std::array<const Dot*, 4>& dots,
                                                 const std::array<double, 2>& plane_weights,
                                                 const std::array<const std::int32_t*, 2>& sums_n, double zero_m,
                                                 double excess_m, const float* zero_n, float* rounded) {
  constexpr Index count = PackedMatrix::tile_rows;
  double t[count];
  // From 0, as the reference: a negative weight times 0 is no -0.
  for (Index i = 0; i < count; ++i) t[i] = 0.0 + weights[0] * static_cast<double>(dots[0][i]);
  for (std::size_t p = 1; p < Products; ++p) {
    for (Index i = 0; i < count; ++i) t[i] += weights[p] * static_cast<double>(dots[p][i]);
  }
  for (std::size_t r = 0; r < Planes; ++r) {
    const double factor = zero_m * plane_weights[r];
    for (Index i = 0; i < count; ++i) t[i] -= factor * static_cast<double>(sums_n[r][i]);
  }
  for (Index i = 0; i < count; ++i) rounded[i] = static_cast<float>(t[i] - excess_m * static_cast<double>(zero_n[i]));
}

/// Where `fits_exact_doubles`, one row, 16 columns at a time: nothing rounds before float(t), so the order of terms and
/// whether products are fused do not show.
template <class Dot, std::size_t XPlanes, std::size_t WPlanes>
void combine_exact_planes(const CombineSpan& at, const std::array<const Dot*, 4>& dots, float* sum) {
  const EncodedRows& x = at.x;
  const auto zero_m = static_cast<double>(x.zero_of(at.m, at.g));
  std::array<double, 4> weights{};
  std::array<double, 2> plane_weights{};
  double sum_a = 0;
  for (std::size_t p = 0; p < XPlanes; ++p) {
    const auto weight = static_cast<double>(x.plane_weight[p]);
    sum_a += weight * static_cast<double>(x.sum[p][at.m * x.layout.groups() + at.g]);
    for (std::size_t r = 0; r < WPlanes; ++r) {
      plane_weights[r] = static_cast<double>(at.w.plane_weight(static_cast<int>(r)));
      weights[p * WPlanes + r] = weight * plane_weights[r];
    }
  }
  const double excess_m = sum_a - static_cast<double>(at.w.layout().length(at.g)) * zero_m;
  for (Index n = 0; n < at.count; n += PackedMatrix::tile_rows) {
    std::array<const Dot*, 4> here{};
    std::array<const std::int32_t*, 2> sums_n{};
    for (std::size_t i = 0; i < XPlanes * WPlanes; ++i) here[i] = dots[i] + n;
    for (std::size_t r = 0; r < WPlanes; ++r) sums_n[r] = at.w.sum(static_cast<int>(r), at.g) + at.first + n;
    float rounded[PackedMatrix::tile_rows];
    exact_columns<Dot, XPlanes * WPlanes, WPlanes>(weights, here, plane_weights, sums_n, zero_m, excess_m,
                                                   at.w.zero(at.g) + at.first + n, rounded);
    for (Index i = 0; i < PackedMatrix::tile_rows; i += static_cast<Index>(simd::batch_lanes)) {
      add_scaled(simd::load<simd::FloatBatch>(rounded + i), x.scale_of(at.m, at.g),
                 simd::load<simd::FloatBatch>(at.w.scale(at.g) + at.first + n + i), at.g == 0, sum + n + i);
    }
  }
}

template <class Dot>
void combine_exact(const CombineSpan& at, const std::array<const Dot*, 4>& dots, float* sum) {
  if (at.x.plane_count == 1) {
    at.w.plane_count() == 1 ? combine_exact_planes<Dot, 1, 1>(at, dots, sum)
                            : combine_exact_planes<Dot, 1, 2>(at, dots, sum);
  } else {
    at.w.plane_count() == 1 ? combine_exact_planes<Dot, 2, 1>(at, dots, sum)
                            : combine_exact_planes<Dot, 2, 2>(at, dots, sum);
  }
}

/// The general case, one row, 16 columns at a time: up to two planes on either side and real zeros.
/// `dots[p * w.plane_count() + r]` are the row's plane products, exact integers as int32 or double.
template <class Dot>
void combine_reals(const CombineSpan& at, const std::array<const Dot*, 4>& dots, float* sum) {
  const EncodedRows& x = at.x;
  const int planes = at.w.plane_count();
  const double zero_m = static_cast<double>(x.zero_of(at.m, at.g));
  const double from_m = static_cast<double>(at.w.layout().length(at.g)) * zero_m;
  double sum_a = 0;
  for (std::size_t p = 0; p < static_cast<std::size_t>(x.plane_count); ++p) {
    const auto in_plane = static_cast<double>(x.sum[p][at.m * x.layout.groups() + at.g]);
    sum_a += simd::pinned(static_cast<double>(x.plane_weight[p]) * in_plane);
  }
  for (Index n = 0; n < at.count; n += DoubleColumns::count) {
    DoubleColumns t, sum_b;
    for (int p = 0; p < x.plane_count; ++p) {
      const auto weight_p = static_cast<double>(x.plane_weight[static_cast<std::size_t>(p)]);
      for (int r = 0; r < planes; ++r) {
        const double weight = weight_p * static_cast<double>(at.w.plane_weight(r));
        t.add_product(weight, dots[static_cast<std::size_t>(p * planes + r)] + n);
      }
    }
    for (int r = 0; r < planes; ++r) {
      sum_b.add_product(static_cast<double>(at.w.plane_weight(r)), at.w.sum(r, at.g) + at.first + n);
    }
    const float* const zero_n = at.w.zero(at.g) + at.first + n;
    t.add_product(-sum_a, zero_n);  // x - a * b and x + (-a) * b are the same number
    t.add_product(-zero_m, sum_b.sum);
    t.add_product(from_m, zero_n);
    float rounded[DoubleColumns::count];
    for (Index i = 0; i < DoubleColumns::count; ++i) rounded[i] = static_cast<float>(t.sum[i]);
    for (Index i = 0; i < DoubleColumns::count; i += static_cast<Index>(simd::batch_lanes)) {
      add_scaled(simd::load<simd::FloatBatch>(rounded + i), x.scale_of(at.m, at.g),
                 simd::load<simd::FloatBatch>(at.w.scale(at.g) + at.first + n + i), at.g == 0, sum + n + i);
    }
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI
