#pragma once

/// \file
/// From a number in the name of a tensor, of bits above all, to a template argument.

#include <stdexcept>
#include <string>
#include <type_traits>

namespace halfstep_tests {

/// Calls `visit(std::integral_constant<int, value>())` if `value` is one of `Values`, and returns whether it is.
template <int... Values, class Visit>
bool with_value(int value, Visit visit) {
  return ((value == Values && (visit(std::integral_constant<int, Values>()), true)) || ...);
}

/// Calls `visit(std::integral_constant<int, bits>())` for 2 to 8 bits.
template <class Visit>
void with_bits(int bits, Visit visit) {
  if (with_value<2, 3, 4, 5, 6, 7, 8>(bits, visit)) return;
  throw std::out_of_range("no quantizer of " + std::to_string(bits) + " bits");
}

}  // namespace halfstep_tests
