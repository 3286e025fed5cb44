#pragma once

/// \file
/// What happens to the input of a linear layer before it is encoded: a rotation, a change of scales. The weight has
/// been transformed to match, so that the product stays what it was.

#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

namespace halfstep::inline HALFSTEP_ABI {

/// What can be made an `InputTransform`: a callable `t(x, out)` that writes the transformed rows of x `[rows,
/// channels]` to out of the same shape, rows contiguous in both, not overlapping, each from its own row alone.
template <class T>
concept RowTransform = std::is_invocable_v<const T&, MatrixView<const float>, MatrixView<float>>;

/// One such callable, whatever its type, or none. Copies share it; const use is safe from any number of threads if the
/// callable's is.
class InputTransform {
 public:
  /// None: the input as it is.
  InputTransform() = default;

  template <RowTransform T>
  requires(!std::same_as<T, InputTransform>)
      InputTransform(T transform)  // NOLINT(google-explicit-constructor): as activations convert
      : held_(std::make_shared<const T>(std::move(transform))),
        apply_([](const void* held, MatrixView<const float> x, MatrixView<float> out) {
          (*static_cast<const T*>(held))(x, out);
        }),
        made_of_(&tag<T>) {}

  /// Whether there is one.
  [[nodiscard]] explicit operator bool() const { return apply_ != nullptr; }

  /// The callable, where it is a `T`, or null. For what writes transforms down.
  template <RowTransform T>
  [[nodiscard]] const T* target() const {
    return made_of_ == &tag<T> ? static_cast<const T*>(held_.get()) : nullptr;
  }

  /// The rows of x transformed into out. There must be a transform. Class: the callable's, for any executor.
  void apply(MatrixView<const float> x, MatrixView<float> out, ExecutorRef executor = {}) const {
    parallel_for(executor, x.rows, band_grain(x.cols), [&](Index first, Index last) {
      apply_(held_.get(), x.row_range(first, last - first), out.row_range(first, last - first));
    });
  }

 private:
  /// Its address tells one type from another.
  template <class T>
  static constexpr char tag = 0;

  std::shared_ptr<const void> held_;
  void (*apply_)(const void* held, MatrixView<const float> x, MatrixView<float> out) = nullptr;
  const char* made_of_ = nullptr;
};

}  // namespace halfstep::inline HALFSTEP_ABI
