#pragma once

/// \file
/// The border to Eigen: the matrix types that the library returns, and views of whatever Eigen holds.
///
/// This is the only header that includes Eigen, but for calibrators that factorize. What differs between Eigen 3.4 and
/// 5.0 is absorbed here.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/float16.hpp"
#include "halfstep/core/matrix_view.hpp"

// Macros of other headers that break Eigen's (X11's Success, complex.h's I, windows.h's min and max, ...).
#pragma push_macro("Success")
#pragma push_macro("None")
#pragma push_macro("Status")
#pragma push_macro("Bool")
#pragma push_macro("I")
#pragma push_macro("min")
#pragma push_macro("max")
#pragma push_macro("small")
#pragma push_macro("near")
#pragma push_macro("far")
#undef Success
#undef None
#undef Status
#undef Bool
#undef I
#undef min
#undef max
#undef small
#undef near
#undef far
#include <Eigen/Core>
#pragma pop_macro("far")
#pragma pop_macro("near")
#pragma pop_macro("small")
#pragma pop_macro("max")
#pragma pop_macro("min")
#pragma pop_macro("I")
#pragma pop_macro("Bool")
#pragma pop_macro("Status")
#pragma pop_macro("None")
#pragma pop_macro("Success")

#include <concepts>
#include <cstdint>
#include <type_traits>
#include <utility>

#if !EIGEN_VERSION_AT_LEAST(3, 4, 0)
#error "halfstep needs Eigen 3.4 or newer"
#endif

namespace Eigen {
template <typename PlainObjectType, int Options, template <class> class MakePointer>
class TensorMap;  // of unsupported/Eigen/CXX11/Tensor, which the user includes where it is used
}  // namespace Eigen

namespace halfstep::inline HALFSTEP_ABI {

/// A row-major matrix of float or double.
template <class Scalar>
using MatrixOf = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
/// A row-major float matrix: what the library returns, `[rows, cols]`.
using MatrixF = MatrixOf<float>;
/// A row-major matrix of codes.
using MatrixU8 = Eigen::Matrix<std::uint8_t, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
/// A row-major double matrix.
using MatrixD = MatrixOf<double>;

/// The storage type that the library reads for an Eigen scalar: Eigen's 16-bit types have the bits of ours.
template <class Scalar>
struct ViewElement {
  using Type = Scalar;
};
template <>
struct ViewElement<Eigen::half> {
  using Type = Half;
};
template <>
struct ViewElement<Eigen::bfloat16> {
  using Type = BFloat16;
};

template <class Scalar>
using ViewElementOf = typename ViewElement<Scalar>::Type;

/// A matrix of Eigen's, a map or a block of one: anything whose elements lie in memory at fixed strides.
template <class T>
concept EigenDense = std::is_base_of_v<Eigen::DenseBase<std::remove_cvref_t<T>>, std::remove_cvref_t<T>>;

/// Views an Eigen matrix, map or block without copying, through its strides; a vector is one row.
/// An expression (a product, a sum) has no memory: `.eval()` it first.
template <class Derived>
[[nodiscard]] auto view(const Eigen::DenseBase<Derived>& matrix) {
  static_assert((Derived::Flags & Eigen::DirectAccessBit) != 0,
                "halfstep::view needs a matrix, map or block: call .eval() on an expression first");
  using Element = const ViewElementOf<typename Derived::Scalar>;
  const Derived& m = matrix.derived();
  Element* data = reinterpret_cast<Element*>(m.data());
  if constexpr (Derived::ColsAtCompileTime == 1 && Derived::RowsAtCompileTime != 1) {
    return MatrixView<Element>(data, 1, m.rows(), m.rows(), m.innerStride());
  } else if constexpr (Derived::IsRowMajor) {
    return MatrixView<Element>(data, m.rows(), m.cols(), m.outerStride(), m.innerStride());
  } else {
    return MatrixView<Element>(data, m.rows(), m.cols(), m.innerStride(), m.outerStride());
  }
}

/// The same for a matrix whose elements the library may write.
template <class Derived>
[[nodiscard]] auto mutable_view(Eigen::DenseBase<Derived>& matrix) {
  static_assert((Derived::Flags & Eigen::LvalueBit) != 0, "halfstep::mutable_view needs a matrix that can be written");
  using Element = ViewElementOf<typename Derived::Scalar>;
  const auto read = view(matrix);
  return MatrixView<Element>(const_cast<Element*>(read.data), read.rows, read.cols, read.row_stride, read.col_stride);
}

/// Views an `Eigen::TensorMap` without copying: the last axis is the columns, all leading ones together the rows.
/// A column-major tensor of more than two axes has no such strides, and is refused at compile time.
template <class Tensor, int Options, template <class> class MakePointer>
[[nodiscard]] auto view(const Eigen::TensorMap<Tensor, Options, MakePointer>& tensor) {
  constexpr int rank = Tensor::NumIndices;
  constexpr bool row_major = static_cast<int>(Tensor::Layout) == static_cast<int>(Eigen::RowMajor);
  static_assert(rank >= 1, "halfstep::view needs a tensor of at least one axis");
  static_assert(
      row_major || rank <= 2,
      "halfstep::view: the leading axes of a column-major tensor cannot be read as rows; use a row-major map");
  using Element = const ViewElementOf<std::remove_const_t<typename Tensor::Scalar>>;
  Element* data = reinterpret_cast<Element*>(tensor.data());
  const Index cols = static_cast<Index>(tensor.dimension(rank - 1));
  Index rows = 1;
  for (int axis = 0; axis + 1 < rank; ++axis) rows *= static_cast<Index>(tensor.dimension(axis));
  if constexpr (row_major) {
    return MatrixView<Element>(data, rows, cols, cols, 1);
  } else {
    return MatrixView<Element>(data, rows, cols, 1, rows);
  }
}

/// The same for a tensor whose elements the library may write.
template <class Tensor, int Options, template <class> class MakePointer>
requires(!std::is_const_v<Tensor>)
    [[nodiscard]] auto mutable_view(Eigen::TensorMap<Tensor, Options, MakePointer>& tensor) {
  using Element = ViewElementOf<typename Tensor::Scalar>;
  const auto read = view(tensor);
  return MatrixView<Element>(const_cast<Element*>(read.data), read.rows, read.cols, read.row_stride, read.col_stride);
}

/// A view stays what it is, so that one overload set serves views and Eigen's types.
template <class T>
[[nodiscard]] MatrixView<const T> view(const MatrixView<T>& matrix) {
  return matrix;
}
template <class T>
requires(!std::is_const_v<T>) [[nodiscard]] MatrixView<T> mutable_view(const MatrixView<T>& matrix) { return matrix; }

/// What the public functions accept as a matrix to read.
template <class T>
concept Viewable = requires(const std::remove_cvref_t<T>& m) {
  halfstep::view(m);
};

/// The element type of a matrix that is read.
template <Viewable T>
using ViewedElement = std::remove_const_t<typename decltype(halfstep::view(std::declval<const T&>()))::Element>;

/// What the public functions accept as a float matrix to write: an Eigen matrix, map or block, or a
/// `MatrixView<float>`. Its shape must be right already: nothing is resized.
template <class T>
concept WritableMatrix = requires(T& m) {
  { halfstep::mutable_view(m) } -> std::same_as<MatrixView<float>>;
};

/// The same elements of an Eigen matrix, map or block, read as `[cols, rows]`; nothing is copied.
template <EigenDense M>
[[nodiscard]] auto transposed(const M& matrix) {
  return transposed(view(matrix));
}

/// An Eigen map of a view: dynamic strides, nothing copied.
[[nodiscard]] inline auto as_eigen(const MatrixView<const float>& m) {
  using Stride = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
  return Eigen::Map<const MatrixF, Eigen::Unaligned, Stride>(m.data, m.rows, m.cols,
                                                             Stride(m.row_stride, m.col_stride));
}

}  // namespace halfstep::inline HALFSTEP_ABI
