#include "halfstep/recipes/step_meter.hpp"

#include <string>
#include <vector>

#include "halfstep/core/error.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("steps are told by name, from inside as well", "[step_meter]") {
  std::vector<std::string> told;
  const auto listen = [&](const hs::Progress& p) {
    told.push_back(hs::concat(p.done, "/", p.total, " ", p.next));
    return true;
  };
  hs::StepMeter meter(listen, 2);
  CHECK(meter.run("first", [](hs::ProgressCallback inside) { CHECK(inside({7, 9})); }));
  CHECK(meter.run("second", [](hs::ProgressCallback) {}));
  CHECK_FALSE(meter.is_cancelled());
  CHECK(told == std::vector<std::string>{"0/2 first", "0/2 first", "1/2 second", "2/2 "});
}

TEST_CASE("a step that is stopped does not count, and no other begins", "[step_meter]") {
  for (const int last : {0, 1, 2}) {
    int calls = 0, steps = 0, done = 0;
    const auto stop = [&](const hs::Progress&) { return calls++ < last; };
    hs::StepMeter meter(stop, 3);
    for (int i = 0; i < 3; ++i) {
      done += meter.run("step", [&](hs::ProgressCallback inside) {
        ++steps;
        if (i == 0) static_cast<void>(inside({}));
      });
    }
    CAPTURE(last);
    CHECK(meter.is_cancelled());
    CHECK(calls == last + 1);
    CHECK(steps == (last == 0 ? 0 : 1));
    CHECK(done == (last == 2 ? 1 : 0));
  }
  hs::StepMeter last(([](const hs::Progress& p) { return p.done < p.total; }), 1);
  CHECK(last.run("only", [](hs::ProgressCallback) {}));
  CHECK_FALSE(last.is_cancelled());  // too late
}

TEST_CASE("without a callback steps run, and are given none", "[step_meter]") {
  hs::StepMeter meter({}, 1);
  CHECK(meter.run("only", [](hs::ProgressCallback inside) { CHECK_FALSE(inside); }));
}
