#pragma once

/// \file
/// `pinned`: a value that the compiler may not see through.

#include "halfstep/simd/batch.hpp"

namespace halfstep::inline HALFSTEP_ABI::simd {

#if defined(__GNUC__) && defined(__AVX512VL__)
#define HALFSTEP_PIN(r) asm("" : "+v"(r))
#elif defined(__GNUC__) && defined(__SSE2__)
#define HALFSTEP_PIN(r) asm("" : "+x"(r))
#elif defined(__GNUC__) && defined(__aarch64__)
#define HALFSTEP_PIN(r) asm("" : "+w"(r))
#elif defined(__GNUC__)
#define HALFSTEP_PIN(r) asm("" : "+m"(r))
#else
#define HALFSTEP_PIN(r) static_cast<void>(r)
#endif

/// Returns `x`, hidden from the optimizer behind an empty asm statement, at no instruction.
///
/// `pinned(a * b) + c` is a rounded product and a rounded sum on every compiler, where `a * b + c` becomes one fused
/// multiply-add wherever the instruction exists (-ffp-contract=fast is GCC's default); `pinned(x + m) - m` keeps its
/// two roundings under -fassociative-math. Usable in constant expressions, where nothing contracts.
/// Determinism: exact.
template <AnyLanes T>
[[gnu::always_inline]] constexpr T pinned(T x) {
  if (std::is_constant_evaluated()) return x;
  if constexpr (std::same_as<T, float> || std::same_as<T, std::int32_t>) {
    if constexpr (std::same_as<T, float>) HALFSTEP_PIN(x);
  } else if constexpr (requires { x.lane; }) {
    for (auto& lane : x.lane) lane = simd::pinned(lane);
  } else {
    HALFSTEP_PIN(x.data);
  }
  return x;
}

/// The same for a double.
[[gnu::always_inline]] inline constexpr double pinned(double x) {
  if (std::is_constant_evaluated()) return x;
  HALFSTEP_PIN(x);
  return x;
}

/// Hides the elements of an array in the same way, in memory: the loops before and after it stay apart, no product of
/// the one is fused into an addition of the other, and each of them may become vector code.
template <std::size_t N>
[[gnu::always_inline]] inline void pin(double (&values)[N]) {
#if defined(__GNUC__)
  asm("" : "+m"(values));
#else
  static_cast<void>(values);
#endif
}

#undef HALFSTEP_PIN

}  // namespace halfstep::inline HALFSTEP_ABI::simd
