#pragma once

/// \file
/// How the K axis of a product is laid out in planes: groups, each padded to whole kernel steps.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"

namespace halfstep::inline HALFSTEP_ABI {

/// The K axis cut into groups of `group` elements (the last may be shorter), each group padded to a multiple of
/// `k_step` bytes, so that a kernel step never mixes two groups. Where `group` is a multiple of `k_step`, element k
/// stands at byte k, whatever the group size.
struct KLayout {
  /// Bytes of one step: 4 for a dot instruction, times the widest unpacking of a packed byte (4 codes of 2 bits).
  static constexpr Index k_step = 16;

  Index k = 0;      ///< elements
  Index group = 0;  ///< elements of a group; at least 1

  constexpr KLayout() = default;
  /// `group` 0 or more than k: one group.
  constexpr KLayout(Index k_, Index group_) : k(k_), group(group_ <= 0 || group_ >= k_ ? (k_ > 0 ? k_ : 1) : group_) {}

  friend constexpr bool operator==(const KLayout&, const KLayout&) = default;

  static constexpr Index padded(Index count) { return (count + k_step - 1) / k_step * k_step; }

  [[nodiscard]] constexpr Index groups() const { return k == 0 ? 1 : (k + group - 1) / group; }
  /// First element of group g.
  [[nodiscard]] constexpr Index begin(Index g) const { return g * group; }
  /// Elements of group g.
  [[nodiscard]] constexpr Index length(Index g) const { return k - g * group < group ? k - g * group : group; }
  /// First byte of group g.
  [[nodiscard]] constexpr Index padded_begin(Index g) const { return g * padded(group); }
  /// Bytes of group g, padding included.
  [[nodiscard]] constexpr Index padded_length(Index g) const { return padded(length(g)); }
  /// Bytes of the whole axis.
  [[nodiscard]] constexpr Index padded_k() const { return padded_begin(groups() - 1) + padded_length(groups() - 1); }
  /// The byte of element i.
  [[nodiscard]] constexpr Index position(Index i) const { return padded_begin(i / group) + i % group; }
  /// Whether element k stands at byte k.
  [[nodiscard]] constexpr bool is_plain() const { return groups() == 1 || group % k_step == 0; }
};

}  // namespace halfstep::inline HALFSTEP_ABI
