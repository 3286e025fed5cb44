#include "halfstep/report/line_plot.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "report/well_formed.hpp"
#include "support/catch.hpp"
#include "support/special_values.hpp"

using namespace halfstep::report;
using namespace halfstep_tests;

namespace {

/// The `d` of the first curve.
std::string first_path(const std::string& svg) {
  for (const Element& element : MarkupReader(svg).elements) {
    if (element.name == "path") return element.attribute("d");
  }
  return {};
}

}  // namespace

TEST_CASE("line_plot: series, names, numbers, titles and references are there", "[report]") {
  const std::vector<double> bits{2, 3, 4, 8};
  const std::string svg =
      line_plot({{"round <nearest>", bits, {10, 31, 71.2, 97.5}}, {"AdaLog", bits, {22, 88, 96.9, 97.6}}},
                {.title = "Accuracy & bits",
                 .subtitle = "glyph_vit",
                 .x = {.label = "bits"},
                 .y = {.label = "top-1", .unit = "%"},
                 .references = {{97.7, "float 97.7 %"}}})
          .text;
  INFO(svg);
  CHECK(outside_view(svg).empty());
  CHECK_FALSE(refers_outside(svg));
  for (const char* part : {"Accuracy &amp; bits", "glyph_vit", ">bits<", ">top-1 [%]<", "round &lt;nearest&gt;",
                           ">AdaLog<", "float 97.7 %", "<title>AdaLog: 96.9 % at 4</title>"}) {
    CAPTURE(part);
    CHECK(contains(svg, part));
  }
  CHECK(count_of(svg, "class=\"curve") == 4);       // two lines and their keys
  CHECK(count_of(svg, "class=\"marker") == 8 + 2);  // all points and the keys
  CHECK_FALSE(contains(svg, "Left out"));
}

TEST_CASE("line_plot: points lie where the axes say", "[report]") {
  const std::string svg =
      line_plot({{"", {0, 5, 10}, {0, 10, 5}}},
                {.x = {.least = 0, .greatest = 10}, .y = {.least = 0, .greatest = 10}, .height = 200})
          .text;
  double x0 = 0, y0 = 0, x1 = 0, y1 = 0, x2 = 0, y2 = 0;
  REQUIRE(std::sscanf(first_path(svg).c_str(), "M%lf %lfL%lf %lfL%lf %lf", &x0, &y0, &x1, &y1, &x2, &y2) == 6);
  CHECK(x1 - x0 == Approx(x2 - x1).margin(0.02));  // two digits after the point are written
  CHECK(y0 - y1 == Approx(200).margin(0.02));
  CHECK(y0 - y2 == Approx(100).margin(0.02));
}

TEST_CASE("line_plot: a logarithmic axis makes powers even", "[report]") {
  const std::string svg = line_plot({{"", {1, 2, 3}, {1e-4, 1e-2, 1}}}, {.y = {.scale = AxisScale::log10}}).text;
  double x[3], y[3];
  REQUIRE(std::sscanf(first_path(svg).c_str(), "M%lf %lfL%lf %lfL%lf %lf", &x[0], &y[0], &x[1], &y[1], &x[2], &y[2]) ==
          6);
  CHECK(y[0] - y[1] == Approx(y[1] - y[2]).margin(0.02));
  CHECK(contains(svg, ">10⁻⁴<"));
}

TEST_CASE("line_plot: what cannot be drawn leaves a gap and is counted", "[report]") {
  const std::string svg = line_plot({{"KL", {1, 2, 3, 4, 5, not_a_number}, {1, 0.1, not_a_number, 0, 1e-3, 1}}},
                                    {.y = {.scale = AxisScale::log10}})
                              .text;
  CHECK(outside_view(svg).empty());
  CHECK(count_of(first_path(svg), "M") == 2);
  CHECK(contains(svg, "Left out: 3 points (2 not finite, 1 not above 0"));
  const std::string limited = line_plot({{"", {1, 2, 3}, {1, 200, 3}}}, {.y = {.greatest = 10}}).text;
  CHECK(contains(limited, "Left out: 1 point (1 beyond the axes)"));
  CHECK(outside_view(limited).empty());
}

TEST_CASE("line_plot: nothing, one point, constants and nothing but NaN", "[report]") {
  for (const std::vector<LineSeries>& series : std::vector<std::vector<LineSeries>>{
           {}, {{"empty", {}, {}}}, {{"", {}, {}}}, {{"nan", {1, not_a_number}, {infinity, 1}}}}) {
    const std::string svg = line_plot(series, {.references = {{3, "reference"}}}).text;
    CHECK(outside_view(svg).empty());
    CHECK(contains(svg, ">no data<"));
  }
  const std::string one = line_plot({{"one", {4}, {93.2}}}).text;
  CHECK(outside_view(one).empty());
  CHECK(contains(one, "<title>one: 93.2 at 4</title>"));
  CHECK_FALSE(contains(one, "no data"));
  for (const double constant : {0.0, -5e-5, 1e300}) {
    CAPTURE(constant);
    const std::string svg = line_plot({{"constant", {1, 2, 3}, {constant, constant, constant}}}).text;
    CHECK(outside_view(svg).empty());
    CHECK(count_of(first_path(svg), "L") == 2);
  }
}

TEST_CASE("line_plot: series with unequal numbers of x and y are refused", "[report]") {
  CHECK_RAISES(line_plot({{"AdaLog", {1, 2}, {1}}}), "series \"AdaLog\" has 2 values of x and 1 of y");
}

TEST_CASE("line_plot: long lines have markers on some points only", "[report]") {
  LineSeries line{"loss", {}, {}};
  for (int i = 0; i < 5000; ++i) {
    line.x.push_back(i);
    line.y.push_back(std::sin(i * 0.01));
  }
  const std::string svg = line_plot({line}).text;
  CHECK(outside_view(svg).empty());
  CHECK(count_of(svg, "class=\"marker") < 40);
  CHECK(count_of(svg, "class=\"marker") > 5);
  CHECK(count_of(first_path(svg), "L") == 4999);
}

TEST_CASE("line_plot: more names than the height holds make the plot higher", "[report]") {
  std::vector<LineSeries> series;
  for (int s = 0; s < 40; ++s) series.push_back({"method " + std::to_string(s), {1, 2}, {1.0 * s, 1.0}});
  const std::string svg = line_plot(series).text;
  CHECK(outside_view(svg).empty());
  for (const LineSeries& line : series) CHECK(contains(svg, ">" + line.name + "<"));
}

TEST_CASE("line_plot: names move apart, no further than they must", "[report]") {
  const auto spread = [](std::vector<double> wanted, double bottom = 300) {
    std::vector<EndLabel> labels;
    for (const double y : wanted) labels.push_back({labels.size(), y, 0});
    std::vector<double> placed;
    for (const EndLabel& label : spread_labels(labels, 20, 100, bottom)) placed.push_back(label.y);
    return placed;
  };
  using Places = std::vector<double>;
  CHECK(spread({}).empty());
  CHECK(spread({150, 200}) == Places{150, 200});            // far enough apart: untouched
  CHECK(spread({150, 150}) == Places{140, 160});            // centred on what both want
  CHECK(spread({100, 100, 100}) == Places{100, 120, 140});  // the upper end holds
  CHECK(spread({300, 300}) == Places{280, 300});            // and the lower
  CHECK(spread({150, 155, 175}) == Places{140, 160, 180});  // a cluster of three
  std::mt19937 random(11);
  INFO("seed 11");
  for (int i = 0; i < 200; ++i) {
    std::vector<double> wanted(1 + random() % 10);
    for (double& y : wanted) y = 100 + static_cast<double>(random() % 200);
    std::sort(wanted.begin(), wanted.end());
    const std::vector<double> placed = spread(wanted);
    for (std::size_t k = 0; k < placed.size(); ++k) {
      CHECK((placed[k] >= 100 - 1e-9 && placed[k] <= 300 + 1e-9));
      if (k > 0) CHECK(placed[k] - placed[k - 1] >= 20 - 1e-9);
    }
  }
}

TEST_CASE("line_plot: names of lines that meet at the end stand in the order of the lines", "[report]") {
  const std::string svg =
      line_plot({{"lowest", {1, 2}, {1, 5}}, {"highest", {1, 2}, {9, 5}}, {"middle", {1, 2}, {4, 5}}}).text;
  CHECK(svg.find(">highest<") < svg.find(">middle<"));
  CHECK(svg.find(">middle<") < svg.find(">lowest<"));
}

TEST_CASE("line_plot: the same input gives the same bytes", "[report]") {
  const std::vector<LineSeries> series{{"a", {1, 2, 3}, {0.1, 0.7, 0.3}}};
  CHECK(line_plot(series).text == line_plot(series).text);
}
