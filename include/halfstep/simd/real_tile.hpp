#pragma once

/// \file
/// A register tile of real sums: the inner loop of dense float and double algebra where both operands were packed.
///
///              b: width = registers * lanes values side by side, one row of them for each k
///            +-----------+-----------+-----------+
///     a_0 -> | sums      | sums      | sums      |     `height` rows of sums live in registers; each k costs one load
///     a_1 -> | sums      | sums      | sums      |     per register of b, one broadcast per row, and height times
///      ..    |           |           |           |     registers multiply-adds
///            +-----------+-----------+-----------+
///
/// AVX-512: 8 x 3 registers, AVX2: 4 x 3, NEON: 4 x 4, others: 4 x 2. `width` is a multiple of `height` everywhere, and
/// the width for floats is twice that for doubles.

#include "halfstep/simd/xsimd.hpp"

#include <cstddef>

namespace halfstep::inline HALFSTEP_ABI::simd {

#if defined(__GNUC__) && defined(HALFSTEP_SIMD_AVX512)
#define HALFSTEP_HOLD(r) asm("" : "+v"(r))
#elif defined(__GNUC__) && !defined(HALFSTEP_SIMD_GENERIC) && defined(__SSE2__)
#define HALFSTEP_HOLD(r) asm("" : "+x"(r))
#else
#define HALFSTEP_HOLD(r) static_cast<void>(r)
#endif

/// The tile for sums of type T, float or double.
template <class T>
struct RealTile {
#if defined(HALFSTEP_SIMD_AVX512)
  static constexpr std::ptrdiff_t register_bytes = 64, registers = 3, height = 8;
#elif defined(HALFSTEP_SIMD_AVX2)
  static constexpr std::ptrdiff_t register_bytes = 32, registers = 3, height = 4;
#elif defined(HALFSTEP_SIMD_NEON)
  static constexpr std::ptrdiff_t register_bytes = 16, registers = 4, height = 4;
#else
  static constexpr std::ptrdiff_t register_bytes = 16, registers = 2, height = 4;
#endif
  static constexpr std::ptrdiff_t lanes = register_bytes / static_cast<std::ptrdiff_t>(sizeof(T));
  static constexpr std::ptrdiff_t width = registers * lanes;
  static_assert(width % height == 0);

  /// `c[i * width + j] += sum_{p < k} a[p * a_stride + i] * b[p * width + j]` for i < height, j < width: dense `b` and
  /// `c`, `k` >= 0, the sum in the order of p. Whether products are fused into sums is the compiler's choice.
  /// Class: bounded.
  static void add(std::ptrdiff_t k, const T* a, std::ptrdiff_t a_stride, const T* b, T* c) {
    Register sums[height][registers];
#pragma GCC unroll 8
    for (std::ptrdiff_t i = 0; i < height; ++i) {
#pragma GCC unroll 8
      for (std::ptrdiff_t r = 0; r < registers; ++r) sums[i][r] = load(c + i * width + r * lanes);
    }
    for (std::ptrdiff_t p = 0; p < k; ++p) {
      Register right[registers];
#pragma GCC unroll 8
      for (std::ptrdiff_t r = 0; r < registers; ++r) right[r] = load_once(b + p * width + r * lanes);
#pragma GCC unroll 8
      for (std::ptrdiff_t i = 0; i < height; ++i) {
        const Register left = a[p * a_stride + i] - Register{};
#pragma GCC unroll 8
        for (std::ptrdiff_t r = 0; r < registers; ++r) sums[i][r] += left * right[r];
      }
    }
#pragma GCC unroll 8
    for (std::ptrdiff_t i = 0; i < height; ++i) {
#pragma GCC unroll 8
      for (std::ptrdiff_t r = 0; r < registers; ++r) store(c + i * width + r * lanes, sums[i][r]);
    }
  }

 private:
  using Register [[gnu::vector_size(static_cast<std::size_t>(register_bytes))]] = T;
  using InMemory
      [[gnu::vector_size(static_cast<std::size_t>(register_bytes)), gnu::aligned(alignof(T)), gnu::may_alias]] = T;

  static Register load(const T* p) { return *reinterpret_cast<const InMemory*>(p); }
  /// A load that stays one: GCC repeats it for each row of the tile otherwise.
  static Register load_once(const T* p) {
    Register r = load(p);
    HALFSTEP_HOLD(r);
    return r;
  }
  static void store(T* p, Register r) { *reinterpret_cast<InMemory*>(p) = r; }
};

#undef HALFSTEP_HOLD

}  // namespace halfstep::inline HALFSTEP_ABI::simd
