#pragma once

/// \file
/// The types in which scales are stored beside codes.

#include "halfstep/config.hpp"
#include "halfstep/core/float16.hpp"
#include "halfstep/core/float8.hpp"
#include "halfstep/quantizers/minifloat.hpp"
#include "halfstep/simd/bits.hpp"

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// The type in which a scale is kept beside the codes. What rounding divides by is the stored scale.
enum class ScaleStorage {
  f32,
  f16,
  e8m0,  ///< a power of two, 2^-127 to 2^127 (OCP MX)
  e4m3,  ///< FP8 without its sign. Of little reach: for quantizers that multiply it by a factor of the tensor (NVFP4)
};

/// Bytes of one stored scale.
[[nodiscard]] constexpr int storage_bytes(ScaleStorage storage) {
  return storage == ScaleStorage::f32 ? 4 : (storage == ScaleStorage::f16 ? 2 : 1);
}

/// The E8M0 code of the least power of two that is not below `scale`; 0 (2^-127) for what is not positive, 254 (2^127)
/// for what is larger. Class: exact.
[[nodiscard]] inline std::uint8_t encode_e8m0_up(float scale) {
  if (!(scale > 0)) return 0;
  const std::int32_t power = simd::exponent(scale) + (simd::mantissa(scale) > 1.0f ? 1 : 0);
  return static_cast<std::uint8_t>(simd::clamp(power, -127, 127) + 127);
}

/// The E4M3 code nearest to a positive `scale`, ties to even, at least that of 2^-6, the smallest normal number, and at
/// most that of 448. Class: exact. Source: NVFP4, whose block scales keep to these bounds.
[[nodiscard]] inline std::uint8_t encode_e4m3_scale(float scale) {
  const float held = scale > 0x1p-6f ? scale : 0x1p-6f;
  return static_cast<std::uint8_t>(Fp8E4M3{}.encode(held));
}

/// `scale` as the storage type gives it back: never 0, infinite or NaN. F16 keeps to [2^-24, 65504]; E8M0 rounds up, so
/// that no value is clipped; E4M3 keeps to [2^-6, 448].
[[nodiscard]] inline float stored_scale(float scale, ScaleStorage storage) {
  switch (storage) {
    case ScaleStorage::f16: {
      constexpr float least = 0x1p-24f, largest = 65504.0f;
      return to_float(half_from_float(scale < least ? least : (scale > largest ? largest : scale)));
    }
    case ScaleStorage::e8m0:
      return decode_e8m0(encode_e8m0_up(scale));
    case ScaleStorage::e4m3:
      return decode_e4m3(encode_e4m3_scale(scale));
    case ScaleStorage::f32:
      break;
  }
  return scale;
}

}  // namespace halfstep::inline HALFSTEP_ABI
