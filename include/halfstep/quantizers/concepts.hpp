#pragma once

/// \file
/// What makes a type a quantizer.

#include "halfstep/config.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/quantizers/lowering.hpp"
#include "halfstep/simd/batch.hpp"

#include <concepts>
#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// Whether a quantizer's zero point is free, or fixed to the middle of the codes.
enum class Symmetry { affine, symmetric };

/// The parameters of one granule with `encode` and `decode`, both written once for a scalar and for a SIMD batch.
///
/// `Q::bits` (1 to 8) is the width of a code; codes are 0 .. 2^bits - 1. `encode(float)` gives an int32 code for every
/// float, `decode(std::int32_t)` the real value of a code, and `Q::fit(Range)` valid parameters for a granule of that
/// range. Optional: `Q::fit(Range, Symmetry)`, and `lower()`, the map to byte planes (without it one is derived from
/// `decode`, see `lower`). A quantizer is an aggregate of arithmetic members (its parameters), which is what lets
/// `QuantizedMatrix` store them as arrays. NaN encodes to the code that the quantizer documents, infinities to end
/// codes.
template <class Q>
concept ScalarQuantizer = (Q::bits >= 1 && Q::bits <= 8) && std::regular<Q>&& requires(const Q& q, Range range) {
  { q.encode(0.0f) } -> std::same_as<std::int32_t>;
  { q.encode(simd::FloatBatch(0.0f)) } -> std::same_as<simd::IntBatch>;
  { q.decode(std::int32_t{0}) } -> std::same_as<float>;
  { q.decode(simd::IntBatch(0)) } -> std::same_as<simd::FloatBatch>;
  { Q::fit(range) } -> std::same_as<Q>;
};

/// A quantizer that can be told whether its zero point is free.
template <class Q>
concept HasSymmetry = ScalarQuantizer<Q> && requires(Range range) {
  { Q::fit(range, Symmetry::symmetric) } -> std::same_as<Q>;
};

/// A quantizer whose step has a name, so that it can be stored in a narrower type.
template <class Q>
concept HasScale = ScalarQuantizer<Q> && requires(Q q) {
  { q.scale } -> std::same_as<float&>;
};

/// Whether `Q::fit` reads `Range::mean_abs`. Taken for granted, so that a range always has what `fit` wants; a
/// quantizer that fits to the ends alone says `static constexpr bool reads_mean_abs = false;` and saves its callers a
/// sum.
template <ScalarQuantizer Q>
[[nodiscard]] consteval bool reads_mean_abs() {
  if constexpr (requires { Q::reads_mean_abs; }) {
    return Q::reads_mean_abs;
  } else {
    return true;
  }
}

/// Number of codes of a quantizer.
template <ScalarQuantizer Q>
inline constexpr int level_count = 1 << Q::bits;

/// Whether bulk loops read the levels of a quantizer from a table, which they fill once: `decodes_by_table = true` says
/// that `decode` takes longer than a look-up.
template <ScalarQuantizer Q>
[[nodiscard]] consteval bool decodes_by_table() {
  if constexpr (requires { Q::decodes_by_table; }) {
    return Q::decodes_by_table;
  } else {
    return false;
  }
}

/// The bits that a method's authors state: `Q::stated_bits` where a quantizer has that, else `Q::bits`. They are fewer
/// than `Q::bits` where codes of the stated width do not hold all outputs (`ZeroPolicy::mask`).
template <ScalarQuantizer Q>
[[nodiscard]] consteval int stated_bits() {
  if constexpr (requires { Q::stated_bits; }) {
    return Q::stated_bits;
  } else {
    return Q::bits;
  }
}

/// The lowering of one granule: the quantizer's own, or one derived from `decode` of every code.
template <ScalarQuantizer Q>
[[nodiscard]] Lowering lower(const Q& q) {
  if constexpr (requires {
                  { q.lower() } -> std::same_as<Lowering>;
                }) {
    return q.lower();
  } else {
    return lower_levels(levels_of(q).data(), level_count<Q>);
  }
}

/// Unit and zero of a lowering, without its planes.
struct LoweringScale {
  float unit = 1;
  float zero = 0;
};

/// `unit` and `zero` of `lower(q)`. A quantizer whose planes are the same for all parameters may offer them as
/// `q.lowering_scale()`, which spares dynamic activations a table per row.
template <ScalarQuantizer Q>
[[nodiscard]] LoweringScale lowering_scale(const Q& q) {
  if constexpr (requires {
                  { q.lowering_scale() } -> std::same_as<LoweringScale>;
                }) {
    return q.lowering_scale();
  } else {
    const Lowering lowering = lower(q);
    return {lowering.unit, lowering.zero};
  }
}

/// Parameters of `Q` that cover `range`, symmetric where asked for and where `Q` knows the difference.
template <ScalarQuantizer Q>
[[nodiscard]] Q fit(Range range, Symmetry symmetry) {
  if constexpr (HasSymmetry<Q>) {
    return Q::fit(range, symmetry);
  } else {
    return Q::fit(range);
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI
