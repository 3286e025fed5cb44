#pragma once

/// \file
/// What stands between products and needs no parameters: sums of branches, products of gates.

#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"

namespace halfstep::inline HALFSTEP_ABI {

/// `change(x_rc, y_rc)` for all elements of two matrices of one shape, rows contiguous.
template <class Change>
void change_elements(MatrixView<float> x, MatrixView<const float> y, ExecutorRef executor, const Change& change) {
  parallel_for(executor, x.rows, band_grain(x.cols), [&](Index first, Index last) {
    for (Index r = first; r < last; ++r) {
      float* to = x.row(r);
      const float* from = y.row(r);
      for (Index c = 0; c < x.cols; ++c) change(to[c], from[c]);
    }
  });
}

/// `x += y`, same shape, rows contiguous. Class: exact.
inline void add_into(MatrixView<float> x, MatrixView<const float> y, ExecutorRef executor) {
  change_elements(x, y, executor, [](float& to, float from) { to += from; });
}

/// `x *= y`, element by element, same shape, rows contiguous. Class: exact.
inline void multiply_into(MatrixView<float> x, MatrixView<const float> y, ExecutorRef executor) {
  change_elements(x, y, executor, [](float& to, float from) { to *= from; });
}

}  // namespace halfstep::inline HALFSTEP_ABI
