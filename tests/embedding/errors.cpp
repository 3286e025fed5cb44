// Errors on their way through threads: the caller gets the one that a plain loop would have thrown, for any executor,
// and the next call works.

#include <atomic>
#include <limits>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "halfstep/halfstep.hpp"
#include "support/catch.hpp"
#include "support/executors.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

namespace {

/// Fails in one of its runs, before, within or after the tasks, as an executor whose own queue is broken would.
class BrokenExecutor {
 public:
  explicit BrokenExecutor(int failing_run) : failing_run_(failing_run) {}
  void run(hs::Index tasks, hs::FunctionRef<void(hs::Index)> task) const {
    const bool fails = runs_++ == failing_run_;
    for (hs::Index i = 0; i < tasks; ++i) {
      if (fails && i == tasks / 2) throw std::logic_error("the pool is closed");
      task(i);
    }
  }
  [[nodiscard]] int concurrency() const { return 4; }
  [[nodiscard]] int runs() const { return runs_; }

 private:
  int failing_run_;
  mutable std::atomic<int> runs_{0};
};

hs::MatrixF matrix(hs::Index rows, hs::Index cols) {
  hs::MatrixF m(rows, cols);
  for (hs::Index i = 0; i < m.size(); ++i) m.data()[i] = static_cast<float>(i % 101) * 0.01f - 0.5f;
  return m;
}

template <class Executor>
void check_first_error(Executor& executor) {
  hs::MatrixF w = matrix(700, 300);
  w(613, 7) = std::numeric_limits<float>::infinity();
  w(402, 250) = std::numeric_limits<float>::quiet_NaN();
  w(402, 251) = -std::numeric_limits<float>::infinity();
  for (int i = 0; i < 3; ++i) {
    CHECK_RAISES(hs::quantize<hs::Uniform<4>>(w, {.executor = executor}),
                 "matrix is not finite: row 402, column 250 is nan");
    hs::Histogram histogram;
    CHECK_RAISES(histogram.observe(w, executor), "is not finite: row 402, column 250 is nan");
    hs::MinMax extremes(hs::per_row());
    CHECK_RAISES(extremes.observe(w, executor), "is not finite: row 402, column 250 is nan");
  }
  // And then everything works.
  w.setConstant(0.25f);
  const hs::PackedMatrix packed = hs::pack(hs::quantize<hs::Uniform<4>>(w, {.executor = executor}), executor);
  CHECK(hs::matmul(w, packed, {.executor = executor}) == hs::matmul(w, packed));
}

}  // namespace

TEST_CASE("the first error in row order, from any executor, and the next call works", "[errors]") {
  hs::SerialExecutor serial;
  check_first_error(serial);
  BackwardsExecutor backwards;
  check_first_error(backwards);
  FreshThreadsExecutor fresh(3);
  check_first_error(fresh);
  for (int threads = 1; threads <= 4; ++threads) {
    hs::ThreadPool pool(threads);
    check_first_error(pool);
  }
}

TEST_CASE("what a user's executor throws reaches the caller as it is", "[errors]") {
  const hs::MatrixF w = matrix(700, 300), x = matrix(200, 300);
  const hs::MatrixF expected = hs::matmul(x, hs::pack(hs::quantize<hs::Uniform<4>>(w)));
  const auto all = [&](const BrokenExecutor& executor) {
    return hs::matmul(x, hs::pack(hs::quantize<hs::Uniform<4>>(w, {.executor = executor}), executor),
                      {.executor = executor});
  };
  const BrokenExecutor sound(-1);
  CHECK(all(sound) == expected);
  CHECK(sound.runs() >= 3);
  for (int run = 0; run < sound.runs(); ++run) {
    const BrokenExecutor broken(run);
    CHECK_THROWS_AS(all(broken), std::logic_error);
    CHECK(all(broken) == expected);  // it fails once
  }
}

TEST_CASE("threads of the caller share a const weight and a pool, and call from within each other's tasks",
          "[errors]") {
  const hs::MatrixF w = matrix(300, 200), x = matrix(64, 200);
  const hs::PackedMatrix packed = hs::pack(hs::quantize<hs::Uniform<4>>(w, {.tiling = hs::per_group(32)}));
  const hs::MatrixF expected = hs::matmul(x, packed);
  hs::ThreadPool pool(3);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      hs::Workspace workspace;
      hs::MatrixF y(64, 300);
      for (int i = 0; i < 5; ++i) {
        hs::matmul_into(x, packed, y, workspace, {.executor = pool});
        wrong += y == expected ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  pool.run(6, [&](hs::Index) { wrong += hs::matmul(x, packed, {.executor = pool}) == expected ? 0 : 1; });
  CHECK(wrong == 0);
}

TEST_CASE("what a progress callback throws reaches the caller as it is, and the next call works", "[errors]") {
  const hs::MatrixF w = matrix(700, 304);
  const auto codebook = [&](hs::ExecutorRef executor, hs::ProgressCallback progress) {
    return hs::k_means<4, 16>(w, {.iterations = 4, .executor = executor, .progress = progress}).codebook;
  };
  const auto goes_on = [](const hs::Progress&) { return true; };
  const auto fails = [](const hs::Progress& p) {
    if (p.done == 2) throw std::logic_error("the window was closed");
    return true;
  };
  const auto expected = codebook({}, goes_on);
  CHECK_THROWS_WITH(codebook({}, fails), "the window was closed");
  for (int threads = 1; threads <= 4; ++threads) {
    hs::ThreadPool pool(threads);
    CHECK_THROWS_AS(codebook(pool, fails), std::logic_error);
    CHECK_THROWS_WITH(codebook(pool, fails), "the window was closed");
    CHECK(codebook(pool, goes_on) == expected);
  }
}
