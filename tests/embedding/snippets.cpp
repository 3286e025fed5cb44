// The code of docs/embedding.md and docs/isa.md, compiled and run.

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "halfstep/halfstep.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;

namespace {

/// A pool as a program might have one: functions in, and a wait for all of them.
class AppPool {
 public:
  [[nodiscard]] int size() const { return 3; }
  void submit(std::function<void()> job) { threads_.emplace_back(std::move(job)); }
  void wait() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  std::vector<std::thread> threads_;
};

// [snippet own_executor]
/// The program's own pool as an executor of halfstep's: any type with these two functions is one.
struct AppExecutor {
  AppPool& pool;

  void run(hs::Index tasks, hs::FunctionRef<void(hs::Index)> task) const {
    for (hs::Index i = 1; i < tasks; ++i) pool.submit([task, i] { task(i); });
    if (tasks > 0) task(0);  // the calling thread works, too
    pool.wait();             // `run` returns when all tasks have
  }
  [[nodiscard]] int concurrency() const { return pool.size(); }
};
// [end own_executor]

}  // namespace

TEST_CASE("a pool of the program's own as an executor", "[snippets]") {
  const hs::MatrixF w = hs::MatrixF::Random(300, 200), x = hs::MatrixF::Random(64, 200);
  AppPool pool;
  const AppExecutor executor{pool};
  const hs::PackedMatrix packed = hs::pack(hs::quantize<hs::Uniform<4>>(w, {.executor = executor}), executor);
  CHECK(hs::matmul(x, packed, {.executor = executor}) == hs::matmul(x, packed));
}

TEST_CASE("what explain and build_info say", "[snippets]") {
  const hs::MatrixF w = hs::MatrixF::Random(30, 200), x = hs::MatrixF::Random(4, 200);
  const hs::PackedMatrix packed = hs::pack(hs::quantize<hs::Uniform<4>>(w, {.tiling = hs::per_group(32)}));
  std::string log;
  // [snippet explain]
  log += hs::concat(hs::build_info(), '\n');        // halfstep 0.1.0 (v0_1_avx2_xabcdhijklm), avx2, g++ 12.2.0
  log += hs::concat(hs::explain(x, packed), '\n');  // avx2 kernel, 1 int8 product, 1 thread, slower because ...
  // [end explain]
  CHECK(log.find("groups of 32") != std::string::npos);
}
