#pragma once

/// \file
/// The MX block formats: minifloats in blocks of 32 whose scale is a power of two.
///
///     amax  = largest |x| of the block
///     scale = 2^e,  e = clip(e(amax), -127, 127 - emax),   emax the exponent of the element's largest value
///     code  = element code of x / 2^e,   value = element value * 2^e
///
/// e(amax) is the rule's:
///
///     floor   floor(log2 amax) - emax                          what the specification asks for at least
///     even    floor(log2 of amax rounded to the element's mantissa, halves up) - emax
///     ceil    ceil(log2 amax) - emax
///     rceil   ceil(log2(amax * float(1 / largest element)))    the least scale that clips nothing
///
/// Source: OCP Microscaling Formats (MX) Specification v1.0, sections 5 and 6.3. `floor` clips up to a quarter of the
/// largest value, and is for agreement bit by bit; `even` is the default, as it has the least error on weights. The
/// specification allows e = 127, we stop where every code decodes to a finite float; it gives NaN to a block that holds
/// one, we leave that to the callers, which refuse such data.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/quantizers/block_format.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/lower_to_grid.hpp"
#include "halfstep/quantizers/minifloat.hpp"
#include "halfstep/quantizers/scale_storage.hpp"
#include "halfstep/simd/bits.hpp"

#include <bit>
#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// How the exponent of a block's scale follows from its largest magnitude.
enum class ExponentRule { floor, even, ceil, rceil };

/// One block of an MX format: a `Float` whose scale is a power of two, 2^-127 included. Codes and special values are
/// those of `Element`. Class: exact.
template <class Element, ExponentRule Rule = ExponentRule::even>
struct MxFloat {
  static constexpr int bits = Element::bits;
  static constexpr bool reads_mean_abs = false;
  static constexpr Index block_size = 32;
  static constexpr ScaleStorage scale_storage = ScaleStorage::e8m0;
  /// The exponent of the element's largest value.
  static constexpr std::int32_t emax = (Element::largest_code >> Element::mantissa_bits) - Element::bias;

  /// The format of `Element`.
  static constexpr MinifloatCode minifloat_code = Element::minifloat_code;

  float scale = 1;  ///< a power of two

  friend bool operator==(const MxFloat&, const MxFloat&) = default;

  [[nodiscard]] Element element() const { return {scale}; }

  template <simd::FloatLanes T>
  [[nodiscard]] auto encode(T x) const {
    return element().encode(x);
  }
  template <simd::IntLanes C>
  [[nodiscard]] auto decode(C code) const {
    return element().decode(code);
  }

  /// The scale that the rule gives to the largest magnitude; 2^-127 for a block of zeros.
  [[nodiscard]] static MxFloat fit(Range range) {
    const std::int32_t e = simd::clamp(exponent_of(absmax(range)), -127, 127 - emax);
    return {decode_e8m0(static_cast<std::uint8_t>(e + 127))};
  }

  /// The planes of `Element`, the same for every block; where the scale is so small that the unit is subnormal, its
  /// rounding is part of the stated error.
  [[nodiscard]] LoweringScale lowering_scale() const {
    return {planes_of_element.unit * scale, planes_of_element.zero};
  }
  [[nodiscard]] Lowering lower() const {
    Lowering lowering = planes_of_element;
    lowering.unit *= scale;
    measure_error(lowering, levels_of(*this), LevelMatch::as_float);
    return lowering;
  }

 private:
  /// The lowering for scale 1, which is made once: a weight has many blocks.
  static constexpr Lowering planes_of_element = Element{}.lower();

  [[nodiscard]] static std::int32_t exponent_of(float amax) {
    const auto is_above_power = [](float x) { return simd::mantissa(x) > 1.0f ? 1 : 0; };
    switch (Rule) {
      case ExponentRule::even: {
        const std::int32_t half_step = 1 << (22 - Element::mantissa_bits);
        return ((std::bit_cast<std::int32_t>(amax) + half_step) >> 23) - 127 - emax;
      }
      case ExponentRule::ceil:
        return simd::exponent(amax) + is_above_power(amax) - emax;
      case ExponentRule::rceil: {
        const float ratio = amax * (1 / Element::largest_value);
        return simd::exponent(ratio) + is_above_power(ratio);
      }
      case ExponentRule::floor:
        break;
    }
    return simd::exponent(amax) - emax;
  }
};

using MXFP4 = MxFloat<Fp4E2M1>;      ///< 4.25 bits per element
using MXFP6E2M3 = MxFloat<Fp6E2M3>;  ///< 6.25 bits per element, up to 7.5 scales
using MXFP6E3M2 = MxFloat<Fp6E3M2>;  ///< 6.25 bits per element, up to 28 scales
using MXFP8E4M3 = MxFloat<Fp8E4M3>;  ///< 8.25 bits per element, up to 448 scales
using MXFP8E5M2 = MxFloat<Fp8E5M2>;  ///< 8.25 bits per element, up to 57344 scales

}  // namespace halfstep::inline HALFSTEP_ABI
