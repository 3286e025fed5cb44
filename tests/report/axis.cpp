#include "halfstep/report/axis.hpp"

#include <cmath>
#include <initializer_list>
#include <random>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/special_values.hpp"

using namespace halfstep::report;
using namespace halfstep_tests;

namespace {

DataRange range_of(std::initializer_list<double> values, AxisScale scale = AxisScale::linear) {
  DataRange range(scale);
  for (const double value : values) range.include(value);
  return range;
}

Axis axis_of(std::initializer_list<double> values, AxisOptions options = {}, AxisFit fit = AxisFit::padded) {
  return make_axis(range_of(values, options.scale), options, fit, 6, "test");
}

std::vector<std::string> labels_of(const Axis& axis) {
  std::vector<std::string> labels;
  for (const Tick& tick : axis.ticks()) {
    if (!tick.label.empty()) labels.push_back(tick.label);
  }
  return labels;
}

using Labels = std::vector<std::string>;

}  // namespace

TEST_CASE("axis: what can be drawn", "[report]") {
  CHECK(drawable(0, AxisScale::linear));
  CHECK(drawable(-1e300, AxisScale::linear));
  CHECK_FALSE(drawable(1.1e300, AxisScale::linear));
  CHECK_FALSE(drawable(not_a_number, AxisScale::linear));
  CHECK_FALSE(drawable(infinity, AxisScale::log10));
  CHECK_FALSE(drawable(0, AxisScale::log10));
  CHECK_FALSE(drawable(-1, AxisScale::log10));
  CHECK(drawable(1e-300, AxisScale::log10));
}

TEST_CASE("axis: the range ignores what cannot be drawn", "[report]") {
  DataRange range(AxisScale::log10);
  CHECK(range.empty());
  CHECK_FALSE(range.include(not_a_number));
  CHECK_FALSE(range.include(0));
  CHECK(range.empty());
  CHECK(range.include(2));
  CHECK(range.include(8));
  CHECK((range.least() == 2 && range.greatest() == 8 && range.integers()));
  range.include(2.5);
  CHECK_FALSE(range.integers());
}

TEST_CASE("axis: steps are 1, 2 or 5 and cut into at most so many parts", "[report]") {
  CHECK(nice_step(10, 5) == 2);
  CHECK(nice_step(10, 10) == 1);
  CHECK(nice_step(1, 3) == Approx(0.5));
  CHECK(nice_step(0.07, 6) == Approx(0.02));
  CHECK(nice_step(5e9, 6) == Approx(1e9));
  for (double span = 1e-12; span < 1e12; span *= 1.37) {
    CAPTURE(span);
    CHECK(span / nice_step(span, 6) <= 6.000001);
    CHECK(span / nice_step(span, 6) > 6 / 2.5 * 0.999);  // the next smaller step would have been too fine
  }
}

TEST_CASE("axis: linear ticks are round and labelled", "[report]") {
  CHECK(labels_of(axis_of({0, 100}, {}, AxisFit::tight)) == Labels{"0", "20", "40", "60", "80", "100"});
  CHECK(labels_of(axis_of({-0.5, 1.0})) == Labels{"−0.5", "0.0", "0.5", "1.0"});
  CHECK(labels_of(axis_of({0, 60000}, {}, AxisFit::tight)) == Labels{"0", "10k", "20k", "30k", "40k", "50k", "60k"});
  CHECK(labels_of(axis_of({0, 2.5e6}, {}, AxisFit::tight)) == Labels{"0.0", "0.5M", "1.0M", "1.5M", "2.0M", "2.5M"});
  const Axis small = axis_of({0, 5e-5}, {.label = "MSE"}, AxisFit::tight);
  CHECK(labels_of(small) == Labels{"0", "1", "2", "3", "4", "5"});
  CHECK(small.title() == "MSE [×10⁻⁵]");
  CHECK(axis_of({0, 5e-5}, {.label = "KL", .unit = "nats"}, AxisFit::tight).title() == "KL [10⁻⁵ nats]");
  CHECK(axis_of({0, 5}, {.label = "KL", .unit = "nats"}).title() == "KL [nats]");
}

TEST_CASE("axis: integers have no ticks between them", "[report]") {
  CHECK(labels_of(axis_of({2, 4})) == Labels{"2", "3", "4"});
  CHECK(labels_of(axis_of({4})) == Labels{"4"});
  CHECK(labels_of(axis_of({2, 3.5})).size() > 3);
}

TEST_CASE("axis: logarithmic ticks", "[report]") {
  const AxisOptions log{.scale = AxisScale::log10};
  CHECK(labels_of(axis_of({1e-5, 1}, log, AxisFit::tight)) == Labels{"10⁻⁵", "10⁻⁴", "10⁻³", "10⁻²", "10⁻¹", "10⁰"});
  CHECK(labels_of(axis_of({0.01, 100}, log, AxisFit::tight)) == Labels{"0.01", "0.1", "1", "10", "100"});
  CHECK(labels_of(axis_of({1, 100}, log, AxisFit::tight)) == Labels{"1", "2", "5", "10", "20", "50", "100"});
  CHECK(labels_of(axis_of({1e-20, 1e4}, log, AxisFit::tight)).size() == 7);  // every fourth decade
  const Labels narrow = labels_of(axis_of({0.31, 0.45}, log));               // less than a decade
  CHECK(narrow.size() >= 3);
  const Axis axis = axis_of({1e-4, 1}, log, AxisFit::tight);
  CHECK(axis.position(1e-4) == Approx(0).margin(1e-12));
  CHECK(axis.position(1e-2) == Approx(0.5));
  CHECK(axis.position(1) == Approx(1));
  CHECK_FALSE(axis.shows(0));
}

TEST_CASE("axis: the interval covers the data, zero where asked, and is never empty", "[report]") {
  const Axis padded = axis_of({10, 20});
  CHECK((padded.least() < 10 && padded.least() > 9 && padded.greatest() > 20 && padded.greatest() < 21));
  const Axis bars = axis_of({10, 20}, {}, AxisFit::from_zero);
  CHECK(bars.least() == 0);
  CHECK(axis_of({-3, -1}, {}, AxisFit::from_zero).greatest() == 0);
  for (const double constant : {0.0, 5.0, -5.0, 5e-5, 1e299, -1e-300}) {
    CAPTURE(constant);
    for (const AxisFit fit : {AxisFit::padded, AxisFit::from_zero, AxisFit::tight}) {
      const Axis axis = axis_of({constant}, {}, fit);
      CHECK(axis.least() < axis.greatest());
      CHECK(axis.shows(constant));
      CHECK_FALSE(axis.ticks().empty());
    }
  }
}

TEST_CASE("axis: without data there are no ticks, unless the caller gave limits", "[report]") {
  const Axis empty = axis_of({});
  CHECK(empty.least() < empty.greatest());
  CHECK(empty.ticks().empty());
  CHECK(axis_of({}, {.scale = AxisScale::log10}).ticks().empty());
  CHECK(labels_of(axis_of({}, {.least = 0, .greatest = 4})) == Labels{"0", "1", "2", "3", "4"});
}

TEST_CASE("axis: limits of the caller are kept, impossible ones refused", "[report]") {
  const Axis axis = axis_of({3, 4}, {.least = 0, .greatest = 10});
  CHECK((axis.least() == 0 && axis.greatest() == 10));
  const Axis beyond = axis_of({3, 4}, {.least = 50});
  CHECK((beyond.least() == 50 && beyond.greatest() > 50));
  const Axis below = axis_of({3, 4}, {.greatest = -50});
  CHECK((below.greatest() == -50 && below.least() < -50));
  CHECK(axis_of({3, 4}, {.scale = AxisScale::log10, .least = 50}).greatest() == 500);
  CHECK_RAISES(axis_of({1}, {.label = "KL", .least = 2, .greatest = 2}), "test: axis \"KL\" goes from 2 to 2");
  CHECK_RAISES(axis_of({1}, {.label = "KL", .least = not_a_number}),
               "axis \"KL\" has limit nan, expected a finite number");
  CHECK_RAISES(axis_of({1}, {.scale = AxisScale::log10, .least = 0}), "expected a finite number of at least 1e-300");
  CHECK_RAISES(axis_of({1}, {.least = 1e17, .greatest = 1e17 + 16}), "clearly less");
}

TEST_CASE("axis: ticks of any data are few, ascending, inside and differently labelled", "[report]") {
  const unsigned seed = GENERATE(1u, 2u, 3u);
  CAPTURE(seed);
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> exponent(-290, 290), unit(-1, 1);
  for (int i = 0; i < 500; ++i) {
    const AxisScale scale = i % 2 == 0 ? AxisScale::linear : AxisScale::log10;
    DataRange range(scale);
    const double magnitude = std::pow(10.0, i % 3 == 0 ? exponent(random) : exponent(random) / 60);
    for (int k = 0; k < 3; ++k)
      range.include(scale == AxisScale::linear ? magnitude * unit(random) : magnitude * std::exp(9 * unit(random)));
    const Axis axis = make_axis(range, {.scale = scale}, AxisFit::padded, 6, "test");
    CAPTURE(i, axis.least(), axis.greatest());
    const Labels labels = labels_of(axis);
    CHECK(labels.size() >= 2);
    CHECK(labels.size() <= 13);  // 1, 2, 5 of two decades and a part at each end
    for (std::size_t t = 0; t < axis.ticks().size(); ++t) {
      const double position = axis.position(axis.ticks()[t].value);
      CHECK((position >= -1e-6 && position <= 1 + 1e-6));
      if (t > 0) CHECK(axis.ticks()[t - 1].value < axis.ticks()[t].value);
    }
    for (std::size_t t = 1; t < labels.size(); ++t) CHECK(labels[t - 1] != labels[t]);
  }
}
