#include "halfstep/report/plot_axes.hpp"

#include <limits>
#include <string>

#include "report/well_formed.hpp"
#include "support/catch.hpp"

using namespace halfstep::report;
using namespace halfstep_tests;

namespace {

Axis axis_to(double greatest, std::string label) {
  DataRange range(AxisScale::linear);
  range.include(0);
  range.include(greatest);
  return make_axis(range, {.label = std::move(label), .unit = "dB"}, AxisFit::tight, 5, "test");
}

}  // namespace

TEST_CASE("plot_axes: ticks, labels, titles and references are drawn inside the picture", "[report]") {
  PlotCanvas canvas(500);
  const Axis x = axis_to(100, "across"), y = axis_to(5, "up");
  draw_y_title(canvas, y);
  Box box{.left = 60, .top = canvas.claim(130) + 30, .right = 450, .bottom = 0};
  box.bottom = box.top + 100;
  draw_x_grid(canvas, x, box);
  draw_y_axis(canvas, y, box);
  draw_x_axis(canvas, x, box);
  draw_horizontal_reference(canvas, {.value = 4, .label = "target"}, y, box);
  draw_vertical_reference(canvas, {.value = 100, .label = "a label at the very right"}, x, box);
  draw_vertical_reference(canvas, {.value = 101, .label = "outside"}, x, box);
  draw_horizontal_reference(canvas, {.value = std::numeric_limits<double>::quiet_NaN(), .label = "unknown"}, y, box);
  draw_no_data(canvas, box);
  const std::string svg = canvas.finish("").text;
  INFO(svg);
  CHECK(outside_view(svg).empty());
  for (const char* part : {">across [dB]<", ">up [dB]<", ">0<", ">20<", ">100<", ">5<", ">target<", ">no data<"}) {
    CAPTURE(part);
    CHECK(contains(svg, part));
  }
  CHECK(count_of(svg, "class=\"guide\"") == 2);
  CHECK_FALSE(contains(svg, "outside"));
  CHECK_FALSE(contains(svg, "unknown"));
}

TEST_CASE("plot_axes: the width of the labels is that of the widest", "[report]") {
  CHECK(widest_tick(axis_to(100, "")) == text_width("100"));
  CHECK(widest_tick(Axis(AxisScale::linear, 0, 1, "")) == 0);
}

TEST_CASE("plot_axes: labels that would touch are left out", "[report]") {
  PlotCanvas canvas(300);
  Axis axis(AxisScale::linear, 0, 10, "");
  axis.set_ticks({{1, "one hundred"}, {2, "two hundred"}, {9, "nine hundred"}});
  draw_x_axis(canvas, axis, {.left = 20, .top = 20, .right = 280, .bottom = 60});
  const std::string svg = canvas.finish("").text;
  CHECK(contains(svg, "one hundred"));
  CHECK_FALSE(contains(svg, "two hundred"));
  CHECK(contains(svg, "nine hundred"));
}
