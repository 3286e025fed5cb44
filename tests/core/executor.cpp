#include "halfstep/core/executor.hpp"

#include <type_traits>
#include <vector>

#include "support/catch.hpp"

namespace {

namespace hs = halfstep;
using hs::ExecutorRef;
using hs::FunctionRef;
using hs::Index;

/// What a program's own pool looks like to the library: nothing of halfstep's in its name, no base class.
struct BackwardsExecutor {
  int runs = 0;
  void run(Index tasks, FunctionRef<void(Index)> task) {
    ++runs;
    for (Index i = tasks - 1; i >= 0; --i) task(i);
  }
  int concurrency() { return 3; }
};

/// An executor of somebody who knows std::function only.
struct TemplateExecutor {
  template <class Task>
  void run(Index tasks, Task task) const {
    for (Index i = 0; i < tasks; ++i) task(i);
  }
  [[nodiscard]] unsigned short concurrency() const { return 2; }
};

struct NoConcurrency {
  void run(Index, FunctionRef<void(Index)>) {}
};

std::vector<Index> order_of_tasks(ExecutorRef executor, Index tasks) {
  std::vector<Index> order;
  executor.run(tasks, [&](Index task) { order.push_back(task); });
  return order;
}

static_assert(hs::Executor<hs::SerialExecutor>);
static_assert(hs::Executor<const hs::SerialExecutor>);
static_assert(hs::Executor<BackwardsExecutor>);
static_assert(!hs::Executor<const BackwardsExecutor>);
static_assert(hs::Executor<const TemplateExecutor>);
static_assert(hs::Executor<ExecutorRef>);
static_assert(!hs::Executor<NoConcurrency>);
static_assert(!hs::Executor<int>);
static_assert(std::is_trivially_copyable_v<ExecutorRef>);
static_assert(std::is_convertible_v<BackwardsExecutor&, ExecutorRef>);
// A temporary would be gone when the library uses it.
static_assert(!std::is_convertible_v<BackwardsExecutor, ExecutorRef>);
static_assert(!std::is_convertible_v<NoConcurrency&, ExecutorRef>);

}  // namespace

TEST_CASE("ExecutorRef is serial unless told otherwise", "[core][executor]") {
  const ExecutorRef executor;
  CHECK(executor.concurrency() == 1);
  CHECK(order_of_tasks(executor, 4) == std::vector<Index>{0, 1, 2, 3});
  CHECK(order_of_tasks(executor, 0).empty());
  hs::SerialExecutor serial;
  CHECK(serial.concurrency() == 1);
  CHECK(order_of_tasks(serial, 3) == std::vector<Index>{0, 1, 2});
}

TEST_CASE("ExecutorRef runs tasks through the executor it refers to", "[core][executor]") {
  BackwardsExecutor backwards;
  CHECK(order_of_tasks(backwards, 4) == std::vector<Index>{3, 2, 1, 0});
  CHECK(backwards.runs == 1);
  ExecutorRef executor = backwards;
  CHECK(executor.concurrency() == 3);
  ExecutorRef copy = executor;  // a copy, not a reference to a reference
  executor = ExecutorRef();
  CHECK(order_of_tasks(copy, 2) == std::vector<Index>{1, 0});
  CHECK(backwards.runs == 2);
  CHECK(order_of_tasks(executor, 2) == std::vector<Index>{0, 1});
}

TEST_CASE("ExecutorRef takes const executors and templates", "[core][executor]") {
  const TemplateExecutor executor;
  CHECK(ExecutorRef(executor).concurrency() == 2);
  CHECK(order_of_tasks(executor, 3) == std::vector<Index>{0, 1, 2});
}
