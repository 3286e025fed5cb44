#pragma once

/// \file
/// A matrix read from a file: values of its own, and what was done about NaN and infinity in it.

#include "halfstep/core/finite.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/io/io_error.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// What is done about NaN and infinity in data that is about to be used.
enum class NonFinite {
  error,      ///< E_VALUE naming the first of them and how many there are
  skip_rows,  ///< rows that contain one are left out
  zero,       ///< each of them becomes 0
  keep,       ///< they are passed on, neither looked for nor counted
};

/// What was found and done about NaN and infinity.
struct NonFiniteReport {
  Index count = 0;       ///< values that are NaN or infinite
  Index rows = 0;        ///< rows that contain at least one
  Index first_row = -1;  ///< where the first one is; -1 without one
  Index first_column = -1;
  friend bool operator==(const NonFiniteReport&, const NonFiniteReport&) = default;
};

/// A row-major matrix that owns its values.
template <class T>
struct LoadedMatrix {
  std::vector<T> values;  ///< rows * cols
  Index rows = 0;
  Index cols = 0;
  NonFiniteReport non_finite;

  [[nodiscard]] MatrixView<const T> view() const { return {values.data(), rows, cols}; }
  [[nodiscard]] MatrixView<T> view() { return {values.data(), rows, cols}; }
};

/// Counts NaN and infinity in `matrix`. Cost: one pass. Class: exact.
template <class Real>
[[nodiscard]] NonFiniteReport count_non_finite(const LoadedMatrix<Real>& matrix) {
  NonFiniteReport report;
  Index last_row = -1;
  for (std::size_t i = 0; i < matrix.values.size(); ++i) {
    if (is_finite_bits(matrix.values[i])) continue;
    const Index row = static_cast<Index>(i) / matrix.cols;
    if (report.count++ == 0) {
      report.first_row = row;
      report.first_column = static_cast<Index>(i) % matrix.cols;
    }
    if (row != last_row) ++report.rows;
    last_row = row;
  }
  return report;
}

/// Removes the rows of `matrix` that contain NaN or infinity; the others keep their order.
template <class Real>
void remove_non_finite_rows(LoadedMatrix<Real>& matrix) {
  if (matrix.cols == 0) return;
  const auto cols = static_cast<std::ptrdiff_t>(matrix.cols);
  auto kept = matrix.values.begin();
  for (auto row = matrix.values.begin(); row != matrix.values.end(); row += cols) {
    if (!std::all_of(row, row + cols, [](Real value) { return is_finite_bits(value); })) continue;
    kept = std::copy(row, row + cols, kept);
  }
  matrix.values.erase(kept, matrix.values.end());
  matrix.rows = static_cast<Index>(matrix.values.size()) / matrix.cols;
}

/// Applies `policy` to the NaN and infinities of `matrix`, which comes from `tensor` of `file`, and notes in
/// `matrix.non_finite` what was found: rows and columns as they were before a row was left out.
/// Errors: E_VALUE under `NonFinite::error`. Cost: one pass where there are none, two otherwise. Class: exact.
template <class Real>
void apply_non_finite_policy(LoadedMatrix<Real>& matrix, NonFinite policy, std::string_view tensor,
                             std::string_view file) {
  if (policy == NonFinite::keep) return;
  const NonFiniteReport found = count_non_finite(matrix);
  matrix.non_finite = found;
  if (found.count == 0) return;
  switch (policy) {
    case NonFinite::error: {
      const auto first = static_cast<float>(matrix.view()(found.first_row, found.first_column));
      raise_io(IoErrorCode::value, file, "tensor ", in_quotes(tensor), " is not finite: row ", found.first_row,
               ", column ", found.first_column, " is ", name_of_non_finite(first), " (", found.count, " of ",
               matrix.values.size(), " values, in ", found.rows, " of ", matrix.rows, " rows)");
    }
    case NonFinite::skip_rows:
      remove_non_finite_rows(matrix);
      break;
    case NonFinite::zero:
      for (Real& value : matrix.values) {
        if (!is_finite_bits(value)) value = Real{0};
      }
      break;
    case NonFinite::keep:
      break;
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI
