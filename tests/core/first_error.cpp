#include "halfstep/core/first_error.hpp"

#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/catch.hpp"

namespace {

namespace hs = halfstep;
using hs::Index;

std::optional<std::string> thrown_by(hs::FirstError& error) {
  try {
    error.rethrow();
  } catch (const std::runtime_error& caught) {
    return caught.what();
  }
  return std::nullopt;
}

void fail(Index number) { throw std::runtime_error("task " + std::to_string(number)); }

}  // namespace

TEST_CASE("FirstError: without an error there is nothing to throw", "[core][first_error]") {
  hs::FirstError error;
  int calls = 0;
  error.run(3, [&](Index) { ++calls; });
  error.run(1, [&](Index) { ++calls; });
  CHECK(calls == 2);
  CHECK_FALSE(thrown_by(error));
}

TEST_CASE("FirstError keeps the error of the lowest number, whenever it comes", "[core][first_error]") {
  hs::FirstError error;
  error.run(5, fail);
  error.run(3, fail);
  bool above = false;
  error.run(4, [&](Index number) {
    above = true;
    fail(number);
  });
  CHECK_FALSE(above);  // skipped: what it does cannot matter any more
  bool below = false;
  error.run(2, [&](Index) { below = true; });
  CHECK(below);
  CHECK(thrown_by(error) == "task 3");
  CHECK_FALSE(thrown_by(error));  // thrown once
}

TEST_CASE("FirstError keeps exceptions that are no std::exception", "[core][first_error]") {
  hs::FirstError error;
  error.run(0, [](Index) { throw 42; });
  CHECK_THROWS_AS(error.rethrow(), int);
}

TEST_CASE("FirstError: many threads that fail at once", "[core][first_error]") {
  for (int round = 0; round < 50; ++round) {
    hs::FirstError error;
    std::vector<std::thread> threads;
    for (Index t = 0; t < 4; ++t) {
      threads.emplace_back([&error, t] {
        for (Index i = 0; i < 25; ++i) error.run(1000 - 4 * i - t, fail);
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(thrown_by(error) == "task 901");
  }
}
