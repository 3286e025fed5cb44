#include "halfstep/core/progress.hpp"

#include <atomic>
#include <stdexcept>
#include <vector>

#include "support/catch.hpp"
#include "support/executors.hpp"

using namespace halfstep;

TEST_CASE("progress: steps are told in order, one at a time, from any number of threads") {
  const halfstep_tests::FreshThreadsExecutor threads(4);
  std::vector<Index> seen;  // unguarded on purpose: calls do not overlap
  const auto callback = [&](const Progress& p) {
    CHECK(p.total == 300);
    seen.push_back(p.done);
    return true;
  };
  ProgressCounter counter(callback, 300);
  threads.run(100, [&](Index) { counter.advance(3); });
  REQUIRE(seen.size() == 100);
  for (std::size_t i = 0; i < seen.size(); ++i) CHECK(seen[i] == 3 * static_cast<Index>(i + 1));
  CHECK(!counter.is_cancelled());
}

TEST_CASE("progress: nothing is called any more after the callback has said to stop") {
  int calls = 0;
  const auto callback = [&](const Progress& p) {
    ++calls;
    return p.done < 2;
  };
  ProgressCounter counter(callback, 5);
  for (int i = 0; i < 5; ++i) counter.advance(1);
  CHECK(calls == 2);
  CHECK(counter.is_cancelled());
}

TEST_CASE(
    "progress: without a callback steps are only counted; what one throws passes through, and the next may come") {
  ProgressCounter silent({}, 2);
  silent.advance(2);
  CHECK(!silent.is_cancelled());
  const auto callback = [](const Progress& p) -> bool {
    if (p.done == 1) throw std::runtime_error("stop");
    return true;
  };
  ProgressCounter counter(callback, 2);
  CHECK_THROWS_AS(counter.advance(1), std::runtime_error);
  counter.advance(1);
  CHECK(!counter.is_cancelled());
}
