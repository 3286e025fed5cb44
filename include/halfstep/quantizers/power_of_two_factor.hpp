#pragma once

/// \file
/// Uniform steps that are one common scale times a power of two of their own: the power-of-two factor.
///
///     code  = rne(clamp(x / (scale 2^shift), -zero_point, 2^b - 1 - zero_point)) + zero_point
///     value = scale * 2^shift * (code - zero_point)
///
/// For the inputs of a LayerNorm, whose channels differ widely: scale and zero point are the tensor's, shift is the
/// channel's, and statistics in integers take (code - zero_point) << shift. Source: FQ-ViT (Lin et al., IJCAI 2022),
/// section 3.3. The published program adds the zero point before it rounds, which differs at ties where it is odd.

#include "halfstep/config.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/quantizers/concepts.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "halfstep/simd/bits.hpp"

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// The largest shift of the published method.
inline constexpr std::int32_t largest_factor_shift = 3;

/// Uniform quantizer of `Bits` bits of one channel, 2 to 8. Codes and special values are those of `Uniform<Bits>` with
/// the scale `step()`. Class: exact.
template <int Bits>
struct PowerOfTwoFactor {
  static constexpr int bits = Bits;
  static constexpr bool reads_mean_abs = false;

  float scale = 1;              ///< common to all channels, positive
  std::int32_t zero_point = 0;  ///< code of real 0, common to all channels
  std::int32_t shift = 0;       ///< of this channel; 0 to 3 in the published method, up to 30 here

  friend bool operator==(const PowerOfTwoFactor&, const PowerOfTwoFactor&) = default;

  /// Width of one step of this channel.
  [[nodiscard]] float step() const { return simd::scale_by_power(scale, shift); }
  /// The same quantizer without its factor.
  [[nodiscard]] Uniform<Bits> uniform() const { return {step(), zero_point}; }

  template <simd::FloatLanes T>
  [[nodiscard]] auto encode(T x) const {
    return uniform().encode(x);
  }
  template <simd::IntLanes C>
  [[nodiscard]] auto decode(C code) const {
    return uniform().decode(code);
  }

  /// The parameters of a tensor of that range for its widest channel: shift 3, and an eighth of the affine scale.
  [[nodiscard]] static PowerOfTwoFactor fit(Range range) {
    const auto whole = Uniform<Bits>::fit(range);
    const float scale = simd::scale_by_power(whole.scale, -largest_factor_shift);
    return {usable_scale(scale), whole.zero_point, largest_factor_shift};
  }

  /// Exact: the codes themselves are the plane.
  [[nodiscard]] LoweringScale lowering_scale() const { return uniform().lowering_scale(); }
  [[nodiscard]] Lowering lower() const { return uniform().lower(); }
};

}  // namespace halfstep::inline HALFSTEP_ABI
