#include "halfstep/report/bar_plot.hpp"

#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "report/well_formed.hpp"
#include "support/catch.hpp"
#include "support/special_values.hpp"

using namespace halfstep::report;
using namespace halfstep_tests;

namespace {

std::vector<std::string> sites() {
  std::vector<std::string> names{"patch_embed"};
  for (int block = 0; block < 4; ++block) {
    for (const char* product : {"attn.qkv", "attn.qk", "attn.pv", "attn.proj", "mlp.fc1", "mlp.fc2"}) {
      names.push_back("blocks." + std::to_string(block) + "." + product);
    }
  }
  names.push_back("head");
  return names;
}

/// Width or height of every bar: rectangles with a tooltip come as an element followed by its title.
std::vector<double> bar_sizes(const std::string& svg, const char* dimension) {
  std::vector<double> sizes;
  for (const Element& element : MarkupReader(svg).elements) {
    const bool bar = element.name == "rect" && element.attribute("rx") == "1.5";
    if (bar) sizes.push_back(std::strtod(element.attribute(dimension).c_str(), nullptr));
  }
  return sizes;
}

}  // namespace

TEST_CASE("bar_plot: many labelled sites, each with its bar and number", "[report]") {
  const std::vector<std::string> labels = sites();
  std::vector<double> values;
  for (std::size_t i = 0; i < labels.size(); ++i) values.push_back(12.25 + static_cast<double>(i));
  const BarDirection direction = GENERATE(BarDirection::horizontal, BarDirection::vertical);
  const std::string svg = bar_plot(labels, {{"", values}},
                                   {.title = "SQNR by site",
                                    .value = {.label = "SQNR", .unit = "dB"},
                                    .direction = direction,
                                    .references = {{20, "20 dB"}},
                                    .emphasize_below = 20.0})
                              .text;
  INFO(svg);
  CHECK(labels.size() == 26);
  CHECK(outside_view(svg).empty());
  CHECK_FALSE(refers_outside(svg));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    CHECK(contains(svg, ">" + labels[i] + "<"));
    CHECK(contains(svg, "<title>" + labels[i] + ": " + number_text(values[i], {.digits = 1}) + " dB</title>"));
  }
  CHECK(contains(svg, ">SQNR [dB]<"));
  CHECK(contains(svg, ">below 20 dB<"));
  CHECK(contains(svg, ">20 dB<"));
  CHECK(bar_sizes(svg, "width").size() == 26);
  CHECK(count_of(svg, "<rect class=\"f1\"") == 8 + 1);  // 12.25 .. 19.25, and the key of the legend
}

TEST_CASE("bar_plot: lengths are proportional to values", "[report]") {
  const BarDirection direction = GENERATE(BarDirection::horizontal, BarDirection::vertical);
  const std::string svg = bar_plot({"a", "b", "c", "d"}, {{"", {1, 2, -1, 0}}}, {.direction = direction}).text;
  const std::vector<double> sizes = bar_sizes(svg, direction == BarDirection::horizontal ? "width" : "height");
  REQUIRE(sizes.size() == 4);
  CHECK(sizes[1] == Approx(2 * sizes[0]).margin(0.02));
  CHECK(sizes[2] == Approx(sizes[0]).margin(0.02));
  CHECK(sizes[3] == 0);
  CHECK(contains(svg, ">−1.0<"));
  CHECK(outside_view(svg).empty());
}

TEST_CASE("bar_plot: several series have a legend and stand side by side", "[report]") {
  const BarDirection direction = GENERATE(BarDirection::horizontal, BarDirection::vertical);
  const std::string svg =
      bar_plot({"x", "y"}, {{"before", {1, 2}}, {"after", {3, 4}}}, {.direction = direction, .emphasize_below = 2.0})
          .text;
  CHECK(outside_view(svg).empty());
  CHECK(contains(svg, ">before<"));
  CHECK(contains(svg, ">after<"));
  CHECK(contains(svg, "<title>y, after: 4.0</title>"));
  CHECK_FALSE(contains(svg, "below"));  // two series need their colours for themselves
  CHECK(bar_sizes(svg, "width").size() == 4);
}

TEST_CASE("bar_plot: values that are not finite have no bar and are counted", "[report]") {
  const BarDirection direction = GENERATE(BarDirection::horizontal, BarDirection::vertical);
  const std::string svg = bar_plot({"a", "b", "c"}, {{"", {not_a_number, 3, -std::numeric_limits<double>::infinity()}}},
                                   {.direction = direction})
                              .text;
  CHECK(outside_view(svg).empty());
  CHECK(bar_sizes(svg, "width").size() == 1);
  CHECK(contains(svg, ">nan<"));
  CHECK(contains(svg, "Left out: 2 values (2 not finite)"));
}

TEST_CASE("bar_plot: nothing, all zero, one value, no axis to zero", "[report]") {
  const BarDirection direction = GENERATE(BarDirection::horizontal, BarDirection::vertical);
  const BarPlotOptions options{.title = "t", .direction = direction};
  for (const std::string& svg :
       {bar_plot({}, {}, options).text, bar_plot({}, {{"s", {}}}, options).text, bar_plot({"a"}, {}, options).text}) {
    CHECK(outside_view(svg).empty());
    CHECK(contains(svg, ">no data<"));
  }
  CHECK(outside_view(bar_plot({"a", "b"}, {{"", {0, 0}}}, options).text).empty());
  CHECK(outside_view(bar_plot({"a"}, {{"", {not_a_number}}}, options).text).empty());
  const std::string one = bar_plot({"only"}, {{"", {1e-7}}}, options).text;
  CHECK(outside_view(one).empty());
  CHECK(contains(one, ">1e−07<"));  // one digit after the point would be zero
  const std::string cut =
      bar_plot({"a", "b"}, {{"", {95, 250}}}, {.value = {.least = 90, .greatest = 100}, .direction = direction}).text;
  CHECK(outside_view(cut).empty());
  CHECK(contains(cut, "250.0"));
}

TEST_CASE("bar_plot: long and strange labels are cut, escaped and kept in tooltips", "[report]") {
  const std::string name =
      "model.<layers>.0.a_very_long_name_of_a_product_that_would_fill_the_whole_picture_and_more_of_it";
  const BarDirection direction = GENERATE(BarDirection::horizontal, BarDirection::vertical);
  const std::string svg = bar_plot({name, "b"}, {{"", {1, 2}}}, {.direction = direction}).text;
  CHECK(outside_view(svg).empty());
  CHECK(contains(svg, "…</text>"));
  CHECK(contains(svg, "<title>" + escape_markup(name) + ": 1.0</title>"));
}

TEST_CASE("bar_plot: wrong calls are refused", "[report]") {
  CHECK_RAISES(bar_plot({"a", "b"}, {{"SQNR", {1}}}), "series \"SQNR\" has 1 values, expected 2, one per label");
  CHECK_RAISES(bar_plot({"a"}, {{"", {1}}}, {.value = {.scale = AxisScale::log10}}), "value.scale is logarithmic");
}
