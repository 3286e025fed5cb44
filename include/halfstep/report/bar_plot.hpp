#pragma once

/// \file
/// Bars: one value, or one per series, for each label, such as the SQNR of every site of a model.

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
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::report {

/// One value for each label.
struct BarSeries {
  std::string name;
  std::vector<double> values;
};

/// The way the bars grow.
enum class BarDirection {
  horizontal,  ///< labels in a column on the left: many labels, long names
  vertical     ///< labels below
};

/// How a bar plot looks.
struct BarPlotOptions {
  std::string title = {};
  std::string subtitle = {};
  AxisOptions value = {};  ///< linear: a bar has a length only where there is a zero
  BarDirection direction = BarDirection::horizontal;
  std::vector<ReferenceLine> references = {};
  std::optional<double> emphasize_below = {};  ///< bars of lesser value get another colour (one series only)
  int digits = 1;                              ///< after the point of the number at each bar
  double width = 790;                          ///< of the whole plot, pixels
  double height = 260;  ///< of the area between the axes, pixels; horizontal bars take what their number needs
};

/// Draws one bar plot; the parts of `bar_plot`.
class BarPlotPainter {
 public:
  BarPlotPainter(const std::vector<std::string>& labels, const std::vector<BarSeries>& series,
                 const BarPlotOptions& options)
      : labels_(labels), series_(series), options_(options), canvas_(options.width) {}

  [[nodiscard]] SvgPlot paint() {
    DataRange values(AxisScale::linear);
    collect(values);
    canvas_.heading(options_.title, options_.subtitle);
    canvas_.legend(legend());
    if (options_.direction == BarDirection::horizontal) {
      paint_horizontal(values);
    } else {
      paint_vertical(values);
    }
    if (labels_.empty() || series_.empty()) draw_no_data(canvas_, box_);
    skipped_.note_on(canvas_, "value");
    return canvas_.finish(concat("bar plot of ", options_.value.label, " with ", labels_.size(), " labels and ",
                                 series_.size(), " series"));
  }

 private:
  static constexpr double bar_thickness = 14, grouped_thickness = 11, row_air = 7;
  static constexpr double longest_slanted_label = 170, slant = 0.71;  // sine of 45 degrees

  struct PlacedNumber {
    double x, y, value;
    Anchor anchor;
  };

  void collect(DataRange& values) {
    if (options_.value.scale != AxisScale::linear) {
      raise("report::bar_plot", "value.scale is logarithmic, expected linear: a bar starts at zero");
    }
    for (const BarSeries& bars : series_) {
      if (bars.values.size() != labels_.size()) {
        raise("report::bar_plot", "series \"", bars.name, "\" has ", bars.values.size(), " values, expected ",
              labels_.size(), ", one per label");
      }
      for (const double value : bars.values) {
        if (!values.include(value)) skipped_.count(value, AxisScale::linear);
      }
    }
    for (const ReferenceLine& line : options_.references) values.include(line.value);
  }

  [[nodiscard]] std::vector<LegendEntry> legend() const {
    std::vector<LegendEntry> entries;
    for (std::size_t s = 0; s < series_.size(); ++s) {
      if (!series_[s].name.empty()) entries.push_back({series_[s].name, s});
    }
    if (emphasizes()) {
      entries.push_back({"below " + short_number(*options_.emphasize_below) + unit_suffix(options_.value), 1});
    }
    return entries;
  }

  [[nodiscard]] bool emphasizes() const { return options_.emphasize_below && series_.size() == 1; }

  [[nodiscard]] std::size_t colour(std::size_t s, double value) const {
    return emphasizes() && value < *options_.emphasize_below ? 1 : s;
  }

  /// The number beside a bar: few significant digits where the fixed ones would be all zero, or too many.
  [[nodiscard]] std::string value_text(double value) const {
    const double size = std::abs(value);
    const bool fixed = size < 1e7 && (size == 0 || size >= 0.5 * std::pow(10.0, -options_.digits));
    return with_minus_sign(fixed ? number_text(value, {.digits = options_.digits}) : short_number(value, 3));
  }

  [[nodiscard]] double widest_value() const {
    double width = 0;
    for (const BarSeries& bars : series_) {
      width = std::max(width, widest_text(
                                  bars.values, [&](double value) { return value_text(value); }, 11));
    }
    return width;
  }

  [[nodiscard]] double widest_label() const {
    return widest_text(labels_, [](const std::string& label) { return label; });
  }

  [[nodiscard]] double thickness() const { return series_.size() > 1 ? grouped_thickness : bar_thickness; }

  /// The end of a bar that the axis can show: a value beyond a limit is cut there, its number tells.
  [[nodiscard]] static double shown_end(const Axis& axis, double value) {
    return std::clamp(value, axis.least(), axis.greatest());
  }

  /// One bar with a tooltip, between two corners in any order.
  void draw_bar(double x1, double y1, double x2, double y2, std::size_t colour, std::string_view tooltip) {
    canvas_.svg()
        .open("rect", {{"class", series_class('f', colour)},
                       {"x", std::min(x1, x2)},
                       {"y", std::min(y1, y2)},
                       {"width", std::abs(x2 - x1)},
                       {"height", std::abs(y2 - y1)},
                       {"rx", 1.5}})
        .element("title", {}, tooltip)
        .close();
  }

  [[nodiscard]] std::string tooltip(std::size_t l, std::size_t s) const {
    const std::string name = series_[s].name.empty() ? "" : ", " + series_[s].name;
    return concat(labels_[l], name, ": ", value_text(series_[s].values[l]), unit_suffix(options_.value));
  }

  void paint_horizontal(const DataRange& values) {
    const double row = row_air + thickness() * static_cast<double>(std::max<std::size_t>(series_.size(), 1));
    const double label_space = std::min(widest_label(), 0.42 * canvas_.width());
    const bool negative = !values.empty() && values.least() < 0;
    box_.left = canvas_margin + label_space + 10 + (negative ? widest_value() + 6 : 0);
    box_.right = canvas_.width() - canvas_margin - widest_value() - 6;
    const Axis axis = make_axis(values, options_.value, AxisFit::from_zero,
                                std::max(1.0, box_.width() / pixels_per_tick_x), "report::bar_plot");
    if (!options_.references.empty()) canvas_.claim(20);
    const double height = std::max(row * static_cast<double>(labels_.size()), 40.0);
    box_.top = canvas_.claim(height);
    box_.bottom = box_.top + height;
    draw_x_grid(canvas_, axis, box_);
    for (std::size_t l = 0; l < labels_.size(); ++l) {
      const double top = box_.top + row * static_cast<double>(l) + row_air / 2;
      canvas_.text(canvas_margin + label_space, top + (row - row_air) / 2 + 4, fitted_text(labels_[l], label_space),
                   "ink", Anchor::end);
      for (std::size_t s = 0; s < series_.size(); ++s) draw_horizontal_bar(axis, l, s, top);
    }
    draw_zero(axis, BarDirection::horizontal);
    for (const ReferenceLine& line : options_.references) draw_vertical_reference(canvas_, line, axis, box_);
    draw_numbers();
    draw_x_axis(canvas_, axis, box_);
  }

  void draw_horizontal_bar(const Axis& axis, std::size_t l, std::size_t s, double top) {
    const double value = series_[s].values[l];
    const double start = box_.x(axis, shown_end(axis, 0)), y = top + thickness() * static_cast<double>(s);
    double end = start;
    if (drawable(value, AxisScale::linear)) {
      end = box_.x(axis, shown_end(axis, value));
      draw_bar(start, y, end, y + thickness() - (series_.size() > 1 ? 1 : 0), colour(s, value), tooltip(l, s));
    }
    const bool leftwards = value < 0;
    numbers_.push_back(
        {leftwards ? end - 5 : end + 5, y + thickness() / 2 + 3.5, value, leftwards ? Anchor::end : Anchor::start});
  }

  /// The numbers beside the bars, drawn last: lines of reference would strike them through.
  void draw_numbers() {
    for (const PlacedNumber& n : numbers_) canvas_.text(n.x, n.y, value_text(n.value), "small quiet halo", n.anchor);
  }

  void paint_vertical(const DataRange& values) {
    const double height = std::max(options_.height, 80.0);
    const Axis axis =
        make_axis(values, options_.value, AxisFit::from_zero, height / pixels_per_tick_y, "report::bar_plot");
    draw_y_title(canvas_, axis);
    box_.right = canvas_.width() - canvas_margin;
    box_.left = vertical_left(canvas_margin + std::max(20.0, widest_tick(axis) + 8));
    box_.top = canvas_.claim(height + 14) + 14;
    box_.bottom = box_.top + height;
    draw_y_axis(canvas_, axis, box_);
    const double slot = slot_width(box_.left);
    for (std::size_t l = 0; l < labels_.size(); ++l) draw_slot(axis, l, slot);
    draw_zero(axis, BarDirection::vertical);
    for (const ReferenceLine& line : options_.references) draw_horizontal_reference(canvas_, line, axis, box_);
    draw_numbers();
    draw_slot_labels(slot);
  }

  [[nodiscard]] double slot_width(double left) const {
    return (box_.right - left) / static_cast<double>(std::max<std::size_t>(labels_.size(), 1));
  }

  /// The left end of the box: `least`, or what the first slanted labels need beside it.
  [[nodiscard]] double vertical_left(double least) const {
    const double slot = slot_width(least);
    double left = least;
    for (std::size_t l = 0; l < labels_.size() && !labels_are_level(slot); ++l) {
      const double reach = slant * std::min(text_width(labels_[l]), longest_slanted_label);
      left = std::max(left, canvas_margin + reach - slot * (static_cast<double>(l) + 0.5));
    }
    return left;
  }

  [[nodiscard]] bool labels_are_level(double slot) const { return widest_label() <= slot - 6; }

  /// The bars of one label, side by side, with their numbers where these have room.
  void draw_slot(const Axis& axis, std::size_t l, double slot) {
    const double count = static_cast<double>(series_.size());
    const double bar = std::min(slot * 0.76 / count, 34.0);
    const double left = box_.left + slot * (static_cast<double>(l) + 0.5) - bar * count / 2;
    const double zero = box_.y(axis, shown_end(axis, 0));
    for (std::size_t s = 0; s < series_.size(); ++s) {
      const double value = series_[s].values[l], x = left + bar * static_cast<double>(s);
      double end = zero;
      if (drawable(value, AxisScale::linear)) {
        end = box_.y(axis, shown_end(axis, value));
        draw_bar(x, zero, x + bar - (bar > 4 ? 1 : 0), end, colour(s, value), tooltip(l, s));
      }
      if (widest_value() > (series_.size() > 1 ? bar : slot) - 2) continue;
      numbers_.push_back({x + bar / 2, value < 0 ? end + 12 : end - 5, value, Anchor::middle});
    }
  }

  void draw_zero(const Axis& axis, BarDirection direction) {
    if (!axis.shows(0)) return;
    if (direction == BarDirection::horizontal) {
      canvas_.line(box_.x(axis, 0), box_.top, box_.x(axis, 0), box_.bottom, "axis");
    } else {
      canvas_.line(box_.left, box_.y(axis, 0), box_.right, box_.y(axis, 0), "axis");
    }
  }

  /// Labels below the slots: level where they fit, else rising towards their slot.
  void draw_slot_labels(double slot) {
    const bool level = labels_are_level(slot);
    const double space = std::min(widest_label(), longest_slanted_label);
    const double y = canvas_.claim(level ? 24 : 20 + slant * space);
    for (std::size_t l = 0; l < labels_.size(); ++l) {
      const double x = box_.left + slot * (static_cast<double>(l) + 0.5);
      if (level) {
        canvas_.text(x, y + 18, labels_[l], "ink", Anchor::middle);
        continue;
      }
      const std::string turn = "translate(" + coordinate(x + 4) + " " + coordinate(y + 14) + ") rotate(-45)";
      canvas_.svg().element("text", {{"class", "ink"}, {"transform", turn}, {"text-anchor", "end"}},
                            fitted_text(labels_[l], space));
    }
  }

  const std::vector<std::string>& labels_;
  const std::vector<BarSeries>& series_;
  const BarPlotOptions& options_;
  PlotCanvas canvas_;
  Box box_;
  SkippedValues skipped_;
  std::vector<PlacedNumber> numbers_;
};

/// Draws a bar from zero for every value, with the value beside it where there is room and in a tooltip always. Values
/// that are not finite have a label and no bar, and are counted in a note; without labels or series the plot says so.
/// Errors: a series whose number of values is not that of the labels, a logarithmic axis, impossible limits of the
/// axis.
[[nodiscard]] inline SvgPlot bar_plot(const std::vector<std::string>& labels, const std::vector<BarSeries>& series,
                                      const BarPlotOptions& options = {}) {
  return BarPlotPainter(labels, series, options).paint();
}

}  // namespace halfstep::inline HALFSTEP_ABI::report
