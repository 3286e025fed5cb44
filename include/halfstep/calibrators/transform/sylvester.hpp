#pragma once

/// \file
/// The fast transform of Sylvester's Hadamard matrix, of order n = 2^m: entry (i, j) is -1 to the number of bits that i
/// and j share. n m additions instead of n^2; unscaled. Only sums and differences of two numbers: the same bits on
/// every instruction set.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/simd/memory.hpp"

#include <concepts>

namespace halfstep::inline HALFSTEP_ABI {

/// `a, b = a + b, a - b`, for numbers or batches of them.
template <class T>
void butterfly(T& a, T& b) {
  const T sum = a + b;
  b = a - b;
  a = sum;
}

/// The first three stages for neighbours: Sylvester's matrix of order 8 times `x[0]` to `x[7]`.
template <class Scalar>
void sylvester_8(Scalar* x) {
  // Written out: compilers keep an array in memory.
  const Scalar a0 = x[0] + x[1], a1 = x[0] - x[1], a2 = x[2] + x[3], a3 = x[2] - x[3];
  const Scalar a4 = x[4] + x[5], a5 = x[4] - x[5], a6 = x[6] + x[7], a7 = x[6] - x[7];
  const Scalar b0 = a0 + a2, b1 = a1 + a3, b2 = a0 - a2, b3 = a1 - a3;
  const Scalar b4 = a4 + a6, b5 = a5 + a7, b6 = a4 - a6, b7 = a5 - a7;
  x[0] = b0 + b4;
  x[1] = b1 + b5;
  x[2] = b2 + b6;
  x[3] = b3 + b7;
  x[4] = b0 - b4;
  x[5] = b1 - b5;
  x[6] = b2 - b6;
  x[7] = b3 - b7;
}

/// One stage for two runs of `run` numbers, side by side at `x`.
template <class Scalar>
void sylvester_stage(Scalar* x, Index run) {
  Index i = 0;
  if constexpr (std::same_as<Scalar, float>) {
    constexpr auto lanes = static_cast<Index>(simd::batch_lanes);
    for (; i + lanes <= run; i += lanes) {
      auto a = simd::load<simd::FloatBatch>(x + i), b = simd::load<simd::FloatBatch>(x + run + i);
      butterfly(a, b);
      simd::store(x + i, a);
      simd::store(x + run + i, b);
    }
  }
  for (; i < run; ++i) butterfly(x[i], x[run + i]);
}

/// Two stages for four runs of `run` numbers, side by side at `x`: half the memory traffic of one after the other.
template <class Scalar>
void sylvester_stages(Scalar* x, Index run) {
  const auto both = [](auto& a, auto& b, auto& c, auto& d) {
    butterfly(a, b);
    butterfly(c, d);
    butterfly(a, c);
    butterfly(b, d);
  };
  Index i = 0;
  if constexpr (std::same_as<Scalar, float>) {
    constexpr auto lanes = static_cast<Index>(simd::batch_lanes);
    for (; i + lanes <= run; i += lanes) {
      auto a = simd::load<simd::FloatBatch>(x + i), b = simd::load<simd::FloatBatch>(x + run + i);
      auto c = simd::load<simd::FloatBatch>(x + 2 * run + i), d = simd::load<simd::FloatBatch>(x + 3 * run + i);
      both(a, b, c, d);
      simd::store(x + i, a);
      simd::store(x + run + i, b);
      simd::store(x + 2 * run + i, c);
      simd::store(x + 3 * run + i, d);
    }
  }
  for (; i < run; ++i) both(x[i], x[run + i], x[2 * run + i], x[3 * run + i]);
}

/// Multiplies the `[n, width]` numbers at `x` by Sylvester's matrix along the first axis, n a power of two: m = log2(n)
/// stages of additions, the one between neighbours first. In place. Class: ordered.
template <class Scalar>
void sylvester_transform(Scalar* x, Index n, Index width) {
  Index h = 1;
  if (width == 1 && n >= 8) {  // runs that are shorter than a batch
    for (Index i = 0; i < n; i += 8) sylvester_8(x + i);
    h = 8;
  }
  for (; 4 * h <= n; h *= 4) {
    for (Index i = 0; i < n; i += 4 * h) sylvester_stages(x + i * width, h * width);
  }
  if (h < n) sylvester_stage(x, h * width);
}

}  // namespace halfstep::inline HALFSTEP_ABI
