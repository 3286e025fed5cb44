#pragma once

/// \file
/// The members of a plain struct as a tuple.

#include "halfstep/config.hpp"

#include <cstddef>
#include <tuple>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI {

/// The largest number of members that `tie_fields` takes.
inline constexpr std::size_t max_field_count = 8;

/// A class whose members can be tied: an aggregate (no constructors, bases, private or virtual members) with a default
/// for each member, and no tuple-like type such as std::array itself.
template <class T>
concept FieldAggregate = std::is_class_v<T> && std::is_aggregate_v<T> && requires {
  T{};
} && !requires {
  std::tuple_size<T>::value;
};

/// The number of non-static data members of `T`, 0 .. `max_field_count`. Evaluated at compile time.
///
/// Counts how many initializers the braces of `T` hold when each is a pair of braces of its own. An initializer in
/// braces is one member, whatever that member is; without them a `std::array<float, 4>` member would take four
/// (brace elision, [dcl.init.aggr]/15).
template <class T>
[[nodiscard]] consteval std::size_t field_count() {
  static_assert(FieldAggregate<T>,
                "field_count<T>: T is not a plain struct of default-initializable members: give it no constructors, no "
                "base class, no private members");
  static_assert(!(requires { T{{}, {}, {}, {}, {}, {}, {}, {}, {}}; }),
                "field_count<T>: T has more than 8 members: group some of them in a std::array");
  // clang-format off
  if constexpr (requires { T{{}, {}, {}, {}, {}, {}, {}, {}}; }) return 8;
  else if constexpr (requires { T{{}, {}, {}, {}, {}, {}, {}}; }) return 7;
  else if constexpr (requires { T{{}, {}, {}, {}, {}, {}}; }) return 6;
  else if constexpr (requires { T{{}, {}, {}, {}, {}}; }) return 5;
  else if constexpr (requires { T{{}, {}, {}, {}}; }) return 4;
  else if constexpr (requires { T{{}, {}, {}}; }) return 3;
  else if constexpr (requires { T{{}, {}}; }) return 2;
  else if constexpr (requires { T{{}}; }) return 1;
  else return 0;
  // clang-format on
}

/// References to the members of `value` in the order of their declaration; static members do not count. A const struct
/// gives references to const. The tuple refers into `value` and must not outlive it.
///
///     struct Affine { static constexpr int bits = 4; float scale = 1; std::int32_t zero_point = 0; };
///     Affine q;
///     std::get<0>(tie_fields(q)) = 0.5f;                                            // q.scale
///     std::apply([](const auto&... field) { ... }, tie_fields(q));                  // each of them
template <class T>
[[nodiscard]] constexpr auto tie_fields(T& value) {
  constexpr std::size_t count = field_count<std::remove_const_t<T>>();
  if constexpr (count == 0) {
    return std::tuple<>();
  } else if constexpr (count == 1) {
    auto& [a] = value;
    return std::tie(a);
  } else if constexpr (count == 2) {
    auto& [a, b] = value;
    return std::tie(a, b);
  } else if constexpr (count == 3) {
    auto& [a, b, c] = value;
    return std::tie(a, b, c);
  } else if constexpr (count == 4) {
    auto& [a, b, c, d] = value;
    return std::tie(a, b, c, d);
  } else if constexpr (count == 5) {
    auto& [a, b, c, d, e] = value;
    return std::tie(a, b, c, d, e);
  } else if constexpr (count == 6) {
    auto& [a, b, c, d, e, f] = value;
    return std::tie(a, b, c, d, e, f);
  } else if constexpr (count == 7) {
    auto& [a, b, c, d, e, f, g] = value;
    return std::tie(a, b, c, d, e, f, g);
  } else {
    static_assert(count == max_field_count);
    auto& [a, b, c, d, e, f, g, h] = value;
    return std::tie(a, b, c, d, e, f, g, h);
  }
}

/// A temporary would leave the references dangling.
template <class T>
auto tie_fields(const T&& value) = delete;

}  // namespace halfstep::inline HALFSTEP_ABI
