#pragma once

/// \file
/// Rows of any readable matrix as contiguous floats.

#include "halfstep/config.hpp"
#include "halfstep/core/float16.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <algorithm>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI {

/// One element as a `Real` (float or double): exact for F16 and BF16, a double rounded to nearest for float.
template <class Real, class T>
[[nodiscard]] constexpr Real element_to(T x) {
  if constexpr (requires { to_float(x); } && !std::is_arithmetic_v<T>) {
    return static_cast<Real>(to_float(x));
  } else {
    return static_cast<Real>(x);
  }
}

/// One element as a float.
template <class T>
[[nodiscard]] constexpr float element_to_float(T x) {
  return element_to<float>(x);
}

/// Row r of `view` as floats (or doubles, where `scratch` is of doubles) side by side: where it lies, if it is that
/// already, otherwise copied (and converted) into `scratch`, which must hold `view.cols` elements.
template <class T, class Real>
[[nodiscard]] const Real* read_row(const MatrixView<T>& view, Index r, Real* scratch) {
  const T* source = view.row(r);
  if (view.rows_are_contiguous()) {
    if constexpr (std::is_same_v<std::remove_const_t<T>, Real>) return source;
    for (Index c = 0; c < view.cols; ++c) scratch[c] = element_to<Real>(source[c]);
  } else {
    for (Index c = 0; c < view.cols; ++c) scratch[c] = element_to<Real>(source[c * view.col_stride]);
  }
  return scratch;
}

/// Row r of `view` as floats or doubles, copied to `to[0 .. cols)`.
template <class T, class Real>
void copy_row(const MatrixView<T>& view, Index r, Real* to) {
  const Real* const from = read_row(view, r, to);
  if (from != to) std::copy_n(from, view.cols, to);
}

/// All rows of `view` as floats or doubles, copied one after the other to `to[0 .. rows * cols)`.
template <class T, class Real>
void copy_rows(const MatrixView<T>& view, Real* to) {
  for (Index r = 0; r < view.rows; ++r) copy_row(view, r, to + r * view.cols);
}

}  // namespace halfstep::inline HALFSTEP_ABI
