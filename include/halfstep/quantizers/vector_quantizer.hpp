#pragma once

/// \file
/// What makes a type a quantizer of several values at a time.

#include "halfstep/config.hpp"
#include "halfstep/simd/batch.hpp"

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// `Dim` values of each of as many vectors as T has lanes: element j of all of them side by side.
template <int Dim, simd::FloatLanes T>
using VectorLanes = std::array<T, static_cast<std::size_t>(Dim)>;

/// The parameters of one granule with one code for `Q::dim` consecutive values of a row.
///
/// `Q::bits` (1 to 8) is the width of a code, `Q::words` (2 to 2^bits) the number of codes. `encode` gives the code of
/// a vector, and is written once for one vector and for a SIMD batch of them; `decode(code)` gives its `dim` values.
/// Codes from `words` on are never made, and decode like the last one.
template <class Q>
concept VectorQuantizer = (Q::dim >= 1) && (Q::bits >= 1 && Q::bits <= 8) &&
                          (Q::words >= 2 && Q::words <= (1 << Q::bits)) &&
                          std::regular<Q>&& requires(const Q& q, VectorLanes<Q::dim, float> x,
                                                     VectorLanes<Q::dim, simd::FloatBatch> xs) {
  { q.encode(x) } -> std::same_as<std::int32_t>;
  { q.encode(xs) } -> std::same_as<simd::IntBatch>;
  { q.decode(std::int32_t{0}) } -> std::same_as<VectorLanes<Q::dim, float>>;
};

/// Bits of a code for each value.
template <VectorQuantizer Q>
inline constexpr double bits_per_value = static_cast<double>(Q::bits) / Q::dim;

}  // namespace halfstep::inline HALFSTEP_ABI
