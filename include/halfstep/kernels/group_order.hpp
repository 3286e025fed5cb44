#pragma once

/// \file
/// How the granules of a weight become groups along K that lie side by side.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/tiling.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The size of the groups along K, and the column that stands at each position of K (empty: as they are).
struct GroupOrder {
  Index group = 0;
  std::vector<std::int32_t> order;

  /// The column at position k of K.
  [[nodiscard]] Index column(Index k) const { return order.empty() ? k : Index{order[static_cast<std::size_t>(k)]}; }
};

/// The groups of `tiling` for a weight of `cols` columns: those of a column map are brought together, columns of a
/// group in their old order. Errors: groups of a column map that differ in size, but for the last, which may be
/// shorter.
[[nodiscard]] inline GroupOrder group_order(const Tiling& tiling, Index cols) {
  if (!tiling.is_column_map()) return {tiling.tile_cols, {}};
  const auto group_of = [&](std::int32_t c) { return tiling.column_groups[static_cast<std::size_t>(c)]; };
  GroupOrder result;
  result.group = std::count(tiling.column_groups.begin(), tiling.column_groups.end(), 0);
  result.order.resize(static_cast<std::size_t>(cols));
  std::iota(result.order.begin(), result.order.end(), 0);
  std::stable_sort(result.order.begin(), result.order.end(),
                   [&](std::int32_t a, std::int32_t b) { return group_of(a) < group_of(b); });
  for (Index k = 0; k < cols; ++k) {
    const Index found = group_of(result.order[static_cast<std::size_t>(k)]), expected = k / result.group;
    if (found == expected) continue;
    raise("pack", "column map has groups of different sizes: group ", std::min(found, expected), " does not have the ",
          result.group, " columns of group 0; only the last may be shorter");
  }
  const bool in_order = std::is_sorted(result.order.begin(), result.order.end());
  if (in_order) result.order.clear();
  return result;
}

}  // namespace halfstep::inline HALFSTEP_ABI
