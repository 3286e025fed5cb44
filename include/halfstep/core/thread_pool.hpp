#pragma once

/// \file
/// Threads that wait for work.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/first_error.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// An executor with threads of its own. The thread that calls `run` works too, so a pool of n starts n - 1 threads.
///
/// `run` may be called from several threads at a time and from within tasks: whoever calls it works on the tasks it
/// brought until none is left, and the idle threads help, newest work first. A call therefore waits only for tasks that
/// some thread is busy with, and never for a free thread. `run` allocates nothing. If tasks throw, the caller of `run`
/// gets the exception of the lowest task that throws, and tasks above it may be skipped; the pool goes on working.
///
/// A thread that has nothing to do yields its processor for 50 microseconds before it sleeps: a model's products follow
/// each other faster than a sleeping thread wakes.
///
///     ThreadPool pool(8);
///     matmul(x, w, {.executor = pool});
class ThreadPool {
 public:
  /// A pool that runs `threads` tasks at a time, by default as many as the machine has processors. Errors: `threads`
  /// below 1; a thread that cannot be started.
  explicit ThreadPool(int threads = default_threads()) {
    if (threads < 1) raise("ThreadPool", "threads is ", threads, ", expected at least 1");
    start_workers(static_cast<std::size_t>(threads - 1));
  }

  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  /// Ends the threads. No `run` may be going on.
  ~ThreadPool() { stop(); }

  /// Calls `task(0)` to `task(tasks - 1)`; see the concept Executor.
  void run(Index tasks, FunctionRef<void(Index)> task) {
    if (tasks <= 1 || workers_.empty()) {
      for (Index i = 0; i < tasks; ++i) task(i);
      return;
    }
    Job job(tasks, task);
    {
      const std::lock_guard lock(mutex_);
      open(job);
    }
    if (tasks == 2) {
      work_arrived_.notify_one();
    } else {
      work_arrived_.notify_all();
    }
    job.work();
    yield_until([&] { return job.helpers.load(std::memory_order_relaxed) == 0; });
    {
      std::unique_lock lock(mutex_);
      close(job);
      job.helpers_left.wait(lock, [&] { return job.helpers == 0; });
    }
    job.error.rethrow();
  }

  [[nodiscard]] int concurrency() const noexcept { return static_cast<int>(workers_.size()) + 1; }

  /// The number of processors, 1 where that is unknown.
  [[nodiscard]] static int default_threads() noexcept {
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  }

 private:
  /// One call of `run`. Lives on the stack of its caller, who leaves only when it is closed and has no helpers: both
  /// change under the mutex alone, so a helper that found it open may use it until it has signed off.
  struct Job {
    Job(Index tasks_, FunctionRef<void(Index)> task_) : tasks(tasks_), task(task_) {}

    /// Works until each task has been begun by somebody.
    void work() noexcept {
      for (Index i = next.fetch_add(1, std::memory_order_relaxed); i < tasks;
           i = next.fetch_add(1, std::memory_order_relaxed)) {
        error.run(i, task);
      }
    }

    const Index tasks;
    const FunctionRef<void(Index)> task;
    std::atomic<Index> next{0};
    FirstError error;
    // Changed under the mutex of the pool alone:
    std::atomic<int> helpers{0};
    std::condition_variable helpers_left;
    bool is_open = false;
    Job* newer = nullptr;
    Job* older = nullptr;
  };

  /// Gives the processor away until `is_over()`, for 50 microseconds at most.
  template <class Condition>
  static void yield_until(Condition is_over) noexcept {
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(50);
    while (!is_over() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  }

  void open(Job& job) noexcept {
    opened_.fetch_add(1, std::memory_order_relaxed);
    job.is_open = true;
    job.older = newest_;
    if (newest_ != nullptr) newest_->newer = &job;
    newest_ = &job;
  }

  /// Takes the job out of the list of those that may need help, if it is still there.
  void close(Job& job) noexcept {
    if (!job.is_open) return;
    job.is_open = false;
    (job.newer != nullptr ? job.newer->older : newest_) = job.older;
    if (job.older != nullptr) job.older->newer = job.newer;
  }

  void help_until_stopped() {
    std::unique_lock lock(mutex_);
    while (true) {
      work_arrived_.wait(lock, [&] { return newest_ != nullptr || stopping_; });
      if (newest_ == nullptr) return;
      Job& job = *newest_;
      ++job.helpers;
      lock.unlock();
      job.work();
      lock.lock();
      close(job);
      // Under the mutex: the caller cannot wake and take the condition variable away before this call returns.
      if (--job.helpers == 0) job.helpers_left.notify_one();
      if (newest_ != nullptr) continue;
      const std::uint64_t seen = opened_.load(std::memory_order_relaxed);
      lock.unlock();
      yield_until([&] { return opened_.load(std::memory_order_relaxed) != seen; });
      lock.lock();
    }
  }

  void start_workers(std::size_t count) {
#if HALFSTEP_HAS_EXCEPTIONS
    try {
#endif
      workers_.reserve(count);
      while (workers_.size() < count) workers_.emplace_back([this] { help_until_stopped(); });
#if HALFSTEP_HAS_EXCEPTIONS
    } catch (const std::exception& error) {
      const std::size_t started = workers_.size();
      stop();
      raise("ThreadPool", "cannot start thread ", started + 1, " of ", count, ": ", error.what());
    }
#endif
  }

  void stop() noexcept {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    work_arrived_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
  }

  std::mutex mutex_;
  std::condition_variable work_arrived_;
  Job* newest_ = nullptr;                 // head of the list of open jobs
  std::atomic<std::uint64_t> opened_{0};  // jobs so far, for those who look without the mutex
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
