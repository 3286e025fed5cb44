#pragma once

/// \file
/// OpenMP's threads as an executor. For units compiled with OpenMP (-fopenmp) only; halfstep.hpp does not include it.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/first_error.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"

#if !defined(_OPENMP)
#error "halfstep/core/openmp.hpp: compile this file with OpenMP (-fopenmp), or use ThreadPool of thread_pool.hpp"
#endif

#include <omp.h>

namespace halfstep::inline HALFSTEP_ABI {

/// An executor on the threads of OpenMP. Stateless but for its number of threads; a `run` within a parallel region of
/// OpenMP has the threads that OpenMP allows there, by default the calling one alone. If tasks throw, the caller of
/// `run` gets the exception of the lowest task that throws, and tasks above it may be skipped.
class OpenMpExecutor {
 public:
  /// Runs up to `threads` tasks at a time, by default what OMP_NUM_THREADS or the machine says at this moment. Errors:
  /// `threads` below 1.
  explicit OpenMpExecutor(int threads = omp_get_max_threads()) : threads_(threads) {
    if (threads < 1) raise("OpenMpExecutor", "threads is ", threads, ", expected at least 1");
  }

  /// Calls `task(0)` to `task(tasks - 1)`; see the concept Executor.
  void run(Index tasks, FunctionRef<void(Index)> task) const {
    FirstError error;  // an exception must not leave a parallel region
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads_) if (tasks > 1)
    for (Index i = 0; i < tasks; ++i) error.run(i, task);
    error.rethrow();
  }

  [[nodiscard]] int concurrency() const noexcept { return threads_; }

 private:
  int threads_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
