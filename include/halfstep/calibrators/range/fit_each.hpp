#pragma once

/// \file
/// From ranges to quantizers, granule by granule.

#include "halfstep/config.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/quantizers/concepts.hpp"

#include <concepts>
#include <span>
#include <type_traits>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Makes a quantizer of a range: the library's own rule (`LibraryFit`), a published one (published_fits.hpp), a lambda.
template <class F, class Q>
concept FitRule = ScalarQuantizer<Q> && requires(const F& rule, const Range& range) {
  { rule(range) } -> std::same_as<Q>;
};

/// The library's own rule as a function object: `Q::fit`, symmetric where asked for.
template <ScalarQuantizer Q>
struct LibraryFit {
  Symmetry symmetry = Symmetry::affine;
  Q operator()(const Range& range) const { return fit<Q>(range, symmetry); }
};

/// The quantizer of each range, in order: what `quantize_with` takes. Class: exact.
template <ScalarQuantizer Q, FitRule<Q> Rule = LibraryFit<Q>>
[[nodiscard]] std::vector<Q> fit_each(std::span<const Range> ranges, const Rule& rule = {}) {
  std::vector<Q> quantizers;
  quantizers.reserve(ranges.size());
  for (const Range& range : ranges) quantizers.push_back(rule(range));
  return quantizers;
}

}  // namespace halfstep::inline HALFSTEP_ABI
