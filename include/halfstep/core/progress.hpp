#pragma once

/// \file
/// How long calls tell how far they are, and are told to stop.

#include "halfstep/config.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <atomic>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI {

/// How far a call is: `done` of `total` steps, which are of about the same length.
struct Progress {
  Index done = 0;
  Index total = 0;
  std::string_view next = {};  ///< the name of the step that comes next, where steps have names; valid in the callback
};

/// Is shown how far a call is, and returns whether to go on: all calls that take long have this one. A call that is
/// stopped returns what it has, valid and marked as not complete; one that is told so after its last step is complete.
/// Called by one thread at a time, not always the same. What it throws reaches the caller.
using ProgressCallback = FunctionRef<bool(const Progress&)>;

/// Counts the steps that tasks running at the same time have done, and calls a callback after each. What the callback
/// throws reaches the task that took the step.
class ProgressCounter {
 public:
  ProgressCounter(ProgressCallback callback, Index total) : callback_(callback), total_(total) {}

  /// Counts `steps` more. Nothing is called any more once the callback has said to stop.
  void advance(Index steps) {
    const Lock lock(busy_);
    done_ += steps;
    if (callback_ && !is_cancelled()) cancelled_.store(!callback_(Progress{done_, total_}), std::memory_order_relaxed);
  }

  /// Whether the callback has said to stop.
  [[nodiscard]] bool is_cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

 private:
  /// A lock for short waits, without the weight of <mutex>.
  class Lock {
   public:
    explicit Lock(std::atomic_flag& busy) : busy_(busy) {
      while (busy_.test_and_set(std::memory_order_acquire)) busy_.wait(true, std::memory_order_relaxed);
    }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    ~Lock() {
      busy_.clear(std::memory_order_release);
      busy_.notify_one();
    }

   private:
    std::atomic_flag& busy_;
  };

  ProgressCallback callback_;
  Index total_;
  Index done_ = 0;  // guarded by busy_
  std::atomic_flag busy_;
  std::atomic<bool> cancelled_{false};
};

}  // namespace halfstep::inline HALFSTEP_ABI
