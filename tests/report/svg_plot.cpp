#include "halfstep/report/svg_plot.hpp"

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "report/well_formed.hpp"
#include "support/catch.hpp"

using namespace halfstep::report;
using namespace halfstep_tests;

TEST_CASE("svg_plot: plots of any data stay inside their picture and well formed", "[report]") {
  const unsigned seed = GENERATE(21u, 22u, 23u);
  CAPTURE(seed);
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> unit(-1, 1);
  const auto number = [&] {
    const double special[] = {0, NAN, INFINITY, -INFINITY, 1e300, -1e-300, 1e301};
    const std::size_t kind = random() % 12;
    return kind < 7 && random() % 4 == 0 ? special[kind] : unit(random) * std::pow(10.0, 8 * unit(random));
  };
  const auto numbers = [&](std::size_t n) {
    std::vector<double> values;
    for (std::size_t i = 0; i < n; ++i) values.push_back(number());
    return values;
  };
  for (int round = 0; round < 60; ++round) {
    CAPTURE(round);
    const std::size_t n = random() % 40, series = random() % 10;
    const AxisScale scale = random() % 2 == 0 ? AxisScale::linear : AxisScale::log10;
    const double width = 200 + static_cast<double>(random() % 900);
    std::vector<LineSeries> lines;
    std::vector<BarSeries> bars;
    for (std::size_t s = 0; s < series; ++s) {
      lines.push_back({"series " + std::string(random() % 30, 'm'), numbers(n), numbers(n)});
      bars.push_back({"series", numbers(n)});
    }
    std::vector<std::string> labels;
    for (std::size_t l = 0; l < n; ++l) labels.push_back("site " + std::string(random() % 60, 'w'));
    CHECK(outside_view(
              line_plot(lines, {.y = {.scale = scale}, .references = {{number(), "r"}}, .width = width}).text) == "");
    for (const BarDirection direction : {BarDirection::horizontal, BarDirection::vertical}) {
      CHECK(
          outside_view(
              bar_plot(labels, bars, {.direction = direction, .references = {{number(), "r"}}, .width = width}).text) ==
          "");
    }
    HistogramLayer layer{"layer", {-5}, {}};
    for (std::size_t b = 0; b < n; ++b) {
      layer.edges.push_back(layer.edges.back() + 0.01 + std::abs(unit(random)));
      layer.counts.push_back(std::floor(1e5 * std::abs(unit(random))));
    }
    CHECK(
        outside_view(
            histogram_plot(
                {layer}, {.x = {.scale = scale}, .y = {.scale = scale}, .levels = {{"q", numbers(16)}}, .width = width})
                .text) == "");
  }
}
