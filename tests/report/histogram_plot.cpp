#include "halfstep/report/histogram_plot.hpp"

#include <cstdio>
#include <string>
#include <vector>

#include "report/well_formed.hpp"
#include "support/catch.hpp"
#include "support/special_values.hpp"

using namespace halfstep::report;
using namespace halfstep_tests;

namespace {

const HistogramLayer before{"before", {-2, -1, 0, 1, 2}, {10, 400, 300, 20}};
const HistogramLayer after{"after & later", {-2, -1, 0, 1, 2}, {0, 410, 320, 0}};

/// The outlines, one per layer.
std::vector<std::string> outlines(const std::string& svg) {
  std::vector<std::string> paths;
  for (const Element& element : MarkupReader(svg).elements) {
    if (element.attribute("class").starts_with("outline")) paths.push_back(element.attribute("d"));
  }
  return paths;
}

}  // namespace

TEST_CASE("histogram_plot: layers over each other, levels below", "[report]") {
  const std::string svg = histogram_plot({before, after}, {.title = "Weight <w>",
                                                           .x = {.label = "value"},
                                                           .levels = {{"Uniform<2>", {-1, 0, 1}}, {"far", {-3}}}})
                              .text;
  INFO(svg);
  CHECK(outside_view(svg).empty());
  CHECK_FALSE(refers_outside(svg));
  for (const char* part : {"Weight &lt;w&gt;", ">before<", ">after &amp; later<", ">Uniform&lt;2&gt; (3 levels)<",
                           ">far (1 level)<", ">value<", ">elements<"}) {
    CAPTURE(part);
    CHECK(contains(svg, part));
  }
  CHECK(count_of(svg, "class=\"area") == 2);
  CHECK(count_of(svg, "class=\"level l2\"") == 3 + 3);  // the levels and the key of the legend
  CHECK(count_of(svg, "class=\"level l3\"") == 1 + 3);
  const std::vector<std::string> paths = outlines(svg);
  REQUIRE(paths.size() == 2);
  CHECK(count_of(paths[0], "H") == 4);
  CHECK(count_of(paths[1], "H") == 2);  // empty bins have no outline
  CHECK_FALSE(contains(svg, "Left out"));
}

TEST_CASE("histogram_plot: empty bins split a layer into closed runs", "[report]") {
  const std::string svg = histogram_plot({{"", {0, 1, 2, 3, 4}, {5, 0, 0, 5}}}).text;
  const std::vector<std::string> paths = outlines(svg);
  REQUIRE(paths.size() == 1);
  CHECK(count_of(paths[0], "M") == 2);
  CHECK(count_of(paths[0], "V") == 4);
}

TEST_CASE("histogram_plot: heights can be counts, shares or densities", "[report]") {
  const HistogramLayer uneven{"", {0, 1, 3}, {2, 6}};  // counts 2 and 6, shares .25 and .75, densities .25 and .375
  CHECK(contains(histogram_plot({uneven}).text, ">6<"));
  const std::string share =
      histogram_plot({uneven}, {.y = {.greatest = 1}, .shows = HistogramHeight::share, .height = 200}).text;
  CHECK(contains(share, ">share of elements<"));
  const std::string density =
      histogram_plot({uneven}, {.y = {.greatest = 1}, .shows = HistogramHeight::density, .height = 200}).text;
  CHECK(contains(density, ">density<"));
  double x = 0, bottom = 0, first = 0, right = 0, second = 0;
  REQUIRE(std::sscanf(outlines(share).at(0).c_str(), "M%lf %lfV%lfH%lfV%lf", &x, &bottom, &first, &right, &second) ==
          5);
  CHECK(bottom - first == Approx(50).margin(0.02));
  CHECK(bottom - second == Approx(150).margin(0.02));
  REQUIRE(std::sscanf(outlines(density).at(0).c_str(), "M%lf %lfV%lfH%lfV%lf", &x, &bottom, &first, &right, &second) ==
          5);
  CHECK(bottom - second == Approx(75).margin(0.02));
}

TEST_CASE("histogram_plot: logarithmic axes leave out what they cannot show, and say so", "[report]") {
  const std::string svg =
      histogram_plot(
          {{"p", {0, 1e-4, 1e-2, 1}, {5, 50, 500}}},
          {.x = {.scale = AxisScale::log10}, .y = {.scale = AxisScale::log10}, .levels = {{"Log2", {0, 0.25, 0.5}}}})
          .text;
  CHECK(outside_view(svg).empty());
  CHECK(contains(svg, "Left out: 1 bin (1 not above 0"));
  CHECK(contains(svg, "Left out: 1 level (1 not above 0"));
  CHECK(count_of(outlines(svg).at(0), "H") == 2);
}

TEST_CASE("histogram_plot: open and broken bins are counted, empty ones are silent", "[report]") {
  const std::string svg = histogram_plot({{"", {-infinity, -1, 0, 1, infinity}, {3, 4, not_a_number, 0}}}).text;
  CHECK(outside_view(svg).empty());
  CHECK(contains(svg, "Left out: 2 bins (2 not finite)"));
  const std::string limited =
      histogram_plot({before}, {.x = {.least = -1, .greatest = 1}, .levels = {{"l", {-2, 0}}}}).text;
  CHECK(outside_view(limited).empty());
  CHECK(contains(limited, "Left out: 2 bins (2 beyond the axes)"));
  CHECK(contains(limited, "Left out: 1 level (1 beyond the axes)"));
}

TEST_CASE("histogram_plot: nothing to show", "[report]") {
  for (const std::vector<HistogramLayer>& layers :
       std::vector<std::vector<HistogramLayer>>{{},
                                                {{"empty", {}, {}}},
                                                {{"one edge", {1}, {}}},
                                                {{"zero", {0, 1}, {0}}},
                                                {{"nan", {0, 1}, {not_a_number}}}}) {
    const std::string svg = histogram_plot(layers, {.levels = {{"levels", {1, 2}}, {"none", {}}}}).text;
    CHECK(outside_view(svg).empty());
    CHECK(contains(svg, ">no data<"));
  }
  const std::string single = histogram_plot({{"one bin", {0.5, 0.500001}, {1}}}).text;
  CHECK(outside_view(single).empty());
  CHECK(outlines(single).size() == 1);
}

TEST_CASE("histogram_plot: wrong layers are refused", "[report]") {
  CHECK_RAISES(histogram_plot({{"w", {0, 1}, {1, 2}}}),
               "layer \"w\" has 2 edges, expected 3, one more than its counts");
  CHECK_RAISES(histogram_plot({{"w", {0, 1, 1}, {1, 2}}}),
               "layer \"w\" has edge 2 at 1, expected more than the 1 before it");
  CHECK_RAISES(histogram_plot({{"w", {0, 1, 2}, {1, -2}}}), "layer \"w\" has count -2 in bin 1, expected at least 0");
}
