#pragma once

/// \file
/// The exponential of I-ViT's integer operators: shifts and additions.
///
///     x0  = floor(-1 / scale)                                  the quotient rounded to float
///     p   = max(x + (x >> 1) - (x >> 4), n x0)                 1.4375 x: about x log2(e)
///     q   = floor(p / x0),  r = p - q x0                       2^(p / |x0|) = 2^-q 2^(r / |x0|),  -1 < r / |x0| <= 0
///     exp = ((r - 2 x0) << (n - q)) >> 1                       2^f is about 1 + f / 2
///
/// x an integer in units of `scale`, at most 0. The result is about `|x0| 2^n exp(scale x)`; its own scale cancels
/// where it is used. Every shift is arithmetic. docs/numerics.md, section 7, derives how far off it is.
///
/// Source: Li and Gu, "I-ViT: Integer-only Quantization for Efficient Vision Transformer Inference", ICCV 2023,
/// section 3.3.

#include "halfstep/config.hpp"
#include "halfstep/simd/math.hpp"

#include <cmath>
#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// ShiftExp for one scale, in int32: `|x0| 2^n` must be below 2^31 and `n |x0|` below 2^24.
struct ShiftExp {
  std::int32_t x0 = -1;       ///< minus the integer that stands for about 1
  std::int32_t halvings = 1;  ///< n: what is smaller than 2^-n of the largest becomes 2^-n

  /// x0 for integers of step `scale`, positive.
  [[nodiscard]] static std::int32_t root(float scale) { return static_cast<std::int32_t>(std::floor(-1.0f / scale)); }

  /// The least x that makes a difference: below, the result is that of p = n x0.
  [[nodiscard]] std::int32_t lowest() const { return halvings * x0; }

  /// Of every lane of x, from `lowest()` to 0. Class: exact.
  template <simd::IntLanes T>
  [[nodiscard, gnu::always_inline]] T operator()(T x) const {
    const T p = simd::max(x + (x >> 1) - (x >> 4), lowest());
    // Both are below 2^24, so the quotient is right, and rounds to an integer only where it is one.
    const T q = simd::to_int(simd::to_float(p) / simd::FloatOf<T>(static_cast<float>(x0)));
    const T v = p - q * T(x0) - T(2 * x0);
    const T left = T(halvings - 1) - q;
    return simd::select(left < T(0), v >> 1, v << simd::max(left, 0));
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
