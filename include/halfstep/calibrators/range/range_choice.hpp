#pragma once

/// \file
/// What a search over candidate ranges settles on.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/quantizers/concepts.hpp"

#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The winner of a search, for one granule.
template <ScalarQuantizer Q>
struct RangeChoice {
  Q quantizer;      ///< fitted to `range`
  Range range;      ///< the candidate
  Index index = 0;  ///< its number among the candidates
  double mse = 0;   ///< its mean squared error over the values of the granule
  friend bool operator==(const RangeChoice&, const RangeChoice&) = default;
};

/// Keeps the best of the candidates that it is offered: the one of least error, the first of equals.
template <ScalarQuantizer Q>
class BestRange {
 public:
  void offer(const Q& quantizer, const Range& range, double mse) {
    if (offered_ == 0 || mse < best_.mse) best_ = {quantizer, range, offered_, mse};
    ++offered_;
  }
  /// The best so far; there must have been an offer.
  [[nodiscard]] const RangeChoice<Q>& best() const { return best_; }

 private:
  RangeChoice<Q> best_;
  Index offered_ = 0;
};

/// The quantizers of all choices, in order: what `quantize_with` takes.
template <ScalarQuantizer Q>
[[nodiscard]] std::vector<Q> quantizers_of(const std::vector<RangeChoice<Q>>& choices) {
  std::vector<Q> quantizers;
  quantizers.reserve(choices.size());
  for (const RangeChoice<Q>& choice : choices) quantizers.push_back(choice.quantizer);
  return quantizers;
}

}  // namespace halfstep::inline HALFSTEP_ABI
