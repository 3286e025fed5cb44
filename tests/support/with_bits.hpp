#pragma once

/// \file
/// From a number of bits in the name of a tensor to a template argument.

#include <stdexcept>
#include <string>
#include <type_traits>

namespace halfstep_tests {

/// Calls `visit(std::integral_constant<int, bits>())` for 2 to 8 bits.
template <class Visit>
void with_bits(int bits, Visit visit) {
  switch (bits) {
    case 2:
      return visit(std::integral_constant<int, 2>());
    case 3:
      return visit(std::integral_constant<int, 3>());
    case 4:
      return visit(std::integral_constant<int, 4>());
    case 5:
      return visit(std::integral_constant<int, 5>());
    case 6:
      return visit(std::integral_constant<int, 6>());
    case 7:
      return visit(std::integral_constant<int, 7>());
    case 8:
      return visit(std::integral_constant<int, 8>());
    default:
      throw std::out_of_range("no quantizer of " + std::to_string(bits) + " bits");
  }
}

}  // namespace halfstep_tests
