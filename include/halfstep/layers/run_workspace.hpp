#pragma once

/// \file
/// Scratch memory of a run: one workspace for the calling thread, one for each task that works beside others.

#include "halfstep/config.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/workspace.hpp"

#include <algorithm>
#include <atomic>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Kept by a caller between runs, so that they allocate nothing once warm (executors and float products of other
/// libraries may). For one run at a time.
class RunWorkspace {
 public:
  /// For what lives across products.
  [[nodiscard]] Workspace& main() { return main_; }

  /// Calls `body(item, workspace)` for each of `items` items, as many at a time as `executor` has threads, each with a
  /// workspace to itself for the time of the call. Items are handed out in order as workers get free. If bodies throw,
  /// the caller gets one of the exceptions.
  template <class Body>
  void for_each_item(ExecutorRef executor, Index items, Body body) {
    const Index workers = std::min<Index>(items, executor.concurrency());
    if (static_cast<Index>(workers_.size()) < workers) workers_.resize(static_cast<std::size_t>(workers));
    std::atomic<Index> next{0};
    parallel_for(executor, workers, 1, [&](Index begin, Index end) {
      for (Index worker = begin; worker < end; ++worker) {
        Workspace& workspace = workers_[static_cast<std::size_t>(worker)];
        for (Index item = next++; item < items; item = next++) {
          const Workspace::Scope scope(workspace);
          body(item, workspace);
        }
      }
    });
  }

 private:
  Workspace main_;
  std::vector<Workspace> workers_;
};

/// A dense `[rows, cols]` matrix of floats from `workspace`, uninitialized.
[[nodiscard]] inline MatrixView<float> take_matrix(Workspace& workspace, Index rows, Index cols) {
  return {workspace.take<float>(rows * cols).data(), rows, cols};
}

}  // namespace halfstep::inline HALFSTEP_ABI
