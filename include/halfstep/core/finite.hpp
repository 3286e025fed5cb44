#pragma once

/// \file
/// NaN and infinity, looked for in the bits of floats, so that the answer does not depend on `-ffast-math`.

#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/read_row.hpp"

#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Whether `x` is neither NaN nor infinite. Class: exact.
[[nodiscard]] constexpr bool is_finite_bits(float x) {
  return (std::bit_cast<std::uint32_t>(x) & 0x7fffffffu) < 0x7f800000u;
}
[[nodiscard]] constexpr bool is_finite_bits(double x) {
  return (std::bit_cast<std::uint64_t>(x) & 0x7fffffffffffffffu) < 0x7ff0000000000000u;
}

/// How a value that is not finite is called in messages.
[[nodiscard]] constexpr std::string_view name_of_non_finite(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return "nan";
  return (bits >> 31) != 0 ? "-inf" : "inf";
}

/// Where a value is.
struct Position {
  Index row = 0;
  Index col = 0;
  friend constexpr bool operator==(const Position&, const Position&) = default;
};

/// The column of the first of `n` values that is not finite, or n.
[[nodiscard]] inline Index find_non_finite(const float* x, Index n) {
  constexpr Index block = 256;
  for (Index first = 0; first < n; first += block) {
    const Index end = first + block < n ? first + block : n;
    std::uint32_t largest = 0;  // of the bits without the sign: a loop without branches, which compilers vectorize
    for (Index i = first; i < end; ++i) {
      const std::uint32_t bits = std::bit_cast<std::uint32_t>(x[i]) & 0x7fffffffu;
      largest = bits > largest ? bits : largest;
    }
    if (largest < 0x7f800000u) continue;
    for (Index i = first; i < end; ++i) {
      if (!is_finite_bits(x[i])) return i;
    }
  }
  return n;
}

/// The first element, row by row, that is not finite. Class: exact.
template <class T>
[[nodiscard]] std::optional<Position> find_non_finite(const MatrixView<T>& matrix) {
  std::vector<float> scratch(static_cast<std::size_t>(matrix.cols));
  for (Index r = 0; r < matrix.rows; ++r) {
    const Index c = find_non_finite(read_row(matrix, r, scratch.data()), matrix.cols);
    if (c < matrix.cols) return Position{r, c};
  }
  return std::nullopt;
}

/// Refuses a row that holds a value that is not finite: "`argument` is not finite: row 17, column 4 is nan".
inline void require_finite_row(std::string_view where, std::string_view argument, const float* row, Index r,
                               Index cols) {
  const Index c = find_non_finite(row, cols);
  if (c < cols) raise(where, argument, " is not finite: row ", r, ", column ", c, " is ", name_of_non_finite(row[c]));
}

/// Refuses a matrix that holds a value that is not finite, naming the first in row order, for any executor.
template <class T>
void require_finite(std::string_view where, std::string_view argument, const MatrixView<T>& matrix,
                    ExecutorRef executor = {}) {
  parallel_for(executor, matrix.rows, band_grain(matrix.cols), [&](Index begin, Index end) {
    std::vector<float> scratch(static_cast<std::size_t>(matrix.cols));
    for (Index r = begin; r < end; ++r) {
      require_finite_row(where, argument, read_row(matrix, r, scratch.data()), r, matrix.cols);
    }
  });
}

}  // namespace halfstep::inline HALFSTEP_ABI
