// Compiled with OpenMP where the compiler has it; without, there is no OpenMpExecutor to test.
#if defined(_OPENMP)

#include "halfstep/core/openmp.hpp"

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "halfstep/core/executor.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "support/catch.hpp"

namespace {

namespace hs = halfstep;
using hs::Index;
using hs::OpenMpExecutor;

static_assert(hs::Executor<OpenMpExecutor>);
static_assert(hs::Executor<const OpenMpExecutor>);

}  // namespace

TEST_CASE("OpenMpExecutor runs each task once", "[core][openmp]") {
  for (const int threads : {1, 2, 4}) {
    const OpenMpExecutor executor(threads);
    CHECK(executor.concurrency() == threads);
    for (const Index tasks : {0, 1, 2, 7, 1000}) {
      CAPTURE(threads, tasks);
      std::vector<int> calls(static_cast<std::size_t>(tasks));
      executor.run(tasks, [&](Index i) { ++calls[static_cast<std::size_t>(i)]; });
      CHECK(std::all_of(calls.begin(), calls.end(), [](int n) { return n == 1; }));
    }
  }
  CHECK(OpenMpExecutor().concurrency() == omp_get_max_threads());
}

TEST_CASE("OpenMpExecutor uses the threads it was given", "[core][openmp]") {
  const OpenMpExecutor executor(3);
  std::atomic<int> team{0};
  executor.run(10, [&](Index) { team = omp_get_num_threads(); });
  CHECK(team == 3);
}

TEST_CASE("OpenMpExecutor hands the lowest task's exception to the caller", "[core][openmp]") {
  const OpenMpExecutor executor(4);
  for (int round = 0; round < 20; ++round) {
    std::string message;
    try {
      executor.run(40, [](Index i) {
        if (i >= 13) throw std::runtime_error("task " + std::to_string(i));
      });
    } catch (const std::runtime_error& error) {
      message = error.what();
    }
    CHECK(message == "task 13");
  }
}

TEST_CASE("OpenMpExecutor: loops of the library nest on it", "[core][openmp]") {
  const OpenMpExecutor executor(3);
  std::atomic<Index> sum{0};
  hs::parallel_for(executor, 20, 1, [&](Index first, Index last) {
    for (Index i = first; i < last; ++i) {
      hs::parallel_for(executor, 30, 1, [&](Index begin, Index end) { sum += end - begin; });
    }
  });
  CHECK(sum == 600);
}

TEST_CASE("OpenMpExecutor refuses to have no thread", "[core][openmp]") {
  CHECK_RAISES(OpenMpExecutor(0), "halfstep: OpenMpExecutor: threads is 0, expected at least 1");
}

#endif
