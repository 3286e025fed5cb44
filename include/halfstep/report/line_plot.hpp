#pragma once

/// \file
/// Lines through points: accuracy versus bits, error versus group size.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/report/axis.hpp"
#include "halfstep/report/plot_axes.hpp"
#include "halfstep/report/plot_canvas.hpp"
#include "halfstep/report/plot_style.hpp"
#include "halfstep/report/text_width.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::report {

/// Points (x[i], y[i]), joined in the order given. Where one cannot be drawn the line has a gap.
struct LineSeries {
  std::string name;
  std::vector<double> x, y;
};

/// How a line plot looks.
struct LinePlotOptions {
  std::string title = {};
  std::string subtitle = {};
  AxisOptions x = {};
  AxisOptions y = {};
  std::vector<ReferenceLine> references = {};  ///< across the plot, at values of y
  double width = 790;                          ///< of the whole plot, pixels
  double height = 300;                         ///< of the area between the axes, pixels; more where the names need it
};

/// A name to the right of a plot: where it would like to stand, and where it does.
struct EndLabel {
  std::size_t series = 0;
  double wanted = 0;
  double y = 0;
};

/// Moves labels, roughly sorted by the place they want, apart to at least `gap` pixels, within [top, bottom], each as
/// little as that allows: clusters of touching labels centre on what their members want.
[[nodiscard]] inline std::vector<EndLabel> spread_labels(std::vector<EndLabel> labels, double gap, double top,
                                                         double bottom) {
  struct Cluster {
    std::size_t first, count;
    double wanted_sum;  // of the start of the cluster, over its members
    [[nodiscard]] double start() const { return wanted_sum / static_cast<double>(count); }
  };
  std::vector<Cluster> clusters;
  const auto start_of = [&](const Cluster& c) {
    const double height = gap * static_cast<double>(c.count - 1);
    return std::max(top, std::min(c.start(), bottom - height));
  };
  for (std::size_t i = 0; i < labels.size(); ++i) {
    clusters.push_back({i, 1, labels[i].wanted});
    while (clusters.size() > 1) {
      const Cluster last = clusters.back();
      Cluster& before = clusters[clusters.size() - 2];
      if (start_of(before) + gap * static_cast<double>(before.count) <= start_of(last)) break;
      before.wanted_sum += last.wanted_sum - gap * static_cast<double>(before.count * last.count);
      before.count += last.count;
      clusters.pop_back();
    }
  }
  for (const Cluster& c : clusters) {
    for (std::size_t k = 0; k < c.count; ++k) labels[c.first + k].y = start_of(c) + gap * static_cast<double>(k);
  }
  return labels;
}

/// Draws one line plot; the parts of `line_plot`.
class LinePlotPainter {
 public:
  LinePlotPainter(const std::vector<LineSeries>& series, const LinePlotOptions& options)
      : series_(series), options_(options), canvas_(options.width) {}

  [[nodiscard]] SvgPlot paint() {
    DataRange xs(options_.x.scale), ys(options_.y.scale);
    collect(xs, ys);
    canvas_.heading(options_.title, options_.subtitle);
    const double label_space = named() ? std::min(label_key + 24 + widest_name(), 0.36 * canvas_.width()) : 8;
    const double height = std::max({options_.height, 80.0, label_gap * static_cast<double>(series_.size() + 1)});
    const Axis y = make_axis(ys, options_.y, AxisFit::padded, height / pixels_per_tick_y, "report::line_plot");
    draw_y_title(canvas_, y);
    box_.left = canvas_margin + std::max(20.0, widest_tick(y) + 8);
    box_.right = canvas_.width() - canvas_margin - label_space;
    const double room = std::max(1.0, box_.width() / pixels_per_tick_x);
    const Axis x = make_axis(xs, options_.x, AxisFit::padded, room, "report::line_plot");
    box_.top = canvas_.claim(height + 8) + 8;
    box_.bottom = box_.top + height;
    draw_y_axis(canvas_, y, box_);
    draw_x_axis(canvas_, x, box_);
    for (const ReferenceLine& line : options_.references) draw_horizontal_reference(canvas_, line, y, box_);
    for (std::size_t s = 0; s < series_.size(); ++s) draw_curve(s, x, y);
    for (std::size_t s = 0; s < series_.size(); ++s) draw_markers(s, x, y);
    if (named()) draw_names(x, y, label_space);
    if (xs.empty() || ys.empty()) draw_no_data(canvas_, box_);
    skipped_.note_on(canvas_, "point");
    return canvas_.finish(
        concat("line plot with ", series_.size(), " series of ", options_.y.label, " over ", options_.x.label));
  }

 private:
  static constexpr double label_gap = 18, label_key = 22, marker_gap = 32;

  void collect(DataRange& xs, DataRange& ys) {
    for (const LineSeries& line : series_) {
      if (line.x.size() != line.y.size()) {
        raise("report::line_plot", "series \"", line.name, "\" has ", line.x.size(), " values of x and ", line.y.size(),
              " of y, expected as many");
      }
      for (std::size_t i = 0; i < line.x.size(); ++i) {
        if (!drawable(line.x[i], xs.scale())) {
          skipped_.count(line.x[i], xs.scale());
        } else if (!drawable(line.y[i], ys.scale())) {
          skipped_.count(line.y[i], ys.scale());
        } else {
          xs.include(line.x[i]);
          ys.include(line.y[i]);
        }
      }
    }
    for (const ReferenceLine& line : options_.references) ys.include(line.value);
  }

  [[nodiscard]] bool named() const {
    return std::any_of(series_.begin(), series_.end(), [](const LineSeries& s) { return !s.name.empty(); });
  }

  [[nodiscard]] double widest_name() const {
    return widest_text(series_, [](const LineSeries& line) { return line.name; });
  }

  [[nodiscard]] bool visible(const LineSeries& line, std::size_t i, const Axis& x, const Axis& y) const {
    return x.shows(line.x[i]) && y.shows(line.y[i]);
  }

  /// The line, interrupted where a point cannot be drawn.
  void draw_curve(std::size_t s, const Axis& x, const Axis& y) {
    const LineSeries& line = series_[s];
    std::string path;
    bool pen_down = false;
    for (std::size_t i = 0; i < line.x.size(); ++i) {
      const bool seen = visible(line, i, x, y);
      if (!seen && drawable(line.x[i], x.scale()) && drawable(line.y[i], y.scale())) skipped_.count_beyond();
      if (seen) {
        path += concat(pen_down ? "L" : "M", coordinate(box_.x(x, line.x[i])), " ", coordinate(box_.y(y, line.y[i])));
      }
      pen_down = seen;
    }
    if (path.empty()) return;
    canvas_.svg().leaf(
        "path", {{"class", "curve " + series_class('l', s)}, {"d", path}, {"stroke-dasharray", dash_pattern(s)}});
  }

  /// Markers with the numbers as tooltips: on every point where there is room, else on every n-th; and always on a
  /// point that has no line to show it.
  void draw_markers(std::size_t s, const Axis& x, const Axis& y) {
    const LineSeries& line = series_[s];
    const double room = std::max(1.0, box_.width() / marker_gap);
    const auto stride = static_cast<std::size_t>(std::ceil(static_cast<double>(line.x.size()) / room));
    for (std::size_t i = 0; i < line.x.size(); ++i) {
      if (!visible(line, i, x, y)) continue;
      const bool alone =
          (i == 0 || !visible(line, i - 1, x, y)) && (i + 1 == line.x.size() || !visible(line, i + 1, x, y));
      if ((i + s) % stride != 0 && !alone) continue;
      const std::string name = line.name.empty() ? "" : line.name + ": ";
      draw_marker(
          canvas_.svg(), s, box_.x(x, line.x[i]), box_.y(y, line.y[i]),
          concat(name, short_number(line.y[i], 6), unit_suffix(options_.y), " at ", short_number(line.x[i], 6)));
    }
  }

  /// The heights of a line from its end to its start: the pixels of the bottom where nothing of it is seen.
  [[nodiscard]] std::vector<double> heights_from_end(std::size_t s, const Axis& x, const Axis& y) const {
    const LineSeries& line = series_[s];
    std::vector<double> heights;
    for (std::size_t i = line.x.size(); i-- > 0;) {
      if (visible(line, i, x, y)) heights.push_back(box_.y(y, line.y[i]));
    }
    if (heights.empty()) heights.push_back(box_.bottom);
    return heights;
  }

  /// The legend: each name beside the end of its line, as near as its neighbours allow, in the order of the lines.
  void draw_names(const Axis& x, const Axis& y, double space) {
    std::vector<std::vector<double>> heights;
    std::vector<EndLabel> labels;
    for (std::size_t s = 0; s < series_.size(); ++s) {
      heights.push_back(heights_from_end(s, x, y));
      labels.push_back({s, heights[s][0], 0});
    }
    // Lines that meet at the end, to a few pixels, are told apart by where they came from.
    const auto higher = [](double a, double b) { return std::round(a / 4) < std::round(b / 4); };
    std::stable_sort(labels.begin(), labels.end(), [&](const EndLabel& a, const EndLabel& b) {
      const std::vector<double>&first = heights[a.series], &second = heights[b.series];
      return std::lexicographical_compare(first.begin(), first.end(), second.begin(), second.end(), higher);
    });
    const double left = box_.right + 14;
    for (const EndLabel& label : spread_labels(std::move(labels), label_gap, box_.top, box_.bottom)) {
      canvas_.svg().leaf("path",
                         {{"class", "curve " + series_class('l', label.series)},
                          {"d", concat("M", coordinate(left), " ", coordinate(label.y), "h", coordinate(label_key))},
                          {"stroke-dasharray", dash_pattern(label.series)}});
      draw_marker(canvas_.svg(), label.series, left + label_key / 2, label.y, "");
      canvas_.text(left + label_key + 6, label.y + 4, fitted_text(series_[label.series].name, space - label_key - 20),
                   "ink");
    }
  }

  const std::vector<LineSeries>& series_;
  const LinePlotOptions& options_;
  PlotCanvas canvas_;
  Box box_;
  SkippedValues skipped_;
};

/// Draws lines through points. Values that are not finite, or not positive on a logarithmic axis, leave a gap and are
/// counted in a note; a line of one point is a marker; without any point the plot says so. Errors: a series with
/// unequal numbers of x and y, impossible limits of an axis. Cost: one pass over the points.
[[nodiscard]] inline SvgPlot line_plot(const std::vector<LineSeries>& series, const LinePlotOptions& options = {}) {
  return LinePlotPainter(series, options).paint();
}

}  // namespace halfstep::inline HALFSTEP_ABI::report
