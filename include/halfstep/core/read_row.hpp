#pragma once

/// \file
/// Rows of any readable matrix as contiguous floats.

#include "halfstep/config.hpp"
#include "halfstep/core/float16.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI {

/// Row r of `view` as floats side by side: where it lies, if it is that already, otherwise copied (and converted) into
/// `scratch`, which must hold `view.cols` floats.
template <class T>
[[nodiscard]] const float* read_row(const MatrixView<T>& view, Index r, float* scratch) {
  const T* source = view.row(r);
  if constexpr (std::is_same_v<std::remove_const_t<T>, float>) {
    if (view.rows_are_contiguous()) return source;
  }
  for (Index c = 0; c < view.cols; ++c) {
    if constexpr (requires { to_float(source[c * view.col_stride]); }) {
      scratch[c] = to_float(source[c * view.col_stride]);
    } else {
      scratch[c] = static_cast<float>(source[c * view.col_stride]);
    }
  }
  return scratch;
}

}  // namespace halfstep::inline HALFSTEP_ABI
