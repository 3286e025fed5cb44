#pragma once

/// \file
/// A matrix to be read row by row, whose element type and storage order are forgotten: what a list of matrices holds.

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/read_row.hpp"

#include <algorithm>
#include <concepts>
#include <string_view>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI {

/// A view `[rows, cols]` of any readable matrix (float, double, F16, BF16; Eigen's or a `MatrixView`), from which it
/// converts. The matrix must outlive it. Trivially copyable; safe to read from any number of threads.
class AnyMatrixView {
 public:
  template <Viewable M>
  requires(!std::same_as<std::remove_cvref_t<M>, AnyMatrixView>)
      AnyMatrixView(const M& matrix)  // NOLINT(google-explicit-constructor): as views convert
      : AnyMatrixView(FromView(), halfstep::view(matrix)) {}

  [[nodiscard]] Index rows() const { return rows_; }
  [[nodiscard]] Index cols() const { return cols_; }
  [[nodiscard]] Shape shape() const { return {rows_, cols_}; }

  /// Row r as floats side by side; `scratch` holds `cols()` of them and is used where the row does not lie so.
  [[nodiscard]] const float* row(Index r, float* scratch) const { return row_(*this, r, scratch); }

 private:
  struct FromView {};

  template <class T>
  AnyMatrixView(FromView, const MatrixView<const T>& m)
      : data_(m.data),
        rows_(m.rows),
        cols_(m.cols),
        row_stride_(m.row_stride),
        col_stride_(m.col_stride),
        row_([](const AnyMatrixView& self, Index r, float* scratch) {
          return read_row(MatrixView<const T>(static_cast<const T*>(self.data_), self.rows_, self.cols_,
                                              self.row_stride_, self.col_stride_),
                          r, scratch);
        }) {
    require_readable("AnyMatrixView", "matrix", m);
  }

  const void* data_;
  Index rows_;
  Index cols_;
  Index row_stride_;
  Index col_stride_;
  const float* (*row_)(const AnyMatrixView&, Index, float*);
};

/// All rows of `matrix` as a float matrix of its own. An element that is not finite is refused, as "`argument` is not
/// finite: row 17, column 4 is nan".
[[nodiscard]] inline MatrixF checked_copy(std::string_view where, std::string_view argument,
                                          const AnyMatrixView& matrix) {
  MatrixF copy(matrix.rows(), matrix.cols());
  for (Index r = 0; r < matrix.rows(); ++r) {
    float* const to = copy.data() + r * matrix.cols();
    const float* const from = matrix.row(r, to);
    if (from != to) std::copy_n(from, matrix.cols(), to);
    require_finite_row(where, argument, to, r, matrix.cols());
  }
  return copy;
}

}  // namespace halfstep::inline HALFSTEP_ABI
