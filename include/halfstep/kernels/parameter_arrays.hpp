#pragma once

/// \file
/// The parameters of many granules, one array per parameter.

#include "halfstep/config.hpp"
#include "halfstep/core/fields.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <cstddef>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Stores values of the aggregate `Q` as structure of arrays: kernels read parameters side by side.
template <class Q>
class ParameterArrays {
  template <class... Refs>
  static std::tuple<std::vector<std::remove_reference_t<Refs>>...> arrays_of(const std::tuple<Refs...>&);
  using Arrays = decltype(arrays_of(tie_fields(std::declval<Q&>())));

 public:
  static constexpr std::size_t field_count = std::tuple_size_v<Arrays>;

  /// `count` times the default parameters.
  explicit ParameterArrays(Index count = 0) : count_(count) {
    Q value{};
    auto fields = tie_fields(value);
    for_each_field([count](const auto& field, auto& array) { array.assign(static_cast<std::size_t>(count), field); },
                   fields, arrays_);
  }

  /// Number of granules.
  [[nodiscard]] Index size() const { return count_; }
  /// Bytes of the parameters of one granule, without the padding that `Q` may have.
  [[nodiscard]] static constexpr Index bytes_per_value() {
    return []<std::size_t... F>(std::index_sequence<F...>) {
      return (Index{0} + ... + static_cast<Index>(sizeof(typename std::tuple_element_t<F, Arrays>::value_type)));
    }
    (std::make_index_sequence<field_count>());
  }

  /// The parameters of granule i. Unchecked.
  [[nodiscard]] Q get(Index i) const {
    Q q{};
    auto fields = tie_fields(q);
    for_each_field([i](auto& field, const auto& array) { field = array[static_cast<std::size_t>(i)]; }, fields,
                   arrays_);
    return q;
  }

  /// Replaces the parameters of granule i. Unchecked; different granules may be set from different threads.
  void set(Index i, const Q& value) {
    Q copy = value;
    auto fields = tie_fields(copy);
    for_each_field([i](const auto& field, auto& array) { array[static_cast<std::size_t>(i)] = field; }, fields,
                   arrays_);
  }

  /// All values of parameter number `Field`, in the order in which `Q` declares its members.
  template <std::size_t Field>
  [[nodiscard]] auto array() const {
    return std::span(std::get<Field>(arrays_));
  }
  template <std::size_t Field>
  [[nodiscard]] auto array() {
    return std::span(std::get<Field>(arrays_));
  }

  friend bool operator==(const ParameterArrays&, const ParameterArrays&) = default;

 private:
  template <class Visit, class Fields, class ArraysOrConst>
  static void for_each_field(Visit visit, Fields& fields, ArraysOrConst& arrays) {
    [&]<std::size_t... F>(std::index_sequence<F...>) { (visit(std::get<F>(fields), std::get<F>(arrays)), ...); }
    (std::make_index_sequence<field_count>());
  }

  Index count_ = 0;
  Arrays arrays_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
