#pragma once

/// \file
/// Histograms laid over each other, and the levels of quantizers below them: what a tensor looked like before and
/// after, and where its quantizer spends its codes.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/report/axis.hpp"
#include "halfstep/report/plot_axes.hpp"
#include "halfstep/report/plot_canvas.hpp"
#include "halfstep/report/plot_style.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::report {

/// Bin i holds counts[i] elements between edges[i] and edges[i + 1].
struct HistogramLayer {
  std::string name;
  std::vector<double> edges;   ///< one more than counts, ascending
  std::vector<double> counts;  ///< at least 0
};

/// The values that a quantizer can represent, drawn as a row of ticks below the histogram.
struct LevelMarks {
  std::string name;
  std::vector<double> values;
};

/// What the height of a bin says.
enum class HistogramHeight {
  count,   ///< its elements
  share,   ///< its elements over all of the layer, so that layers of different sizes compare
  density  ///< share over width, so that layers of different bins compare
};

/// How a histogram looks.
struct HistogramPlotOptions {
  std::string title = {};
  std::string subtitle = {};
  AxisOptions x = {};
  AxisOptions y = {};  ///< logarithmic shows tails; the label is chosen by `shows` where there is none
  HistogramHeight shows = HistogramHeight::count;
  std::vector<LevelMarks> levels = {};
  double width = 790;   ///< of the whole plot, pixels
  double height = 240;  ///< of the area between the axes, pixels
};

/// Draws one histogram plot; the parts of `histogram_plot`.
class HistogramPlotPainter {
 public:
  HistogramPlotPainter(const std::vector<HistogramLayer>& layers, const HistogramPlotOptions& options)
      : layers_(layers), options_(options), canvas_(options.width) {}

  [[nodiscard]] SvgPlot paint() {
    DataRange xs(options_.x.scale), ys(options_.y.scale);
    collect(xs, ys);
    canvas_.heading(options_.title, options_.subtitle);
    canvas_.legend(legend());
    AxisOptions y_options = options_.y;
    if (y_options.label.empty()) y_options.label = default_label();
    const double height = std::max(options_.height, 80.0);
    const Axis y = make_axis(ys, y_options, AxisFit::from_zero, height / pixels_per_tick_y, "report::histogram_plot");
    draw_y_title(canvas_, y);
    box_.left = canvas_margin + std::max(20.0, widest_tick(y) + 8);
    box_.right = canvas_.width() - canvas_margin;
    const Axis x = make_axis(xs, options_.x, AxisFit::padded, std::max(1.0, box_.width() / pixels_per_tick_x),
                             "report::histogram_plot");
    box_.top = canvas_.claim(height + 6) + 6;
    box_.bottom = box_.top + height;
    draw_y_axis(canvas_, y, box_);
    for (std::size_t l = 0; l < layers_.size(); ++l) draw_layer(l, x, y);
    draw_levels(x);
    draw_x_axis(canvas_, x, box_);
    if (ys.empty()) draw_no_data(canvas_, box_);
    skipped_bins_.note_on(canvas_, "bin");
    skipped_levels_.note_on(canvas_, "level");
    return canvas_.finish(concat("histogram of ", layers_.size(), " layers over ", options_.x.label));
  }

 private:
  static constexpr double lane_height = 15;

  [[nodiscard]] std::string default_label() const {
    if (options_.shows == HistogramHeight::count) return "elements";
    return options_.shows == HistogramHeight::share ? "share of elements" : "density";
  }

  static void check(const HistogramLayer& layer) {
    if (layer.edges.size() != layer.counts.size() + 1 && !(layer.edges.empty() && layer.counts.empty())) {
      raise("report::histogram_plot", "layer \"", layer.name, "\" has ", layer.edges.size(), " edges, expected ",
            layer.counts.size() + 1, ", one more than its counts");
    }
    for (std::size_t i = 0; i < layer.counts.size(); ++i) {
      if (is_finite(layer.edges[i]) && is_finite(layer.edges[i + 1]) && layer.edges[i] >= layer.edges[i + 1]) {
        raise("report::histogram_plot", "layer \"", layer.name, "\" has edge ", i + 1, " at ", layer.edges[i + 1],
              ", expected more than the ", layer.edges[i], " before it");
      }
      if (is_finite(layer.counts[i]) && layer.counts[i] < 0) {
        raise("report::histogram_plot", "layer \"", layer.name, "\" has count ", layer.counts[i], " in bin ", i,
              ", expected at least 0");
      }
    }
  }

  [[nodiscard]] bool edges_drawable(const HistogramLayer& layer, std::size_t bin) const {
    return drawable(layer.edges[bin], options_.x.scale) && drawable(layer.edges[bin + 1], options_.x.scale);
  }

  /// The divisor of a layer's counts.
  [[nodiscard]] double total(const HistogramLayer& layer) const {
    if (options_.shows == HistogramHeight::count) return 1;
    double sum = 0;
    for (const double count : layer.counts) sum += drawable(count, AxisScale::linear) ? count : 0;
    return sum > 0 ? sum : 1;
  }

  [[nodiscard]] double bin_height(const HistogramLayer& layer, std::size_t bin, double total) const {
    const double width = layer.edges[bin + 1] - layer.edges[bin];
    return layer.counts[bin] / total / (options_.shows == HistogramHeight::density ? width : 1.0);
  }

  /// Extends the ranges to all that can be drawn, and counts the rest: bins with elements whose edges or count cannot
  /// be.
  void collect(DataRange& xs, DataRange& ys) {
    for (const HistogramLayer& layer : layers_) {
      check(layer);
      const double sum = total(layer);
      for (std::size_t i = 0; i < layer.counts.size(); ++i) {
        if (is_finite(layer.counts[i]) && layer.counts[i] == 0) continue;
        const double height = bin_height(layer, i, sum);
        if (!edges_drawable(layer, i)) {
          skipped_bins_.count(layer.edges[drawable(layer.edges[i], xs.scale()) ? i + 1 : i], xs.scale());
        } else if (!ys.include(height)) {
          skipped_bins_.count(height, ys.scale());
        } else {
          xs.include(layer.edges[i]);
          xs.include(layer.edges[i + 1]);
        }
      }
    }
    for (const LevelMarks& marks : options_.levels) {
      for (const double value : marks.values) {
        if (!xs.include(value)) skipped_levels_.count(value, xs.scale());
      }
    }
  }

  [[nodiscard]] std::vector<LegendEntry> legend() const {
    std::vector<LegendEntry> entries;
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      if (!layers_[l].name.empty()) entries.push_back({layers_[l].name, l});
    }
    for (std::size_t m = 0; m < options_.levels.size(); ++m) {
      const LevelMarks& marks = options_.levels[m];
      if (!marks.name.empty())
        entries.push_back(
            {concat(marks.name, " (", marks.values.size(), marks.values.size() == 1 ? " level)" : " levels)"),
             lane_colour(m), LegendKey::ticks});
    }
    return entries;
  }

  [[nodiscard]] std::size_t lane_colour(std::size_t lane) const { return layers_.size() + lane; }

  /// One layer: each run of bins with elements is an area with an outline that starts and ends at the baseline.
  void draw_layer(std::size_t l, const Axis& x, const Axis& y) {
    const HistogramLayer& layer = layers_[l];
    const double sum = total(layer);
    std::string path;
    std::optional<double> reached;  // right end of the run so far
    for (std::size_t i = 0; i < layer.counts.size(); ++i) {
      const double height = is_finite(layer.counts[i]) ? bin_height(layer, i, sum) : 0;
      const bool can = height > 0 && drawable(height, y.scale()) && edges_drawable(layer, i);
      const bool seen = can && layer.edges[i + 1] > x.least() && layer.edges[i] < x.greatest();
      if (can && !seen) skipped_bins_.count_beyond();
      if (!seen) {
        if (reached) path += "V" + coordinate(box_.bottom);
        reached.reset();
        continue;
      }
      const double left = box_.x(x, std::max(layer.edges[i], x.least()));
      const double top = box_.y(y, std::clamp(height, y.least(), y.greatest()));
      if (!reached) path += "M" + coordinate(left) + " " + coordinate(box_.bottom);
      reached = box_.x(x, std::min(layer.edges[i + 1], x.greatest()));
      path += "V" + coordinate(top) + "H" + coordinate(*reached);
    }
    if (reached) path += "V" + coordinate(box_.bottom);
    if (path.empty()) return;
    canvas_.svg().leaf("path", {{"class", "area " + series_class('f', l)}, {"d", path}});
    canvas_.svg().leaf("path", {{"class", "outline " + series_class('l', l)}, {"d", path}});
  }

  /// One lane of ticks for each set of levels, between the box and the axis below.
  void draw_levels(const Axis& x) {
    for (std::size_t m = 0; m < options_.levels.size(); ++m) {
      const double top = canvas_.claim(lane_height) + 3;
      for (const double value : options_.levels[m].values) {
        if (!x.shows(value)) {
          if (drawable(value, x.scale())) skipped_levels_.count_beyond();
          continue;
        }
        const double at = box_.x(x, value);
        canvas_.line(at, top, at, top + lane_height - 5, "level " + series_class('l', lane_colour(m)));
      }
    }
    if (!options_.levels.empty()) canvas_.line(box_.left, box_.bottom, box_.right, box_.bottom, "axis");
    box_.bottom = canvas_.top();
  }

  const std::vector<HistogramLayer>& layers_;
  const HistogramPlotOptions& options_;
  PlotCanvas canvas_;
  Box box_;
  SkippedValues skipped_bins_, skipped_levels_;
};

/// Draws histograms over each other and the levels of quantizers below. Bins whose edges or count are not finite, or
/// that reach 0 on a logarithmic axis of x, are left out and counted in a note (empty ones silently); so are levels.
/// Without a bin the plot says so. Errors: edges that do not number one more than the counts, or do not ascend;
/// a count below 0; impossible limits of an axis. Cost: two passes over the bins.
[[nodiscard]] inline SvgPlot histogram_plot(const std::vector<HistogramLayer>& layers,
                                            const HistogramPlotOptions& options = {}) {
  return HistogramPlotPainter(layers, options).paint();
}

}  // namespace halfstep::inline HALFSTEP_ABI::report
