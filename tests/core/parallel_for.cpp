#include "halfstep/core/parallel_for.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "halfstep/core/thread_pool.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

namespace {

namespace hs = halfstep;
using hs::ExecutorRef;
using hs::Index;

using Range = std::pair<Index, Index>;
using Chunk = std::tuple<Index, Index, Index>;

std::vector<Range> ranges_of(ExecutorRef executor, Index count, Index grain) {
  std::mutex mutex;
  std::vector<Range> ranges;
  hs::parallel_for(executor, count, grain, [&](Index begin, Index end) {
    const std::lock_guard lock(mutex);
    ranges.emplace_back(begin, end);
  });
  std::sort(ranges.begin(), ranges.end());
  return ranges;
}

std::vector<Chunk> chunks_of(ExecutorRef executor, Index count, Index chunk_size) {
  std::mutex mutex;
  std::vector<Chunk> chunks;
  hs::parallel_chunks(executor, count, chunk_size, [&](Index chunk, Index begin, Index end) {
    const std::lock_guard lock(mutex);
    chunks.emplace_back(chunk, begin, end);
  });
  std::sort(chunks.begin(), chunks.end());
  return chunks;
}

/// Calls `check(executor)` with one executor of each kind.
template <class Check>
void for_each_executor(Check check) {
  const hs::SerialExecutor serial;
  const halfstep_tests::BackwardsExecutor backwards;
  const halfstep_tests::FreshThreadsExecutor fresh(3);
  hs::ThreadPool pool(4);
  check(ExecutorRef(), "default");
  check(ExecutorRef(serial), "serial");
  check(ExecutorRef(backwards), "backwards");
  check(ExecutorRef(fresh), "fresh threads");
  check(ExecutorRef(pool), "pool");
}

template <class Call>
std::optional<std::string> runtime_error_of(Call call) {
  try {
    call();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return std::nullopt;
}

}  // namespace

TEST_CASE("chunk_count rounds up and does not overflow", "[core][parallel_for]") {
  constexpr Index largest = std::numeric_limits<Index>::max();
  static_assert(hs::chunk_count(0, 5) == 0);
  static_assert(hs::chunk_count(1, 5) == 1);
  static_assert(hs::chunk_count(5, 5) == 1);
  static_assert(hs::chunk_count(6, 5) == 2);
  static_assert(hs::chunk_count(largest, 1) == largest);
  static_assert(hs::chunk_count(largest, largest) == 1);
  CHECK(hs::chunk_count(largest, largest - 1) == 2);
}

TEST_CASE("parallel_for covers each element once, in ranges that start at multiples of the grain",
          "[core][parallel_for]") {
  for_each_executor([](ExecutorRef executor, const char* name) {
    for (const Index count : {0, 1, 2, 7, 63, 64, 65, 997}) {
      for (const Index grain : {1, 2, 7, 64, 1000}) {
        CAPTURE(name, count, grain);
        const std::vector<Range> ranges = ranges_of(executor, count, grain);
        Index at = 0;
        bool aligned = true;
        for (const auto& [begin, end] : ranges) {
          if (begin != at || end <= begin) FAIL("a hole, an overlap or an empty range");
          aligned = aligned && begin % grain == 0;
          at = end;
        }
        CHECK(at == count);
        CHECK(aligned);
        if (count > 0 && count <= grain) CHECK(ranges.size() == 1);
        if (executor.concurrency() == 1) CHECK(ranges.size() == (count > 0 ? 1 : 0));
        CHECK(static_cast<Index>(ranges.size()) <= 4 * executor.concurrency());
      }
    }
  });
}

TEST_CASE("parallel_for gives an executor enough ranges to share", "[core][parallel_for]") {
  const halfstep_tests::BackwardsExecutor four(4);
  CHECK(ranges_of(four, 1600, 1).size() == 16);
  CHECK(ranges_of(four, 8, 2) == std::vector<Range>{{0, 2}, {2, 4}, {4, 6}, {6, 8}});
  CHECK(ranges_of(four, 3, 2) == std::vector<Range>{{0, 2}, {2, 3}});
}

TEST_CASE("parallel_chunks: chunks do not depend on the executor", "[core][parallel_for]") {
  for (const Index count : {0, 1, 5, 64, 997}) {
    for (const Index size : {1, 3, 64, 1000}) {
      std::vector<Chunk> expected;
      for (Index begin = 0; begin < count; begin += size) {
        expected.emplace_back(begin / size, begin, std::min(begin + size, count));
      }
      for_each_executor([&](ExecutorRef executor, const char* name) {
        CAPTURE(name, count, size);
        CHECK(chunks_of(executor, count, size) == expected);
      });
    }
  }
}

TEST_CASE("parallel_chunks: a sum over numbered chunks is the same for every executor", "[core][parallel_for]") {
  constexpr Index count = 10007;
  std::vector<double> values(count);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 1.0 / static_cast<double>(i + 1);
  std::vector<double> sums;
  for_each_executor([&](ExecutorRef executor, const char*) {
    std::vector<double> partial(static_cast<std::size_t>(hs::chunk_count(count, 100)));
    hs::parallel_chunks(executor, count, 100, [&](Index chunk, Index begin, Index end) {
      double sum = 0;
      for (Index i = begin; i < end; ++i) sum += values[static_cast<std::size_t>(i)];
      partial[static_cast<std::size_t>(chunk)] = sum;
    });
    double sum = 0;
    for (const double p : partial) sum += p;
    sums.push_back(sum);
  });
  for (const double sum : sums) CHECK(sum == sums.front());
}

TEST_CASE("small work stays on the calling thread and off the executor", "[core][parallel_for]") {
  struct Refuses {
    void run(Index, hs::FunctionRef<void(Index)>) { throw std::logic_error("run was called"); }
    int concurrency() { return 8; }
  };
  Refuses refuses;
  int calls = 0;
  hs::parallel_for(refuses, 10, 10, [&](Index begin, Index end) { calls += begin == 0 && end == 10; });
  hs::parallel_chunks(refuses, 10, 10, [&](Index chunk, Index, Index) { calls += chunk == 0; });
  hs::parallel_for(refuses, 0, 10, [&](Index, Index) { calls += 100; });
  hs::parallel_chunks(refuses, 0, 10, [&](Index, Index, Index) { calls += 100; });
  CHECK(calls == 2);
  CHECK_THROWS_AS(hs::parallel_for(refuses, 11, 10, [](Index, Index) {}), std::logic_error);
}

TEST_CASE("the error of the lowest chunk reaches the caller, for any executor", "[core][parallel_for]") {
  for_each_executor([](ExecutorRef executor, const char* name) {
    CAPTURE(name);
    for (int round = 0; round < 20; ++round) {
      const auto message = runtime_error_of([&] {
        hs::parallel_chunks(executor, 100, 1, [](Index chunk, Index, Index) {
          if (chunk % 10 == 7) throw std::runtime_error("chunk " + std::to_string(chunk));
        });
      });
      CHECK(message == "chunk 7");
      // Ranges depend on the executor; the first element that fails does not, if bodies go through them in order.
      const auto element = runtime_error_of([&] {
        hs::parallel_for(executor, 1000, 3, [](Index begin, Index end) {
          for (Index i = begin; i < end; ++i) {
            if (i % 100 == 41) throw std::runtime_error("element " + std::to_string(i));
          }
        });
      });
      CHECK(element == "element 41");
      CHECK(ranges_of(executor, 10, 10).size() == 1);  // the next call works
    }
  });
}

TEST_CASE("a library error keeps its type on its way through an executor", "[core][parallel_for]") {
  for_each_executor([](ExecutorRef executor, const char* name) {
    CAPTURE(name);
    CHECK_RAISES(hs::parallel_for(executor, 100, 1, [](Index, Index) { hs::raise("inner", "row is bad"); }),
                 "halfstep: inner: row is bad");
  });
}

TEST_CASE("parallel loops nest", "[core][parallel_for]") {
  for_each_executor([](ExecutorRef executor, const char* name) {
    CAPTURE(name);
    std::vector<std::atomic<int>> visits(20 * 30);
    hs::parallel_for(executor, 20, 1, [&](Index first, Index last) {
      for (Index r = first; r < last; ++r) {
        hs::parallel_for(executor, 30, 1, [&, r](Index begin, Index end) {
          for (Index c = begin; c < end; ++c) ++visits[static_cast<std::size_t>(r * 30 + c)];
        });
      }
    });
    CHECK(std::all_of(visits.begin(), visits.end(), [](const std::atomic<int>& v) { return v == 1; }));
    // An error of an inner loop is an error of the body around it.
    const auto message = runtime_error_of([&] {
      hs::parallel_chunks(executor, 6, 1, [&](Index outer, Index, Index) {
        hs::parallel_chunks(executor, 6, 1, [&](Index inner, Index, Index) {
          if (outer >= 2 && inner >= 3) throw std::runtime_error(std::to_string(outer) + "." + std::to_string(inner));
        });
      });
    });
    CHECK(message == "2.3");
  });
}

TEST_CASE("parallel loops allocate nothing", "[core][parallel_for]") {
  hs::ThreadPool pool(3);
  std::atomic<Index> sum{0};
  const auto loop = [&] {
    hs::parallel_for(pool, 1000, 10, [&](Index begin, Index end) { sum += end - begin; });
    hs::parallel_chunks(pool, 1000, 10, [&](Index, Index begin, Index end) { sum += end - begin; });
  };
  loop();
  CHECK(halfstep_tests::allocations_of(loop) == 0);
  CHECK(sum == 4000);
}

TEST_CASE("parallel loops name wrong sizes", "[core][parallel_for]") {
  const ExecutorRef executor;
  CHECK_RAISES(hs::parallel_for(executor, -1, 1, [](Index, Index) {}),
               "halfstep: parallel_for: count is -1, expected at least 0");
  CHECK_RAISES(hs::parallel_for(executor, 1, 0, [](Index, Index) {}), "parallel_for: grain is 0, expected at least 1");
  CHECK_RAISES(hs::parallel_chunks(executor, -2, 1, [](Index, Index, Index) {}), "parallel_chunks: count is -2");
  CHECK_RAISES(hs::parallel_chunks(executor, 1, -3, [](Index, Index, Index) {}), "parallel_chunks: chunk_size is -3");
}
