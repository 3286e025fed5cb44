#include "halfstep/layers/run_workspace.hpp"

#include <atomic>
#include <set>
#include <stdexcept>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

namespace hs = halfstep;

namespace {

/// Checks that each item is visited once, and that no workspace serves two items at a time.
void check_items(hs::ExecutorRef executor, hs::Index items) {
  hs::RunWorkspace workspace;
  std::vector<std::atomic<int>> visits(static_cast<std::size_t>(items));
  std::atomic<int> clashes{0};
  workspace.for_each_item(executor, items, [&](hs::Index item, hs::Workspace& own) {
    ++visits[static_cast<std::size_t>(item)];
    const auto mine = own.take<hs::Index>(100);
    for (hs::Index& value : mine) value = item;
    for (const hs::Index value : mine) clashes += value == item ? 0 : 1;
  });
  for (const auto& count : visits) CHECK(count == 1);
  CHECK(clashes == 0);
}

}  // namespace

TEST_CASE("for_each_item visits every item once, each with a workspace to itself", "[run_workspace]") {
  hs::ThreadPool pool(4);
  halfstep_tests::BackwardsExecutor backwards;
  halfstep_tests::FreshThreadsExecutor fresh(3);
  for (const hs::Index items : {0, 1, 2, 5, 64}) {
    CAPTURE(items);
    check_items({}, items);
    check_items(pool, items);
    check_items(backwards, items);
    check_items(fresh, items);
  }
}

TEST_CASE("for_each_item hands an exception on", "[run_workspace]") {
  hs::ThreadPool pool(3);
  hs::RunWorkspace workspace;
  const auto fail = [](hs::Index item, hs::Workspace&) {
    if (item == 7) throw std::runtime_error("seven");
  };
  CHECK_THROWS_AS(workspace.for_each_item(pool, 20, fail), std::runtime_error);
  CHECK_THROWS_AS(workspace.for_each_item({}, 20, fail), std::runtime_error);
}

TEST_CASE("a warm RunWorkspace allocates nothing", "[run_workspace]") {
  hs::RunWorkspace workspace;
  const auto run = [&] {
    const hs::Workspace::Scope scope(workspace.main());
    static_cast<void>(hs::take_matrix(workspace.main(), 30, 40));
    workspace.for_each_item({}, 5, [](hs::Index, hs::Workspace& own) { static_cast<void>(own.take<float>(500)); });
  };
  run();
  CHECK(halfstep_tests::allocations_of(run) == 0);
}
