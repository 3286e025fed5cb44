#pragma once

/// \file
/// What a logarithmic quantizer does with zero, which no logarithm reaches.

#include "halfstep/config.hpp"

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// What becomes of values below the smallest level. With L = 2^b levels and codes that count downwards from the
/// largest:
enum class ZeroPolicy {
  reserve,  ///< code L - 1 means 0, and L - 1 levels remain: b bits. The default
  clamp,    ///< all L codes are levels, as the papers' equations have it: b bits, and no zero
  mask,     ///< code L means 0, as published programs compute it: L + 1 outputs, which b bits do not hold
};

/// What becomes of x / scale before its logarithm is taken.
enum class LogFloor {
  none,       ///< values that are not positive become the last code
  published,  ///< clamped below at 1e-15, as published programs do: a wide code for 0 is then a level of about 2^-50
};

/// The ratio that `LogFloor::published` clamps at.
inline constexpr float published_log_floor = 1e-15f;

/// The codes of a logarithmic quantizer that is said to have `Bits` bits.
template <int Bits, ZeroPolicy Zero>
struct LogCodes {
  static_assert(Bits >= 2 && Bits <= 8, "a logarithmic quantizer has 2 to 8 bits");
  /// The bits that a method's authors state.
  static constexpr int stated_bits = Bits;
  /// The bits that a code takes: one more where zero is masked.
  static constexpr int bits = Zero == ZeroPolicy::mask ? Bits + 1 : Bits;
  /// The largest code, which all smaller values get.
  static constexpr std::int32_t last_code = Zero == ZeroPolicy::mask ? 1 << Bits : (1 << Bits) - 1;
  /// Whether the last code (and, where zero is masked, every one above) stands for 0.
  static constexpr bool has_zero = Zero != ZeroPolicy::clamp;
};

}  // namespace halfstep::inline HALFSTEP_ABI
