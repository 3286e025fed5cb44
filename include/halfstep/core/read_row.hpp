#pragma once

/// \file
/// Rows of any readable matrix as contiguous floats.

#include "halfstep/config.hpp"
#include "halfstep/core/float16.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <algorithm>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI {

/// One element as a float: exact for F16 and BF16, rounded to nearest for double.
template <class T>
[[nodiscard]] constexpr float element_to_float(T x) {
  if constexpr (requires { to_float(x); } && !std::is_arithmetic_v<T>) {
    return to_float(x);
  } else {
    return static_cast<float>(x);
  }
}

/// Row r of `view` as floats side by side: where it lies, if it is that already, otherwise copied (and converted) into
/// `scratch`, which must hold `view.cols` floats.
template <class T>
[[nodiscard]] const float* read_row(const MatrixView<T>& view, Index r, float* scratch) {
  const T* source = view.row(r);
  if (view.rows_are_contiguous()) {
    if constexpr (std::is_same_v<std::remove_const_t<T>, float>) return source;
    for (Index c = 0; c < view.cols; ++c) scratch[c] = element_to_float(source[c]);
  } else {
    for (Index c = 0; c < view.cols; ++c) scratch[c] = element_to_float(source[c * view.col_stride]);
  }
  return scratch;
}

/// Row r of `view` as floats, copied to `to[0 .. cols)`.
template <class T>
void copy_row(const MatrixView<T>& view, Index r, float* to) {
  const float* const from = read_row(view, r, to);
  if (from != to) std::copy_n(from, view.cols, to);
}

/// All rows of `view` as floats, copied one after the other to `to[0 .. rows * cols)`.
template <class T>
void copy_rows(const MatrixView<T>& view, float* to) {
  for (Index r = 0; r < view.rows; ++r) copy_row(view, r, to + r * view.cols);
}

}  // namespace halfstep::inline HALFSTEP_ABI
