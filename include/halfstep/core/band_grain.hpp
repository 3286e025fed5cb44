#pragma once

/// \file
/// How many rows make a task.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"

namespace halfstep::inline HALFSTEP_ABI {

/// The grain for `parallel_for` over items (rows, granules) of `elements_per_item` >= 0 elements each: as many as make
/// about 32768 elements, some tens of microseconds of work, at least 1.
[[nodiscard]] constexpr Index band_grain(Index elements_per_item) {
  constexpr Index least_elements = 32768;
  if (elements_per_item <= 1) return least_elements;
  return elements_per_item >= least_elements ? 1 : least_elements / elements_per_item;
}

}  // namespace halfstep::inline HALFSTEP_ABI
