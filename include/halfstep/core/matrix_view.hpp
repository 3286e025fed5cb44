#pragma once

/// \file
/// A matrix that somebody else owns, as the library sees it: pointer, shape, strides.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI {

/// Sizes and positions. Signed, 64 bits on every platform, so that matrices of more than 2^31 elements count right.
using Index = std::int64_t;

/// A non-owning view of a matrix `[rows, cols]`; element (r, c) is `data[r * row_stride + c * col_stride]`, strides
/// counted in elements. A row-major matrix has `col_stride == 1`, a column-major one `row_stride == 1`; a stride of 0
/// repeats one row or column. Trivially copyable; const access is safe from any number of threads.
template <class T>
struct MatrixView {
  T* data = nullptr;
  Index rows = 0;
  Index cols = 0;
  Index row_stride = 0;
  Index col_stride = 1;

  using Element = T;

  constexpr MatrixView() = default;

  /// A dense row-major matrix.
  constexpr MatrixView(T* data_, Index rows_, Index cols_)
      : data(data_), rows(rows_), cols(cols_), row_stride(cols_), col_stride(1) {}

  constexpr MatrixView(T* data_, Index rows_, Index cols_, Index row_stride_, Index col_stride_)
      : data(data_), rows(rows_), cols(cols_), row_stride(row_stride_), col_stride(col_stride_) {}

  /// A view of mutable elements is a view of const ones.
  template <class U>
  requires std::is_same_v<const U, T>
  constexpr MatrixView(const MatrixView<U>& other)  // NOLINT(google-explicit-constructor): as pointers convert
      : MatrixView(other.data, other.rows, other.cols, other.row_stride, other.col_stride) {}

  constexpr T& operator()(Index r, Index c) const { return data[r * row_stride + c * col_stride]; }
  constexpr T* row(Index r) const { return data + r * row_stride; }
  [[nodiscard]] constexpr Index size() const { return rows * cols; }
  [[nodiscard]] constexpr bool empty() const { return rows == 0 || cols == 0; }
  /// Whether the elements of a row lie side by side, so that a row can be read as an array.
  [[nodiscard]] constexpr bool rows_are_contiguous() const { return col_stride == 1 || cols <= 1; }

  /// The `[row_count, col_count]` part whose first element is (first_row, first_col). Unchecked.
  [[nodiscard]] constexpr MatrixView block(Index first_row, Index first_col, Index row_count, Index col_count) const {
    return {data + first_row * row_stride + first_col * col_stride, row_count, col_count, row_stride, col_stride};
  }
  /// Rows `[first, first + count)`. Unchecked.
  [[nodiscard]] constexpr MatrixView row_range(Index first, Index count) const { return block(first, 0, count, cols); }
  /// Columns `[first, first + count)`. Unchecked.
  [[nodiscard]] constexpr MatrixView col_range(Index first, Index count) const { return block(0, first, rows, count); }
};

template <class T>
MatrixView(T*, Index, Index) -> MatrixView<T>;
template <class T>
MatrixView(T*, Index, Index, Index, Index) -> MatrixView<T>;

/// The same elements read as `[cols, rows]`; nothing is copied.
template <class T>
[[nodiscard]] constexpr MatrixView<T> transposed(const MatrixView<T>& view) {
  return {view.data, view.cols, view.rows, view.col_stride, view.row_stride};
}

/// How a shape is written in messages.
struct Shape {
  Index rows = 0;
  Index cols = 0;
  friend constexpr bool operator==(const Shape&, const Shape&) = default;
};

inline void append_text(std::string& text, const Shape& shape) {
  text += concat("[", shape.rows, ", ", shape.cols, "]");
}

/// The shape of a view.
template <class T>
[[nodiscard]] constexpr Shape shape_of(const MatrixView<T>& view) {
  return {view.rows, view.cols};
}

/// Refuses a view that cannot be read: a negative size, or elements without memory.
template <class T>
void require_readable(std::string_view where, std::string_view argument, const MatrixView<T>& view) {
  if (view.rows < 0 || view.cols < 0) {
    raise(where, argument, " has shape ", shape_of(view), ", expected sizes of at least 0");
  }
  if (view.data == nullptr && !view.empty()) {
    raise(where, argument, " of shape ", shape_of(view), " has no data (null pointer)");
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI
