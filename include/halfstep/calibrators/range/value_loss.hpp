#pragma once

/// \file
/// The mean squared error of values, as the loss of a search.

#include "halfstep/calibrators/range/granule_values.hpp"
#include "halfstep/calibrators/range/squared_error.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/quantizers/concepts.hpp"

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The values of each granule, in granule order.
using GranuleValues = std::vector<std::vector<float>>;

/// The values of each granule of `matrix` `[rows, cols]`, copied, in the name of the call `where`. Errors: no elements;
/// one that is not finite, by position.
template <Viewable M>
[[nodiscard]] GranuleValues values_of_granules(std::string_view where, const M& matrix, const Tiling& tiling,
                                               ExecutorRef executor = {}) {
  const auto source = view(matrix);
  GranuleValues values(static_cast<std::size_t>(granule_count(tiling, shape_of(source))));
  for_each_granule(where, source, tiling, executor, [&](Index granule, std::span<const float> part) {
    values[static_cast<std::size_t>(granule)].assign(part.begin(), part.end());
  });
  return values;
}

/// `mean((x - q.decode(q.encode(x)))^2)` over the values of each granule. Class: ordered.
template <ScalarQuantizer Q>
class ValueLoss {
 public:
  /// Of the granules of `matrix` `[rows, cols]`, which are copied. Errors: no elements; one that is not finite.
  template <Viewable M>
  explicit ValueLoss(const M& matrix, const Tiling& tiling = per_tensor(), ExecutorRef executor = {})
      : values_(values_of_granules("ValueLoss", matrix, tiling, executor)) {}

  /// Of values that were gathered and checked before.
  explicit ValueLoss(GranuleValues values) : values_(std::move(values)) {}

  [[nodiscard]] Index granules() const { return static_cast<Index>(values_.size()); }

  void operator()(std::span<const Q> quantizers, std::span<double> losses) const {
    for (std::size_t g = 0; g < values_.size(); ++g) {
      losses[g] = squared_error(quantizers[g], values_[g]) / static_cast<double>(values_[g].size());
    }
  }

 private:
  GranuleValues values_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
