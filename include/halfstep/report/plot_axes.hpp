#pragma once

/// \file
/// Draws axes: grid, ticks, labels, titles and reference lines around the box of a plot.

#include "halfstep/config.hpp"
#include "halfstep/report/axis.hpp"
#include "halfstep/report/plot_canvas.hpp"
#include "halfstep/report/text_width.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::report {

/// A dashed line across the plot at one value, with a word about it: the accuracy of the float model, a target. One
/// that no axis can show is not drawn.
struct ReferenceLine {
  double value = 0;
  std::string label = {};
};

/// The least pixels between two ticks.
inline constexpr double pixels_per_tick_x = 66, pixels_per_tick_y = 40;

/// The width of the widest tick label.
[[nodiscard]] inline double widest_tick(const Axis& axis) {
  return widest_text(axis.ticks(), [](const Tick& tick) { return tick.label; });
}

/// The title of a vertical axis, upright above the box where it is read first, not turned by a quarter.
inline void draw_y_title(PlotCanvas& canvas, const Axis& axis) {
  if (axis.title().empty()) return;
  canvas.text(canvas_margin, canvas.claim(20) + 11, fitted_text(axis.title(), canvas.width() - 2 * canvas_margin),
              "quiet");
}

/// Horizontal grid lines and the labels of a vertical axis.
inline void draw_y_axis(PlotCanvas& canvas, const Axis& axis, const Box& box) {
  for (const Tick& tick : axis.ticks()) {
    const double y = box.y(axis, tick.value);
    if (tick.label.empty()) {
      canvas.line(box.left - 3, y, box.left, y, "axis");
      continue;
    }
    if (box.bottom - y > 2) canvas.line(box.left, y, box.right, y, "grid");
    canvas.text(box.left - 8, y + 4, tick.label, "quiet", Anchor::end);
  }
}

/// Vertical grid lines for a chart that is read along x.
inline void draw_x_grid(PlotCanvas& canvas, const Axis& axis, const Box& box) {
  for (const Tick& tick : axis.ticks()) {
    const double x = box.x(axis, tick.value);
    if (!tick.label.empty()) canvas.line(x, box.top, x, box.bottom, "grid");
  }
}

/// The baseline, ticks, labels and title of a horizontal axis; claims their height below the box. Labels that would
/// touch their neighbour are left out.
inline void draw_x_axis(PlotCanvas& canvas, const Axis& axis, const Box& box) {
  canvas.line(box.left, box.bottom, box.right, box.bottom, "axis");
  const double y = canvas.claim(24);
  double taken = -1e9;
  for (const Tick& tick : axis.ticks()) {
    const double x = box.x(axis, tick.value), half = text_width(tick.label) / 2;
    canvas.line(x, y, x, y + (tick.label.empty() ? 3 : 5), "axis");
    if (tick.label.empty() || x - half < taken) continue;
    canvas.text(x, y + 19, tick.label, "quiet", Anchor::middle);
    taken = x + half + 6;
  }
  if (axis.title().empty()) return;
  canvas.text((box.left + box.right) / 2, canvas.claim(20) + 14, fitted_text(axis.title(), box.width()), "quiet",
              Anchor::middle);
}

/// A dashed horizontal line with its label above the left end.
inline void draw_horizontal_reference(PlotCanvas& canvas, const ReferenceLine& line, const Axis& axis, const Box& box) {
  if (!axis.shows(line.value)) return;
  const double y = box.y(axis, line.value);
  canvas.line(box.left, y, box.right, y, "guide");
  canvas.text(box.left + 6, y - 5, fitted_text(line.label, box.width() - 12), "quiet halo");
}

/// A dashed vertical line with its label above the box.
inline void draw_vertical_reference(PlotCanvas& canvas, const ReferenceLine& line, const Axis& axis, const Box& box) {
  if (!axis.shows(line.value)) return;
  const double x = box.x(axis, line.value);
  canvas.line(x, box.top - 3, x, box.bottom, "guide");
  const std::string label = fitted_text(line.label, box.width());
  const double half = text_width(label) / 2;
  const double middle =
      std::clamp(x, std::min(canvas_margin + half, x), std::max(canvas.width() - canvas_margin - half, x));
  canvas.text(middle, box.top - 7, label, "quiet", Anchor::middle);
}

/// What stands in a box without data.
inline void draw_no_data(PlotCanvas& canvas, const Box& box) {
  canvas.text((box.left + box.right) / 2, (box.top + box.bottom) / 2 + 4, "no data", "quiet", Anchor::middle);
}

}  // namespace halfstep::inline HALFSTEP_ABI::report
