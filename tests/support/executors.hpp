#pragma once

/// \file
/// Executors that do what a user's executor is allowed to do, on purpose.

#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"

namespace halfstep_tests {

/// Runs tasks on the calling thread from the last to the first.
class BackwardsExecutor {
 public:
  explicit BackwardsExecutor(int concurrency = 4) : concurrency_(concurrency) {}
  void run(halfstep::Index tasks, halfstep::FunctionRef<void(halfstep::Index)> task) const {
    for (halfstep::Index i = tasks - 1; i >= 0; --i) task(i);
  }
  [[nodiscard]] int concurrency() const { return concurrency_; }

 private:
  int concurrency_;
};

/// Starts threads anew for each run and lets none of them be the calling one. An exception that left a task would end
/// the program.
class FreshThreadsExecutor {
 public:
  explicit FreshThreadsExecutor(int threads) : threads_(threads) {}
  void run(halfstep::Index tasks, halfstep::FunctionRef<void(halfstep::Index)> task) const {
    std::atomic<halfstep::Index> next{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < threads_; ++t) {
      threads.emplace_back([&] {
        for (halfstep::Index i = next++; i < tasks; i = next++) task(i);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  [[nodiscard]] int concurrency() const { return threads_; }

 private:
  int threads_;
};

}  // namespace halfstep_tests
