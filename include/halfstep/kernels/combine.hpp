#pragma once

/// \file
/// From integer sums to reals: the zero-point correction and the scales of one row of a tile.
///
/// Both routes give the bits of `reference_product`: in the integer one every step is exact, and where it applies the
/// double one is exact as well.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/kernels/encoded_matrix.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/simd/math.hpp"
#include "halfstep/simd/memory.hpp"
#include "halfstep/simd/pinned.hpp"

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// Adds `float(t) * (scale_m * scale_n)` to a row of float accumulators, or sets them (first group).
inline void add_scaled(simd::FloatBatch t, simd::FloatBatch scale_m, const float* scale_n, float* sum, bool is_first) {
  const simd::FloatBatch scale = simd::pinned(scale_m * simd::load<simd::FloatBatch>(scale_n));
  const simd::FloatBatch part = simd::pinned(t * scale);
  simd::store(sum, is_first ? part : simd::load<simd::FloatBatch>(sum) + part);
}

/// One row m of group g over the columns [first, first + count) of `w`, one plane on either side, integer zeros:
/// `t = d - z_n A - z_m B + K z_m z_n`, wrapping in int32; the caller has checked that t itself fits.
/// `count` is a multiple of 16.
inline void combine_integers(const EncodedRows& x, Index m, const PackedMatrix& w, Index g, Index first, Index count,
                             const std::int32_t* d, float* sum, bool is_first) {
  using simd::FloatBatch;
  using simd::IntBatch;
  const auto zero_m = static_cast<std::int32_t>(x.zero[m]);
  const auto length = static_cast<std::int32_t>(w.layout().length(g));
  // K z_m z_n - z_n A = z_n (K z_m - A): one product per column.
  const auto from_m =
      static_cast<std::int32_t>(static_cast<std::uint32_t>(length) * static_cast<std::uint32_t>(zero_m) -
                                static_cast<std::uint32_t>(x.sum[0][m * x.layout.groups() + g]));
  const FloatBatch scale_m(x.scale[m]);
  for (Index n = 0; n < count; n += static_cast<Index>(simd::batch_lanes)) {
    IntBatch t = simd::load<IntBatch>(d + n);
    if (zero_m != 0) t = t - IntBatch(zero_m) * simd::load<IntBatch>(w.sum(0, g) + first + n);
    if (w.has_zeros()) t = t + IntBatch(from_m) * simd::to_int(simd::load<FloatBatch>(w.zero(g) + first + n));
    add_scaled(simd::to_float(t), scale_m, w.scale(g) + first + n, sum + n, is_first);
  }
}

/// The general case: up to two planes on either side and real zeros. `dots[p * w.plane_count() + r]` are the row's
/// plane products.
inline void combine_planes(const EncodedRows& x, Index m, const PackedMatrix& w, Index g, Index first, Index count,
                           const std::int64_t* const dots[4], float* sum, bool is_first) {
  const double zero_m = static_cast<double>(x.zero[m]);
  const double length = static_cast<double>(w.layout().length(g));
  double sum_a = 0;
  for (int p = 0; p < x.plane_count; ++p) {
    const auto at = static_cast<std::size_t>(p);
    sum_a += simd::pinned(static_cast<double>(x.plane_weight[at]) *
                          static_cast<double>(x.sum[at][m * x.layout.groups() + g]));
  }
  for (Index n = 0; n < count; ++n) {
    const double zero_n = static_cast<double>(w.zero(g)[first + n]);
    double t = 0, sum_b = 0;
    for (int p = 0; p < x.plane_count; ++p) {
      for (int r = 0; r < w.plane_count(); ++r) {
        const double weight =
            static_cast<double>(x.plane_weight[static_cast<std::size_t>(p)]) * static_cast<double>(w.plane_weight(r));
        t += simd::pinned(weight * static_cast<double>(dots[p * w.plane_count() + r][n]));
      }
    }
    for (int r = 0; r < w.plane_count(); ++r) {
      sum_b += simd::pinned(static_cast<double>(w.plane_weight(r)) * static_cast<double>(w.sum(r, g)[first + n]));
    }
    t -= simd::pinned(zero_n * sum_a);
    t -= simd::pinned(zero_m * sum_b);
    t += simd::pinned(simd::pinned(length * zero_m) * zero_n);
    const float scale = simd::pinned(x.scale[m] * w.scale(g)[first + n]);
    const float part = simd::pinned(static_cast<float>(t) * scale);
    sum[n] = is_first ? part : sum[n] + part;
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI
