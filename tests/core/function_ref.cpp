#include "halfstep/core/function_ref.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "support/catch.hpp"

namespace {

namespace hs = halfstep;
using hs::FunctionRef;

int twice(int x) { return 2 * x; }

struct Counter {
  int calls = 0;
  int operator()(int x) { return x + ++calls; }
};

struct Stateless {
  int operator()(int x) const { return x - 1; }
};

int call(FunctionRef<int(int)> f, int x) { return f(x); }

static_assert(std::is_trivially_copyable_v<FunctionRef<void()>>);
static_assert(sizeof(FunctionRef<void(double)>) == 2 * sizeof(void*));
static_assert(std::is_convertible_v<int (&)(int), FunctionRef<int(int)>>);
static_assert(std::is_convertible_v<Counter&, FunctionRef<int(int)>>);
static_assert(std::is_convertible_v<Counter&, FunctionRef<void(int)>>);
// Not callable as asked, or only through a conversion that is not there.
static_assert(!std::is_convertible_v<Counter&, FunctionRef<int(std::string)>>);
static_assert(!std::is_convertible_v<Counter&, FunctionRef<std::string(int)>>);
static_assert(!std::is_convertible_v<const Counter&, FunctionRef<int(int)>>);
static_assert(!std::is_convertible_v<int, FunctionRef<int(int)>>);
static_assert(!std::is_convertible_v<int Counter::*, FunctionRef<int(Counter&)>>);

struct Options {
  FunctionRef<bool(int)> progress;
};

}  // namespace

TEST_CASE("FunctionRef calls functions, lambdas and function objects", "[core][function_ref]") {
  CHECK(call(twice, 4) == 8);
  CHECK(call(&twice, 5) == 10);
  int (*pointer)(int) = twice;
  CHECK(call(pointer, 6) == 12);
  CHECK(call([](int x) { return x * x; }, 3) == 9);
  CHECK(call(Stateless{}, 3) == 2);
  int offset = 100;
  CHECK(call([&](int x) { return x + offset; }, 3) == 103);
  const std::function<int(int)> erased = [offset](int x) { return x - offset; };
  CHECK(call(erased, 3) == -97);
}

TEST_CASE("FunctionRef refers, it does not copy", "[core][function_ref]") {
  Counter counter;
  FunctionRef<int(int)> reference = counter;
  CHECK(reference(10) == 11);
  CHECK(reference(10) == 12);
  const FunctionRef<int(int)> copy = reference;
  CHECK(copy(10) == 13);
  CHECK(counter.calls == 3);
  Counter other;
  reference = other;
  CHECK(reference(0) == 1);
  CHECK(other.calls == 1);
  CHECK(counter.calls == 3);
  FunctionRef<int(int)> not_nested = copy;  // a copy refers to the counter, not to the reference it was made from
  reference = twice;
  CHECK(not_nested(0) == 4);
}

TEST_CASE("FunctionRef passes references and values that cannot be copied", "[core][function_ref]") {
  int target = 0;
  const auto assign = [](int& out, std::unique_ptr<int> in) -> int& { return out = *in, out; };
  const FunctionRef<int&(int&, std::unique_ptr<int>)> reference = assign;
  CHECK(&reference(target, std::make_unique<int>(7)) == &target);
  CHECK(target == 7);
  // A result that nobody asked for is dropped; one that converts is converted.
  Counter counter;
  const FunctionRef<void(int)> drops = counter;
  drops(1);
  CHECK(counter.calls == 1);
  CHECK(FunctionRef<double(int)>(twice)(2) == 4.0);
}

TEST_CASE("FunctionRef may be empty", "[core][function_ref]") {
  Options options;
  CHECK_FALSE(options.progress);
  options.progress = [](int step) { return step < 3; };
  CHECK(options.progress);
  CHECK(options.progress(2));
  CHECK_FALSE(options.progress(3));
}

TEST_CASE("FunctionRef of a lambda without captures outlives it", "[core][function_ref]") {
  std::optional<FunctionRef<int(int)>> kept;
  {
    const auto local = [](int x) { return x + 40; };
    kept = local;
  }
  CHECK((*kept)(2) == 42);
  const Options options{.progress = [](int step) { return step == 1; }};
  CHECK(options.progress(1));
}
