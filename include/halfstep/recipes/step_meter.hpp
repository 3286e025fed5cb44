#pragma once

/// \file
/// The steps of a recipe that names them: stages of a model, norms, layers.

#include "halfstep/config.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/progress.hpp"

#include <string_view>

namespace halfstep::inline HALFSTEP_ABI {

/// Tells a callback of a recipe's steps, and remembers that it said to stop. A step that is stopped half way does not
/// count: what is left of a recipe is whole steps.
class StepMeter {
 public:
  StepMeter(ProgressCallback callback, Index total) : callback_(callback), total_(total) {}

  /// Runs a step. `inside` is the callback for what the step itself calls: its counts are dropped, and it hears whether
  /// to go on. Returns whether the step was done, to its end: if not, the caller drops what it gave.
  bool run(std::string_view name, FunctionRef<void(ProgressCallback inside)> step) {
    const auto inside = [&](const Progress&) { return tell(name); };
    if (!tell(name)) return false;
    step(callback_ ? ProgressCallback(inside) : ProgressCallback());
    if (is_cancelled_) return false;
    if (++done_ == total_ && callback_) static_cast<void>(callback_({done_, total_}));  // too late to stop
    return true;
  }

  /// Whether the callback has said to stop.
  [[nodiscard]] bool is_cancelled() const { return is_cancelled_; }

 private:
  bool tell(std::string_view next) {
    if (callback_ && !is_cancelled_) is_cancelled_ = !callback_({done_, total_, next});
    return !is_cancelled_;
  }

  ProgressCallback callback_;
  Index total_;
  Index done_ = 0;
  bool is_cancelled_ = false;
};

}  // namespace halfstep::inline HALFSTEP_ABI
