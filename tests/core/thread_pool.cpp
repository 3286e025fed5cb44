#include "halfstep/core/thread_pool.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "halfstep/core/executor.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"

namespace {

namespace hs = halfstep;
using hs::Index;
using hs::ThreadPool;

static_assert(hs::Executor<ThreadPool>);
static_assert(!std::is_copy_constructible_v<ThreadPool>);
static_assert(!std::is_convertible_v<int, ThreadPool>);

/// Whether the pool calls each of `tasks` tasks once. What tasks write is plain memory: run must make it visible.
bool runs_each_once(ThreadPool& pool, Index tasks) {
  std::vector<int> calls(static_cast<std::size_t>(std::max<Index>(tasks, 0)));
  pool.run(tasks, [&](Index i) { ++calls[static_cast<std::size_t>(i)]; });
  return std::all_of(calls.begin(), calls.end(), [](int n) { return n == 1; });
}

/// Waits until `condition`, for at most ten seconds, so that a pool that starts no thread fails instead of hanging.
template <class Condition>
bool eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace

TEST_CASE("ThreadPool runs each task once, for any number of threads and tasks", "[core][thread_pool]") {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    CHECK(pool.concurrency() == threads);
    for (const Index tasks : {0, 1, 2, 3, 7, 8, 9, 100, 1000}) {
      CAPTURE(threads, tasks);
      for (int round = 0; round < 5; ++round) {
        if (!runs_each_once(pool, tasks)) FAIL("a task ran not at all or twice");
      }
    }
    CHECK(runs_each_once(pool, -1));  // nothing to do
  }
  CHECK(ThreadPool().concurrency() == ThreadPool::default_threads());
  CHECK(ThreadPool::default_threads() >= 1);
}

TEST_CASE("ThreadPool runs tasks at the same time, on the calling thread too", "[core][thread_pool]") {
  constexpr int threads = 4;
  ThreadPool pool(threads);
  std::atomic<int> arrived{0};
  std::atomic<bool> all_met{true};
  std::mutex mutex;
  std::set<std::thread::id> ids;
  pool.run(threads, [&](Index) {
    {
      const std::lock_guard lock(mutex);
      ids.insert(std::this_thread::get_id());
    }
    ++arrived;
    if (!eventually([&] { return arrived == threads; })) all_met = false;
  });
  CHECK(all_met);
  CHECK(ids.size() == threads);
  CHECK(ids.count(std::this_thread::get_id()) == 1);
}

TEST_CASE("ThreadPool hands the lowest task's exception to the caller and works on", "[core][thread_pool]") {
  for (const int threads : {1, 2, 5}) {
    CAPTURE(threads);
    ThreadPool pool(threads);
    for (int round = 0; round < 50; ++round) {
      std::string message;
      try {
        pool.run(40, [](Index i) {
          if (i >= 13) throw std::runtime_error("task " + std::to_string(i));
        });
      } catch (const std::runtime_error& error) {
        message = error.what();
      }
      CHECK(message == "task 13");
    }
    CHECK(runs_each_once(pool, 100));
  }
}

TEST_CASE("ThreadPool: tasks may run tasks", "[core][thread_pool]") {
  for (const int threads : {1, 2, 4}) {
    CAPTURE(threads);
    ThreadPool pool(threads);
    std::atomic<int> leaves{0};
    pool.run(6, [&](Index) { pool.run(5, [&](Index) { pool.run(4, [&](Index) { ++leaves; }); }); });
    CHECK(leaves == 120);
  }
}

TEST_CASE("ThreadPool: several threads use one pool", "[core][thread_pool]") {
  ThreadPool pool(3);
  std::atomic<int> wrong{0};
  std::vector<std::thread> users;
  for (int u = 0; u < 4; ++u) {
    users.emplace_back([&, u] {
      for (int round = 0; round < 100; ++round) {
        const Index tasks = 1 + (7 * u + round) % 20;
        std::vector<Index> results(static_cast<std::size_t>(tasks));
        pool.run(tasks, [&](Index i) { results[static_cast<std::size_t>(i)] = i + u; });
        const Index sum = std::accumulate(results.begin(), results.end(), Index{0});
        if (sum != tasks * (tasks - 1) / 2 + tasks * u) ++wrong;
        // One user's error stays with that user.
        try {
          pool.run(tasks, [&](Index i) {
            if (i == tasks / 2) throw u;
          });
          ++wrong;
        } catch (int thrown) {
          if (thrown != u) ++wrong;
        }
      }
    });
  }
  for (std::thread& user : users) user.join();
  CHECK(wrong == 0);
}

TEST_CASE("ThreadPool: a caller does not wait for a thread that is busy elsewhere", "[core][thread_pool]") {
  ThreadPool pool(2);
  std::atomic<int> blocked{0};
  std::atomic<bool> finished{false};
  std::atomic<bool> in_time{true};
  std::thread user([&] {
    pool.run(2, [&](Index) {  // occupies this thread and the pool's only one
      ++blocked;
      if (!eventually([&] { return finished.load(); })) in_time = false;
    });
  });
  CHECK(eventually([&] { return blocked == 2; }));
  CHECK(runs_each_once(pool, 50));
  finished = true;
  user.join();
  CHECK(in_time);
}

TEST_CASE("ThreadPool comes and goes, used or not", "[core][thread_pool]") {
  for (int round = 0; round < 50; ++round) {
    const ThreadPool unused(3);
    ThreadPool used(3);
    if (!runs_each_once(used, 4)) FAIL("a task ran not at all or twice");
  }
  SUCCEED();
}

TEST_CASE("ThreadPool: run allocates nothing", "[core][thread_pool]") {
  ThreadPool pool(3);
  std::atomic<Index> sum{0};
  const auto run = [&] { pool.run(100, [&](Index i) { sum += i; }); };
  run();
  CHECK(halfstep_tests::allocations_of([&] {
          for (int round = 0; round < 20; ++round) run();
        }) == 0);
  CHECK(sum == 21 * 4950);
}

TEST_CASE("ThreadPool refuses to have no thread", "[core][thread_pool]") {
  CHECK_RAISES(ThreadPool(0), "halfstep: ThreadPool: threads is 0, expected at least 1");
  CHECK_RAISES(ThreadPool(-7), "ThreadPool: threads is -7");
}
