#pragma once

/// \file
/// How the library uses somebody else's threads.

#include "halfstep/config.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <concepts>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI {

/// What runs tasks: the pool of the surrounding program, in a few lines, or one that comes with the library
/// (`SerialExecutor`, `ThreadPool` of thread_pool.hpp, `OpenMpExecutor` of openmp.hpp).
///
/// `run(tasks, task)` calls `task(0)` to `task(tasks - 1)` once each, in any order, on any threads, at the same time or
/// not, and returns when all calls have returned. The library's tasks throw nothing into an executor, and may call
/// `run` themselves. `concurrency()` is the number of tasks that may run at a time, at least 1.
template <class T>
concept Executor = requires(T& executor, Index tasks, FunctionRef<void(Index)> task) {
  executor.run(tasks, task);
  { executor.concurrency() } -> std::convertible_to<int>;
};

/// Runs all tasks on the calling thread, in order. Without state.
class SerialExecutor {
 public:
  void run(Index tasks, FunctionRef<void(Index)> task) const {
    for (Index i = 0; i < tasks; ++i) task(i);
  }
  [[nodiscard]] int concurrency() const noexcept { return 1; }
};

/// A reference to an executor of any type, serial by default: what functions of the library take. The executor must
/// outlive it. Trivially copyable. Results of the library do not depend on the executor, only speed does.
class ExecutorRef {
 public:
  /// The calling thread alone.
  constexpr ExecutorRef() = default;

  template <class T>
  requires(!std::same_as<std::remove_const_t<T>, ExecutorRef> && Executor<T>) constexpr ExecutorRef(
      T& executor) noexcept  // NOLINT(google-explicit-constructor): converts as a parameter
      : object_(const_cast<void*>(static_cast<const void*>(&executor))),
        run_([](void* object, Index tasks, FunctionRef<void(Index)> task) {
          static_cast<T*>(object)->run(tasks, task);
        }),
        concurrency_([](void* object) -> int { return static_cast<T*>(object)->concurrency(); }) {}

  void run(Index tasks, FunctionRef<void(Index)> task) const {
    if (run_ == nullptr) return SerialExecutor().run(tasks, task);
    run_(object_, tasks, task);
  }

  [[nodiscard]] int concurrency() const { return concurrency_ == nullptr ? 1 : concurrency_(object_); }

 private:
  void* object_ = nullptr;
  void (*run_)(void* object, Index tasks, FunctionRef<void(Index)> task) = nullptr;
  int (*concurrency_)(void* object) = nullptr;
};

}  // namespace halfstep::inline HALFSTEP_ABI
