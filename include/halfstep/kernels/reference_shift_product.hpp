#pragma once

/// \file
/// The products of logarithmic codes as their authors' integer machines compute them: by shifts. What the byte planes
/// of the kernels are held against; slow, for tests and inspection.
///
///     AdaLog      acc = sum_k ((T2[a_k] v_k) << F) >> T1[a_k]                 out = acc / (D 2^F) * scale
///     log-sqrt2   even, odd = sum over even, odd codes of v_k << (2^(b-1) - ceil(a_k / 2))
///                 out = (even + sqrt(2) odd) * 2^-(2^(b-1)) * scale
///
/// Every shift is arithmetic: F = 0 cuts a fraction of each term, by 1/2 on average where the term is negative, and
/// some bits of F (8 or more) make up for it. Codes that stand for zero add nothing.
///
/// Source: AdaLog (Wu et al., ECCV 2024), section 3.2; RepQ-ViT (Li et al., ICCV 2023), section 3.3.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/quantizers/adalog.hpp"
#include "halfstep/quantizers/log_sqrt2.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace halfstep::inline HALFSTEP_ABI {

/// The accumulator of AdaLog codes with integers of 16 bits at most, with `fraction_bits` F from 0 to 30. Class: exact.
template <int Bits, ZeroPolicy Zero, LogFloor Floor>
[[nodiscard]] std::int64_t reference_adalog_dot(const AdaLog<Bits, Zero, Floor>& q, std::span<const std::int32_t> codes,
                                                std::span<const std::int32_t> v, int fraction_bits) {
  std::int64_t sum = 0;
  for (std::size_t k = 0; k < codes.size(); ++k) {
    if (LogCodes<Bits, Zero>::has_zero && codes[k] >= q.last_code) continue;
    const std::int64_t product = std::int64_t{q.mantissa(codes[k])} * v[k] * (std::int64_t{1} << fraction_bits);
    sum += product >> std::min(q.halvings(codes[k]), 62);
  }
  return sum;
}

/// What a unit of that accumulator is worth, before the scale of v.
template <int Bits, ZeroPolicy Zero, LogFloor Floor>
[[nodiscard]] double adalog_unit(const AdaLog<Bits, Zero, Floor>& q, int fraction_bits) {
  return static_cast<double>(q.scale) / static_cast<double>(std::int64_t{q.denominator} << fraction_bits);
}

/// The two accumulators of log-sqrt2 codes.
struct EvenOddSums {
  std::int64_t even = 0;
  std::int64_t odd = 0;
  friend bool operator==(const EvenOddSums&, const EvenOddSums&) = default;
};

/// Of codes of 2 to 5 bits with integers of 16 bits at most: beyond, the shifts leave 64 bits. Class: exact.
template <int Bits, ZeroPolicy Zero, LogFloor Floor>
requires(Bits <= 5) [[nodiscard]] EvenOddSums
    reference_log_sqrt2_dot(const LogSqrt2<Bits, Zero, Floor>& q, std::span<const std::int32_t> codes,
                            std::span<const std::int32_t> v) {
  EvenOddSums sums;
  for (std::size_t k = 0; k < codes.size(); ++k) {
    if (LogCodes<Bits, Zero>::has_zero && codes[k] >= q.last_code) continue;
    const int shift = (1 << (Bits - 1)) - (codes[k] + 1) / 2;
    (codes[k] % 2 == 0 ? sums.even : sums.odd) += v[k] * (std::int64_t{1} << shift);
  }
  return sums;
}

/// What they are worth together, before the scale of v.
template <int Bits, ZeroPolicy Zero, LogFloor Floor>
[[nodiscard]] double log_sqrt2_value(const LogSqrt2<Bits, Zero, Floor>& q, const EvenOddSums& sums) {
  const double sum = static_cast<double>(sums.even) + 1.4142135623730951 * static_cast<double>(sums.odd);
  return sum * static_cast<double>(q.scale) / static_cast<double>(std::int64_t{1} << (1 << (Bits - 1)));
}

}  // namespace halfstep::inline HALFSTEP_ABI
