#pragma once

/// \file
/// The order in which columns of a weight are rounded.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Which order act-order takes: that of all columns, or one that keeps groups together.
enum class ActOrder {
  all_columns,  ///< `descending_order`
  by_group,     ///< `group_aware_order`: scales need no permutation at run time
};

/// 0, 1, 2, ...
[[nodiscard]] inline std::vector<Index> plain_order(Index size) {
  std::vector<Index> order(static_cast<std::size_t>(size));
  std::iota(order.begin(), order.end(), Index{0});
  return order;
}

/// The columns by descending `diagonal`; equal ones keep their order. Source: GPTQ's published program ("act-order").
[[nodiscard]] inline std::vector<Index> descending_order(std::span<const double> diagonal) {
  std::vector<Index> order = plain_order(static_cast<Index>(diagonal.size()));
  const auto value = [&](Index c) { return diagonal[static_cast<std::size_t>(c)]; };
  std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) { return value(a) > value(b); });
  return order;
}

/// Columns by descending `diagonal` within each full group of `group_size`, and groups by descending maximum; a shorter
/// last group stays as it is, at the end. Equal ones keep their order. Source: group-aware reordering (GAR), 2025.
[[nodiscard]] inline std::vector<Index> group_aware_order(std::span<const double> diagonal, Index group_size) {
  if (group_size < 1) raise("group_aware_order", "group_size is ", group_size, ", expected at least 1");
  const auto value = [&](Index c) { return diagonal[static_cast<std::size_t>(c)]; };
  const Index groups = static_cast<Index>(diagonal.size()) / group_size;
  std::vector<Index> columns = plain_order(static_cast<Index>(diagonal.size()));
  for (Index g = 0; g < groups; ++g) {
    const auto first = columns.begin() + g * group_size;
    std::stable_sort(first, first + group_size, [&](Index a, Index b) { return value(a) > value(b); });
  }
  std::vector<Index> group_order = plain_order(groups);
  const auto maximum = [&](Index g) { return value(columns[static_cast<std::size_t>(g * group_size)]); };
  std::stable_sort(group_order.begin(), group_order.end(), [&](Index a, Index b) { return maximum(a) > maximum(b); });
  std::vector<Index> order;
  order.reserve(columns.size());
  for (const Index g : group_order) {
    order.insert(order.end(), columns.begin() + g * group_size, columns.begin() + (g + 1) * group_size);
  }
  order.insert(order.end(), columns.begin() + groups * group_size, columns.end());
  return order;
}

}  // namespace halfstep::inline HALFSTEP_ABI
