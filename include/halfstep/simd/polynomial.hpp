#pragma once

/// \file
/// Polynomials in one written order.

#include "halfstep/simd/pinned.hpp"

namespace halfstep::inline HALFSTEP_ABI::simd {

/// c0 + x * (c1 + x * (c2 + ...)) by Horner's rule, each product rounded before it is added. Class: exact.
template <FloatLanes T, class... Higher>
[[nodiscard]] constexpr T polynomial(T x, float c0, Higher... higher) {
  if constexpr (sizeof...(Higher) == 0) {
    return T(c0);
  } else {
    return simd::pinned(simd::polynomial(x, higher...) * x) + c0;
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI::simd
