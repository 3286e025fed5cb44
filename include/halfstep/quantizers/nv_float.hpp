#pragma once

/// \file
/// NVFP4: FP4 in blocks of 16 whose scale is an E4M3 number times one factor of the tensor.
///
///     g     = largest |x| of the tensor / (448 * 6),  1 where all are 0 or where there is one level only
///     s     = E4M3(clip((largest |x| of the block / 6) / g, 2^-6, 448))
///     code  = E2M1 code of clip(x * ((1 / g) / s), -6, 6),   value = E2M1 value * (s * g)
///
/// Source: NVIDIA, "Introducing NVFP4 for Efficient and Accurate Low-Precision Inference", 2025; the order of the
/// operations is that of torchao. Libraries differ: some store 1 / g, cuDNN rounds s up. `tensor_scale` is g here, and
/// s is rounded to the nearest. g keeps to [2^-119, 2^127 / 2688], so that reciprocals and values are finite floats.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/quantizers/block_format.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/minifloat.hpp"
#include "halfstep/quantizers/scale_storage.hpp"
#include "halfstep/simd/math.hpp"

namespace halfstep::inline HALFSTEP_ABI {

/// One block of NVFP4. Codes and special values are those of `Fp4E2M1`: NaN gets code 0, infinities saturate. The
/// lowering is that of FP4 with the scale s * g: one exact plane. Class: exact.
struct NVFP4 {
  static constexpr int bits = 4;
  static constexpr bool reads_mean_abs = false;
  static constexpr Index block_size = 16;
  static constexpr ScaleStorage scale_storage = ScaleStorage::e4m3;

  float scale = 1;         ///< s: an E4M3 number, 2^-6 to 448
  float tensor_scale = 1;  ///< g, the same in all blocks of a tensor

  friend bool operator==(const NVFP4&, const NVFP4&) = default;

  [[nodiscard]] Fp4E2M1 element() const { return {scale * tensor_scale}; }

  template <simd::FloatLanes T>
  [[nodiscard]] auto encode(T x) const {
    return Fp4E2M1{}.encode(x * T((1 / tensor_scale) / scale));
  }
  template <simd::IntLanes C>
  [[nodiscard]] auto decode(C code) const {
    return element().decode(code);
  }

  /// g of a tensor of that range.
  [[nodiscard]] static float tensor_scale_of(Range range) {
    const float largest = absmax(range);
    constexpr float steps = 448 * 6;
    return largest > 0 ? simd::clamp(largest / steps, 0x1p-119f, 0x1p127f / steps) : 1.0f;
  }
  /// A block of that range in a tensor of scale g. One level: g = 1.
  [[nodiscard]] static NVFP4 fit_block(Range range, float g) {
    return {stored_scale(absmax(range) / Fp4E2M1::largest_value / g, scale_storage), g};
  }
  /// A block that is a whole tensor.
  [[nodiscard]] static NVFP4 fit(Range range) { return fit_block(range, tensor_scale_of(range)); }

  [[nodiscard]] LoweringScale lowering_scale() const { return halfstep::lowering_scale(element()); }
  [[nodiscard]] Lowering lower() const { return element().lower(); }
};

}  // namespace halfstep::inline HALFSTEP_ABI
