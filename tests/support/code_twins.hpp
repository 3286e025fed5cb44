#pragma once

/// \file
/// Which codes a packed weight need not tell from each other.

#include <cmath>
#include <cstdint>

#include "support/quantizer_ref.hpp"

namespace halfstep_tests {

/// How far a packed value may be from `decode`: what the lowering says, or, where planes of different granules do not
/// fit together and tables take their place, half of 1 / 65534 of the span; and some rounding.
inline double packed_error_bound(const QuantizerRef& q) {
  double least = static_cast<double>(q.decode(std::int32_t{0})), most = least;
  for (int code = 1; code < q.level_count(); ++code) {
    const auto level = static_cast<double>(q.decode(std::int32_t{code}));
    least = std::fmin(least, level);
    most = std::fmax(most, level);
  }
  return std::fmax(static_cast<double>(q.lower().max_error), (most - least) / 131000) +
         std::ldexp(std::fabs(least) + std::fabs(most), -22);
}

/// Whether an unpacked code is the one that was packed, or a lower one that the planes do not tell from it: a second
/// zero, or a level so deep that both are lowered to the same bytes. `bound` is `packed_error_bound(q)`.
inline bool is_code_or_twin(const QuantizerRef& q, std::int32_t found, std::int32_t packed, double bound) {
  if (found == packed) return true;
  const double distance = static_cast<double>(q.decode(found)) - static_cast<double>(q.decode(packed));
  return found < packed && std::fabs(distance) <= 2 * bound;
}
inline bool is_code_or_twin(const QuantizerRef& q, std::int32_t found, std::int32_t packed) {
  return found == packed || is_code_or_twin(q, found, packed, packed_error_bound(q));
}

}  // namespace halfstep_tests
