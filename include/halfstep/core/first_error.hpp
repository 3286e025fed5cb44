#pragma once

/// \file
/// The error of numbered tasks that run at the same time.

#include "halfstep/config.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <atomic>
#include <limits>

#if HALFSTEP_HAS_EXCEPTIONS
#include <exception>
#include <utility>
#endif

namespace halfstep::inline HALFSTEP_ABI {

#if HALFSTEP_HAS_EXCEPTIONS

/// Keeps, of what numbered tasks throw, the exception of the task with the lowest number, and hands it to the thread
/// that waits for them.
///
/// Tasks above a failed one are skipped, those below it still run, so which exception is kept does not depend on the
/// number of threads or on their speed: it is the one that running the tasks in order would have thrown.
class FirstError {
 public:
  /// Calls `task(number)`, unless a task of a lower number has failed. Any number of threads may do this at a time.
  void run(Index number, FunctionRef<void(Index)> task) noexcept {
    if (number > lowest_.load(std::memory_order_relaxed)) return;
    try {
      task(number);
    } catch (...) {
      keep(number, std::current_exception());
    }
  }

  /// Throws what was kept, if anything. To be called when all tasks have returned.
  void rethrow() {
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  void keep(Index number, std::exception_ptr error) noexcept {
    while (busy_.test_and_set(std::memory_order_acquire)) busy_.wait(true, std::memory_order_relaxed);
    if (number < lowest_.load(std::memory_order_relaxed)) {
      lowest_.store(number, std::memory_order_relaxed);
      error_.swap(error);
    }
    busy_.clear(std::memory_order_release);
    busy_.notify_one();
  }

  std::atomic<Index> lowest_{std::numeric_limits<Index>::max()};
  std::atomic_flag busy_;  // guards error_; a lock for the rare case, without the weight of <mutex>
  std::exception_ptr error_;
};

#else

/// Without exceptions a task returns or ends the program: there is nothing to keep.
class FirstError {
 public:
  void run(Index number, FunctionRef<void(Index)> task) noexcept { task(number); }
  void rethrow() noexcept {}
};

#endif

}  // namespace halfstep::inline HALFSTEP_ABI
