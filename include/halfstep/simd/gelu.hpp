#pragma once

/// \file
/// Activation functions of transformers: GELU, SiLU, ReLU, from operations that every instruction set rounds alike.
/// Class: exact. NaN stays NaN in all of them.

#include "halfstep/simd/exp.hpp"

namespace halfstep::inline HALFSTEP_ABI::simd {

/// The upper tail of the normal distribution, (1 - erf(a / sqrt(2))) / 2, for a in [0, 15], with an absolute error of
/// at most 4e-7.
///
/// exp(-a^2 / 2) times a polynomial in t = 1 / (1 + 0.35 a), the form of Abramowitz and Stegun 26.2.17 with
/// coefficients least in greatest relative error (Remez).
template <FloatLanes T>
[[nodiscard, gnu::always_inline]] inline T normal_tail(T a) {
  const T t = 1.0f / (simd::pinned(a * 0.35f) + 1.0f);
  const T p = simd::polynomial(t, -0x1.c734a6p-16f, 0x1.1f4458p-3f, 0x1.1128dap-3f, 0x1.3f39f0p-3f, -0x1.13c61ap-6f,
                               0x1.ec5a62p-3f, -0x1.9da154p-3f, 0x1.909b78p-5f);
  return simd::pinned(p * simd::exp(simd::pinned(a * a) * -0.5f));
}

/// x / 2 * (1 + erf(x / sqrt(2))), the exact GELU (not its tanh approximation), with an absolute error of at most
/// 1e-6 * max(1, |x|). Infinity for infinity, 0 for -infinity. Hendrycks and Gimpel 2016, arXiv 1606.08415.
template <FloatLanes T>
[[nodiscard, gnu::always_inline]] inline T gelu(T x) {
  const T a = simd::min(simd::abs(x), 15.0f);  // beyond, the tail is 0
  const T y = simd::max(x, 0.0f) - simd::pinned(a * simd::normal_tail(a));
  return simd::select(simd::is_nan(x), x, y);
}

/// x / (1 + exp(-x)), also called swish, with an absolute error of at most 1e-6 * max(1, |x|). Infinity for infinity,
/// 0 for -infinity.
template <FloatLanes T>
[[nodiscard, gnu::always_inline]] inline T silu(T x) {
  const T held = simd::max(x, -120.0f);  // where the quotient has become 0
  return simd::select(simd::is_nan(x), x, held / (1.0f + simd::exp(-held)));
}

/// x where it is positive, else 0.
template <FloatLanes T>
[[nodiscard]] constexpr T relu(T x) {
  return simd::max(T(0.0f), x);
}

}  // namespace halfstep::inline HALFSTEP_ABI::simd
