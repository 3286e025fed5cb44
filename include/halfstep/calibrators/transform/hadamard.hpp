#pragma once

/// \file
/// Hadamard matrices, square with entries +-1 and orthogonal rows, of orders that are no powers of two (those are
/// Sylvester's, sylvester.hpp).
///
/// Orders 12, 20, 28 and 40 are made as in the published CUDA library, bit for bit: 12 by Paley's second construction
/// over 5 elements (symmetric), 20 and 28 by Williamson's array of circulants, 40 as H_2 (x) Paley's first of order 20.
/// Those of 20, 28 and 40 are not symmetric: their inverse is the transpose. Other libraries use other matrices of
/// these orders, and weights that were rotated with one do not fit the other.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Entries of a square matrix of signs, +1 and -1, row by row.
using HadamardMatrix = std::vector<std::int8_t>;

/// Puts a +-1 for each character of `signs` ('+', '-').
[[nodiscard]] inline HadamardMatrix entries_of_signs(std::string_view signs) {
  HadamardMatrix values;
  for (const char sign : signs) values.push_back(sign == '+' ? std::int8_t{1} : std::int8_t{-1});
  return values;
}

/// The Kronecker product of two square matrices of orders `outer` and `inner`: the outer one's index leads.
[[nodiscard]] inline HadamardMatrix kronecker(const HadamardMatrix& a, Index outer, const HadamardMatrix& b,
                                              Index inner) {
  HadamardMatrix product;
  for (Index r = 0; r < outer * inner; ++r) {
    for (Index c = 0; c < outer * inner; ++c) {
      const int entry = a[static_cast<std::size_t>(r / inner * outer + c / inner)] *
                        b[static_cast<std::size_t>(r % inner * inner + c % inner)];
      product.push_back(static_cast<std::int8_t>(entry));
    }
  }
  return product;
}

/// 1 where n is a square modulo the odd prime q, -1 where it is not, 0 for multiples of q.
[[nodiscard]] constexpr int quadratic_character(int n, int q) {
  const int residue = (n % q + q) % q;
  if (residue == 0) return 0;
  for (int i = 1; i < q; ++i) {
    if (i * i % q == residue) return 1;
  }
  return -1;
}

/// Paley's second construction over 5 elements: the conference matrix of order 6, each entry replaced by a 2 x 2 block.
[[nodiscard]] inline HadamardMatrix hadamard_12() {
  constexpr int order = 12, q = 5;
  HadamardMatrix h(order * order);
  for (int i = 0; i < order; ++i) {
    for (int j = 0; j < order; ++j) {
      const int row = i / 2, col = j / 2;
      const int c = row == col ? 0 : row == 0 || col == 0 ? 1 : quadratic_character(col - row, q);
      const int block = c != 0 ? c * (i % 2 == 1 && j % 2 == 1 ? -1 : 1) : (i % 2 == 0 && j % 2 == 0 ? 1 : -1);
      h[static_cast<std::size_t>(i * order + j)] = static_cast<std::int8_t>(block);
    }
  }
  return h;
}

/// Williamson's array of circulants with these first rows.
[[nodiscard]] inline HadamardMatrix williamson(const std::array<std::string_view, 4>& first_rows) {
  constexpr std::array<std::array<int, 4>, 4> place{{{0, 1, 2, 3}, {1, 0, 3, 2}, {2, 3, 0, 1}, {3, 2, 1, 0}}};
  constexpr std::array<std::array<int, 4>, 4> sign{{{1, 1, 1, 1}, {-1, 1, -1, 1}, {-1, 1, 1, -1}, {-1, -1, 1, 1}}};
  std::array<HadamardMatrix, 4> rows;
  for (std::size_t i = 0; i < 4; ++i) rows[i] = entries_of_signs(first_rows[i]);
  const std::size_t size = rows[0].size(), order = 4 * size;
  HadamardMatrix h(order * order);
  for (std::size_t i = 0; i < order; ++i) {
    for (std::size_t j = 0; j < order; ++j) {
      const std::size_t row = i / size, col = j / size, shift = (j % size + size - i % size) % size;
      const auto which = static_cast<std::size_t>(place[row][col]);
      const int entry = sign[row][col] * rows[which][shift];
      h[i * order + j] = static_cast<std::int8_t>(entry);
    }
  }
  return h;
}

/// Paley's first construction over 19 elements, doubled.
[[nodiscard]] inline HadamardMatrix hadamard_40() {
  constexpr int order = 20, q = 19;
  HadamardMatrix paley(order * order);
  for (int i = 0; i < order; ++i) {
    for (int j = 0; j < order; ++j) {
      int entry = j == 0 ? 1 : -1;
      if (i > 0 && j > 0) entry = i == j ? 1 : -quadratic_character(j - i, q);
      paley[static_cast<std::size_t>(i * order + j)] = static_cast<std::int8_t>(entry);
    }
  }
  return kronecker(entries_of_signs("+++-"), 2, paley, order);
}

/// The Hadamard matrix of order 1, 12, 20, 28 or 40, row by row. Errors: another order. Class: exact.
[[nodiscard]] inline HadamardMatrix hadamard_base(Index order) {
  switch (order) {
    case 1:
      return {1};
    case 12:
      return hadamard_12();
    case 20:
      return williamson({"+----", "+----", "++--+", "+-++-"});
    case 28:
      return williamson({"+------", "++----+", "+-+--+-", "+--++--"});
    case 40:
      return hadamard_40();
    default:
      raise("hadamard_base", "order is ", order, ", expected 1, 12, 20, 28 or 40");
  }
}

/// The first of the orders 12, 40, 28 and 20 of which `size` is a multiple by a power of two, 1 for powers of two, and
/// 0 where there is none of them.
[[nodiscard]] constexpr Index hadamard_order(Index size) {
  const auto is_power_of_two = [](Index n) { return n > 0 && (n & (n - 1)) == 0; };
  for (const Index order : {Index{12}, Index{40}, Index{28}, Index{20}}) {
    if (size % order == 0 && is_power_of_two(size / order)) return order;
  }
  return is_power_of_two(size) ? 1 : 0;
}

}  // namespace halfstep::inline HALFSTEP_ABI
