#pragma once

/// \file
/// One observer for each operand of each site, fed by a recording run.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/layers/recording_engine.hpp"
#include "halfstep/layers/site.hpp"

#include <cstddef>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Observers of type `Observer` (anything with `observe(matrix)`): of the input of each linear site, and of both
/// operands of each attention site, all heads together.
template <class Observer>
class SiteObservers {
 public:
  /// Copies of `prototype` for all sites.
  explicit SiteObservers(const SiteList& sites, const Observer& prototype = Observer())
      : lhs_(static_cast<std::size_t>(sites.size()), prototype), rhs_(lhs_) {}

  /// Takes a record in; to be called by a `RecordingEngine`. Weights are not observed.
  void observe(const ProductRecord& record) {
    const auto site = static_cast<std::size_t>(record.site.index);
    lhs_[site].observe(record.lhs);
    if (record.site.kind == SiteKind::attention) rhs_[site].observe(record.rhs);
  }

  /// What the left operand of `site` was: x, queries, probabilities.
  [[nodiscard]] const Observer& lhs(const Site& site) const { return lhs_[static_cast<std::size_t>(site.index)]; }
  /// What the right operand of an attention site was: keys, transposed values.
  [[nodiscard]] const Observer& rhs(const Site& site) const { return rhs_[static_cast<std::size_t>(site.index)]; }

 private:
  std::vector<Observer> lhs_;
  std::vector<Observer> rhs_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
