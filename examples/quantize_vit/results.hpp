#pragma once

/// \file
/// The table, the JSON document and the HTML report.

#include <halfstep/config.hpp>
#include <halfstep/core/eigen.hpp>
#include <halfstep/report/bar_plot.hpp>
#include <halfstep/report/histogram_plot.hpp>
#include <halfstep/report/html_report.hpp>
#include <halfstep/report/json.hpp>
#include <halfstep/report/line_plot.hpp>
#include <halfstep/report/table.hpp>
#include <halfstep/report/table_text.hpp>
#include <halfstep/simd/isa.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "methods.hpp"
#include "site_quality.hpp"
#include "support/machine.hpp"

namespace quantize_vit {

namespace report = halfstep::report;

/// One line of the results.
struct Result {
  std::string method;
  double weight_bits = 32, activation_bits = 32;  ///< of all sites, or on average
  bool is_mixed = false;
  double top1 = 0, kl = 0;
  Index bytes = 0;
  double bits_per_weight = 32, ms_per_image = 0, speedup = 1;
};

/// One setting's SQNR by site.
struct SiteQuality {
  std::string name;
  std::vector<double> sqnr_db;
};

/// Everything that the report shows.
struct Results {
  example_support::Machine machine;
  std::string float_path;  ///< which product, and how fast
  std::vector<Result> rows;
  std::vector<std::string> sites;
  std::vector<SiteQuality> quality;
  std::vector<SiteValues> values;
  std::string values_method;         ///< the last one of which values were taken
  std::vector<WorstRow> worst_rows;  ///< of the setting with the fewest bits per weight
  std::string worst_rows_setting;
  int worst_rows_bits = 32;
};

/// Such as W4A8, or avg 3 where each site has a width of its own.
inline std::string setting_name(double weight_bits, double activation_bits, bool is_mixed) {
  return is_mixed ? halfstep::concat("avg ", weight_bits) : halfstep::concat("W", weight_bits, "A", activation_bits);
}
inline std::string setting_name(const Bits& bits) {
  return bits.average > 0 ? setting_name(bits.average, bits.average, true)
                          : setting_name(bits.weight, bits.activation, false);
}

/// The table as people read it.
inline report::Table display_table(const std::vector<Result>& rows) {
  report::Table table(
      {report::text_column("method"), report::text_column("bits"),
       report::number_column("top-1", {.unit = "%", .digits = 1}), report::number_column("KL", {.digits = 4}),
       report::number_column("bytes", {.digits = 0, .grouping = report::Grouping::thousands}),
       report::number_column("bits/weight", {.digits = 2}), report::number_column("ms/image", {.digits = 3}),
       report::number_column("speed-up", {.digits = 2})});
  for (const Result& row : rows) {
    const bool is_float = row.weight_bits == 32;
    table.add_row({row.method, setting_name(row.weight_bits, row.activation_bits, row.is_mixed), row.top1, row.kl,
                   row.bytes, row.bits_per_weight, row.ms_per_image, row.speedup},
                  is_float ? report::RowStyle::quiet : report::RowStyle::plain);
  }
  return table;
}

/// The rows under the names that programs read.
inline report::Table data_table(const std::vector<Result>& rows) {
  report::Table table({report::text_column("method"), report::number_column("weight_bits"),
                       report::number_column("activation_bits"), report::text_column("allocation"),
                       report::number_column("top1"), report::number_column("kl"), report::number_column("bytes"),
                       report::number_column("bits_per_weight"), report::number_column("ms_per_image"),
                       report::number_column("speedup")});
  for (const Result& row : rows) {
    table.add_row({row.method, row.weight_bits, row.activation_bits, row.is_mixed ? "mixed" : "uniform", row.top1,
                   row.kl, row.bytes, row.bits_per_weight, row.ms_per_image, row.speedup});
  }
  return table;
}

/// Counts of `values` in `bins` equal bins of [low, high]; what lies beyond counts at the ends.
inline report::HistogramLayer histogram_of(const std::string& name, const std::vector<float>& values, double low,
                                           double high, std::size_t bins) {
  report::HistogramLayer layer{name, {}, std::vector<double>(bins, 0.0)};
  for (std::size_t i = 0; i <= bins; ++i) {
    layer.edges.push_back(low + (high - low) * static_cast<double>(i) / static_cast<double>(bins));
  }
  for (const float value : values) {
    const double at = (static_cast<double>(value) - low) / (high - low) * static_cast<double>(bins);
    layer.counts[static_cast<std::size_t>(std::clamp(at, 0.0, static_cast<double>(bins) - 1))] += 1;
  }
  return layer;
}

inline report::SvgPlot before_and_after(const std::string& title, const std::string& label,
                                        const std::vector<float>& before, const std::vector<float>& after,
                                        std::vector<double> levels) {
  const auto [low, high] = std::minmax_element(before.begin(), before.end());
  const double first = static_cast<double>(*low), last = static_cast<double>(*high);
  const double room = last > first ? 0.01 * (last - first) : 1.0;
  std::sort(levels.begin(), levels.end());
  levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
  report::HistogramPlotOptions options{.title = title, .x = {.label = label}, .y = {.scale = report::AxisScale::log10}};
  if (!levels.empty()) options.levels.push_back({"levels in use", levels});
  return report::histogram_plot({histogram_of("before", before, first - room, last + room, 96),
                                 histogram_of("after", after, first - room, last + room, 96)},
                                options);
}

inline void add_distributions(report::HtmlReport& document, const Results& results) {
  report::ReportBody& body = document.section("Before and after");
  body.text(
      "What follows a LayerNorm, a softmax (of one head) and a GELU, as it is and as its codes have it, with the "
      "levels "
      "that each method lays on it at its first width of 4 bits or fewer; and a weight. Weights have one scale per "
      "output row, so their values after quantization are many. Counts are on a logarithmic axis, to show tails.");
  for (const SiteValues& values : results.values) {
    body.plot(before_and_after("Input of " + values.site + ", " + values.setting, "activation", values.input,
                               values.input_after, values.input_levels),
              "Input of `" + values.site + "` on a few test images, " + values.setting + ".");
  }
  const SiteValues& first = results.values.front();
  body.plot(before_and_after("Weight of " + first.site, "weight", first.weight, first.weight_after, {}),
            "Weight of `" + first.site + "`, " + first.setting + ".");
}

inline void add_worst_rows(report::HtmlReport& document, const Results& results) {
  report::Table table({report::text_column("site"), report::number_column("row", {.digits = 0}),
                       report::number_column("mse", {.digits = 3, .notation = report::Notation::scientific}),
                       report::number_column("SQNR", {.unit = "dB", .digits = 1}),
                       report::number_column("largest error", {.digits = 4}),
                       report::number_column("at column", {.digits = 0})});
  for (const WorstRow& one : results.worst_rows) {
    const hs::ErrorStats& stats = one.error.stats;
    table.add_row({one.site, one.error.row, stats.mse(), stats.sqnr_db(), stats.max_abs_error(), stats.worst().col});
  }
  report::ReportBody& body = document.section("Worst rows");
  body.text(
      "The output channels, among all linear layers, whose weights the codes miss most: a row with one large weight "
      "has "
      "a large step for all the others. Where accuracy is short, these are the rows to clip, to split or to give more "
      "bits.");
  body.table(table, "Weights with the largest mean squared error by row, " + results.worst_rows_setting + ".");
}

/// One line for each method that has at least two settings of the same width on both sides, or of an average.
template <class Value>
std::vector<report::LineSeries> lines_over_bits(const std::vector<Result>& rows, Value value) {
  std::vector<report::LineSeries> lines;
  for (const bool is_mixed : {false, true}) {
    for (const Result& row : rows) {
      if (row.weight_bits != row.activation_bits || row.weight_bits == 32 || row.is_mixed != is_mixed) continue;
      const std::string name = is_mixed ? row.method + ", mixed" : row.method;
      if (lines.empty() || lines.back().name != name) lines.push_back({name, {}, {}});
      lines.back().x.push_back(row.weight_bits);
      lines.back().y.push_back(value(row));
    }
  }
  lines.erase(std::remove_if(lines.begin(), lines.end(), [](const auto& line) { return line.x.size() < 2; }),
              lines.end());
  return lines;
}

inline void add_curves(report::ReportBody& body, const Results& results) {
  const auto accuracy = lines_over_bits(results.rows, [](const Result& row) { return row.top1; });
  if (accuracy.empty()) return;
  body.plot(report::line_plot(accuracy, {.title = "Accuracy over bits",
                                         .x = {.label = "bits of weights and activations"},
                                         .y = {.label = "top-1", .unit = "%"},
                                         .references = {{results.rows.front().top1, "float32"}}}),
            "Top-1 over the width of weights and activations; mixed: the average of widths site by site.");
  const auto divergence = lines_over_bits(results.rows, [](const Result& row) { return std::max(row.kl, 1e-5); });
  body.plot(report::line_plot(divergence, {.title = "Divergence over bits",
                                           .x = {.label = "bits of weights and activations"},
                                           .y = {.label = "KL", .scale = report::AxisScale::log10}}),
            "KL(float || quantized) over the width.");
}

inline report::HtmlReport html_report(const Results& results) {
  report::HtmlReport document({.title = "A vision transformer, quantized",
                               .subtitle = "Accuracy, size and speed on integer kernels",
                               .machine = example_support::machine_text(results.machine)});
  report::ReportBody& table = document.section("Accuracy, size and speed");
  table.text(
      "Every product of the quantized rows runs on integer codes: all linear layers, queries times keys, and "
      "probabilities times values. Softmax, GELU, LayerNorm and residuals are float (but of the method integer). Most "
      "methods have one scale per output row of a weight, and scales of activations that calibration on 32 images "
      "fixed.");
  table.table(display_table(results.rows),
              "Top-1 and KL(float || quantized), mean over the test images; bytes of the weights as products read "
              "them, scales, zero points and sums included; median time, same threads and batches for all rows.");
  add_curves(table, results);
  report::ReportBody& sites = document.section("Error by product");
  sites.text(
      "SQNR of each product's output: computed from the codes against computed in float, both on the inputs of a "
      "float run. Higher is better; 6 dB are one bit.");
  for (const SiteQuality& one : results.quality) {
    sites.plot(report::bar_plot(results.sites, {{one.name, one.sqnr_db}},
                                {.title = one.name, .value = {.label = "SQNR", .unit = "dB"}}),
               "Output error by product, " + one.name + ".");
  }
  if (!results.worst_rows.empty()) add_worst_rows(document, results);
  if (!results.values.empty()) add_distributions(document, results);
  return document;
}

}  // namespace quantize_vit
