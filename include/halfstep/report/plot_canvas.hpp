#pragma once

/// \file
/// A drawing that grows downwards: headings and legend, the space for a plot, notes; and the SVG file around it.

#include "halfstep/config.hpp"
#include "halfstep/report/axis.hpp"
#include "halfstep/report/markup.hpp"
#include "halfstep/report/plot_style.hpp"
#include "halfstep/report/text_width.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::report {

/// A finished plot: an `svg` element that needs nothing outside itself, to be written to a file or put into a report.
struct SvgPlot {
  std::string text;
};

/// A rectangle in pixels, y downwards.
struct Box {
  double left = 0, top = 0, right = 0, bottom = 0;
  [[nodiscard]] double width() const { return right - left; }
  [[nodiscard]] double height() const { return bottom - top; }
  /// The pixel of a value on a horizontal axis.
  [[nodiscard]] double x(const Axis& axis, double value) const { return left + axis.position(value) * width(); }
  /// The pixel of a value on a vertical axis, which points upwards.
  [[nodiscard]] double y(const Axis& axis, double value) const { return bottom - axis.position(value) * height(); }
};

/// Space around everything drawn.
inline constexpr double canvas_margin = 16;

/// Where a text stands relative to its point.
enum class Anchor { start, middle, end };

/// What a series looks like in the plot.
enum class LegendKey { area, ticks };

/// One entry of a legend.
struct LegendEntry {
  std::string name;
  std::size_t series = 0;
  LegendKey key = LegendKey::area;
};

/// Collects the parts of a plot from top to bottom. `top()` is where the next part begins.
class PlotCanvas {
 public:
  /// A canvas of this width in pixels (at least 240).
  explicit PlotCanvas(double width) : width_(std::max(width, 240.0)) {}

  [[nodiscard]] double width() const { return width_; }
  [[nodiscard]] double top() const { return top_; }
  /// Claims `height` pixels for what the caller draws, and says where they begin.
  double claim(double height) { return std::exchange(top_, top_ + height); }
  /// Where marks are drawn.
  [[nodiscard]] MarkupWriter& svg() { return body_; }

  /// Draws a text with its baseline at y. Classes: "ink", "quiet", "title", "halo".
  void text(double x, double y, std::string_view content, std::string_view classes, Anchor anchor = Anchor::start) {
    const std::string_view name = anchor == Anchor::start ? "start" : anchor == Anchor::middle ? "middle" : "end";
    body_.element("text", {{"class", classes}, {"x", x}, {"y", y}, {"text-anchor", name}}, content);
  }

  /// Draws a straight line.
  void line(double x1, double y1, double x2, double y2, std::string_view classes) {
    body_.leaf("line", {{"class", classes}, {"x1", x1}, {"y1", y1}, {"x2", x2}, {"y2", y2}});
  }

  /// The title and a quieter text below it, in as many lines as they need; either may be empty.
  void heading(std::string_view title, std::string_view subtitle) {
    title_ = std::string(title);
    if (!title.empty()) {
      for (const std::string& line : wrapped_text(title, text_space(), bold_title_size)) {
        text(canvas_margin, claim(20) + 13, line, "title ink");
      }
    }
    paragraph(subtitle);
    if (!title.empty() || !subtitle.empty()) claim(8);
  }

  /// Keys and names in as many lines as they need.
  void legend(const std::vector<LegendEntry>& entries) {
    if (entries.empty()) return;
    double x = canvas_margin, y = claim(20);
    for (const LegendEntry& entry : entries) {
      const std::string name = fitted_text(entry.name, text_space() - 20);
      const double needed = 20 + text_width(name);
      if (x > canvas_margin && x + needed > width_ - canvas_margin) {
        x = canvas_margin;
        y = claim(20);
      }
      draw_key(entry, x, y + 2);
      text(x + 18, y + 12, name, "ink");
      x += needed + 18;
    }
    claim(6);
  }

  /// A remark below the plot, such as how many values could not be drawn.
  void note(std::string content) { notes_.push_back(std::move(content)); }

  /// The plot, with the notes below everything claimed so far. `summary` describes it to those who cannot see it.
  [[nodiscard]] SvgPlot finish(std::string_view summary) {
    for (const std::string& content : notes_) {
      claim(4);
      paragraph(content);
    }
    const double height = claim(10) + 10;
    MarkupWriter file;
    file.open("svg", {{"xmlns", "http://www.w3.org/2000/svg"},
                      {"class", "hs-plot"},
                      {"width", width_},
                      {"height", height},
                      {"viewBox", "0 0 " + coordinate(width_) + " " + coordinate(height)},
                      {"role", "img"},
                      {"aria-label", title_.empty() ? summary : title_ + ": " + std::string(summary)}});
    file.open("style").raw(plot_style_sheet()).close().new_line();
    file.leaf("rect", {{"class", "ground"}, {"width", width_}, {"height", height}});
    return {file.raw(body_.take()).take() + "\n"};
  }

 private:
  static constexpr double bold_title_size = 17;  // 15 px, and bold letters are wider

  [[nodiscard]] double text_space() const { return width_ - 2 * canvas_margin; }

  void paragraph(std::string_view content) {
    if (content.empty()) return;
    for (const std::string& line : wrapped_text(content, text_space())) {
      text(canvas_margin, claim(17) + 12, line, "quiet");
    }
  }

  /// The sample beside a name of the legend, 12 by 12 pixels.
  void draw_key(const LegendEntry& entry, double x, double y) {
    if (entry.key == LegendKey::ticks) {
      for (int i = 0; i < 3; ++i)
        line(x + 1.5 + 4.5 * i, y, x + 1.5 + 4.5 * i, y + 12, "level " + series_class('l', entry.series));
      return;
    }
    body_.leaf("rect", {{"class", series_class('f', entry.series)},
                        {"x", x},
                        {"y", y},
                        {"width", 12.0},
                        {"height", 12.0},
                        {"rx", 2.0}});
  }

  double width_;
  double top_ = canvas_margin;
  std::string title_;
  std::vector<std::string> notes_;
  MarkupWriter body_;
};

/// Counts what a plot leaves out, and says so.
class SkippedValues {
 public:
  /// Counts one value that an axis of this scale cannot show.
  void count(double value, AxisScale scale) {
    if (!is_finite(value)) {
      ++not_finite_;
    } else if (scale == AxisScale::log10 && value <= 0) {
      ++not_positive_;
    } else {
      ++out_of_range_;
    }
  }
  /// Counts one value that lies beyond the limits the caller gave.
  void count_beyond() { ++beyond_; }

  /// Adds one note where something was left out: "Left out: 2 points (1 not finite, 1 beyond the axes)".
  void note_on(PlotCanvas& canvas, std::string_view what) const {
    std::string reasons;
    const auto add = [&](std::int64_t n, std::string_view why) {
      if (n > 0) reasons += concat(reasons.empty() ? "" : ", ", n, " ", why);
    };
    add(not_finite_, "not finite");
    add(not_positive_, "not above 0, which a logarithmic axis cannot show");
    add(out_of_range_, "of a magnitude that no axis can show");
    add(beyond_, "beyond the axes");
    const std::int64_t n = not_finite_ + not_positive_ + out_of_range_ + beyond_;
    if (n > 0) canvas.note(concat("Left out: ", n, " ", what, n == 1 ? "" : "s", " (", reasons, ")"));
  }

 private:
  std::int64_t not_finite_ = 0, not_positive_ = 0, out_of_range_ = 0, beyond_ = 0;
};

}  // namespace halfstep::inline HALFSTEP_ABI::report
