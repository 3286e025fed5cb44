#include "halfstep/report/plot_canvas.hpp"

#include <limits>
#include <string>

#include "report/well_formed.hpp"
#include "support/catch.hpp"

using namespace halfstep::report;
using namespace halfstep_tests;

TEST_CASE("plot_canvas: an empty canvas is a picture already", "[report]") {
  const std::string svg = PlotCanvas(0).finish("nothing").text;
  CHECK(markup_error(svg).empty());
  CHECK(contains(svg, "width=\"240\""));  // the least width
  CHECK(contains(svg, "aria-label=\"nothing\""));
  CHECK_FALSE(refers_outside(svg));
}

TEST_CASE("plot_canvas: parts follow each other downwards", "[report]") {
  PlotCanvas canvas(400);
  canvas.heading("A title that needs more than one line of this narrow canvas", "and a subtitle");
  const double after_heading = canvas.top();
  canvas.legend({{"first", 0}, {"second", 1}, {"levels", 2, LegendKey::ticks}});
  CHECK(canvas.top() > after_heading);
  const double start = canvas.claim(100);
  CHECK(canvas.top() == start + 100);
  canvas.note("a remark & more");
  const std::string svg = canvas.finish("summary").text;
  INFO(svg);
  CHECK(outside_view(svg).empty());
  CHECK(count_of(svg, "class=\"title ink\"") == 2);
  for (const char* part : {"and a subtitle", "first", "second", "levels", "a remark &amp; more"})
    CHECK(contains(svg, part));
  CHECK(contains(svg, "narrow canvas: summary\""));  // the whole title for those who do not see
}

TEST_CASE("plot_canvas: a legend wraps instead of leaving the picture", "[report]") {
  PlotCanvas canvas(300);
  std::vector<LegendEntry> entries;
  for (std::size_t i = 0; i < 9; ++i) entries.push_back({"a rather long name " + std::to_string(i), i});
  canvas.legend(entries);
  const std::string svg = canvas.finish("").text;
  CHECK(outside_view(svg).empty());
  for (const LegendEntry& entry : entries) CHECK(contains(svg, entry.name));
}

TEST_CASE("plot_canvas: what was left out is counted by reason", "[report]") {
  SkippedValues skipped;
  PlotCanvas canvas(600);
  skipped.note_on(canvas, "point");
  skipped.count(std::numeric_limits<double>::quiet_NaN(), AxisScale::log10);
  skipped.count(-std::numeric_limits<double>::infinity(), AxisScale::linear);
  skipped.count(0, AxisScale::log10);
  skipped.count(1e301, AxisScale::linear);
  skipped.count_beyond();
  skipped.note_on(canvas, "point");
  const std::string svg = canvas.finish("").text;
  INFO(svg);
  CHECK(count_of(svg, "Left out: ") == 1);  // nothing skipped, no note
  CHECK(contains(svg, "Left out: 5 points (2 not finite, 1 not above 0, which a logarithmic axis cannot show"));
  CHECK(contains(svg, "1 beyond the axes)"));
}

TEST_CASE("plot_canvas: a box places values", "[report]") {
  const Box box{.left = 100, .top = 10, .right = 300, .bottom = 110};
  const Axis axis(AxisScale::linear, 0, 10, "");
  CHECK(box.x(axis, 5) == 200);
  CHECK(box.y(axis, 0) == 110);
  CHECK(box.y(axis, 10) == 10);
  CHECK((box.width() == 200 && box.height() == 100));
}
