#pragma once

/// \file
/// The table, the JSON document and the HTML report.

#include <halfstep/core/error.hpp>
#include <halfstep/core/matrix_view.hpp>
#include <halfstep/report/html_report.hpp>
#include <halfstep/report/line_plot.hpp>
#include <halfstep/report/table.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "options.hpp"
#include "support/machine.hpp"

namespace quantize_llm {

namespace report = halfstep::report;

/// One line of the results.
struct Result {
  std::string method;
  Setting setting;
  double nll = 0;
  Index bytes = 0;
  double bits_per_weight = 32, tokens_per_second = 0, decoded_per_second = 0;

  [[nodiscard]] bool is_float() const { return setting.weight_bits == 32; }
};

/// The setting of the float model's line.
inline constexpr Setting float_setting{32, 32, hs::InputScale::none, 0};

/// Everything that the report shows.
struct Results {
  example_support::Machine machine;
  std::string float_path;  ///< which product
  std::vector<Result> rows;
};

inline std::string scale_name(hs::InputScale scale) {
  if (scale == hs::InputScale::none) return "none";
  return scale == hs::InputScale::token ? "token" : "tensor";
}

inline std::string setting_name(const Setting& setting) {
  std::string name = hs::concat("W", setting.weight_bits);
  if (setting.activation_bits != float_bits) name += hs::concat("A", setting.activation_bits);
  if (setting.group != 0) name += hs::concat(" g", setting.group);
  return name;
}

/// The table as people read it.
inline report::Table display_table(const std::vector<Result>& rows) {
  const auto speed = [](const char* name) {
    return report::number_column(name, {.digits = 0, .grouping = report::Grouping::thousands});
  };
  report::Table table({report::text_column("method"), report::text_column("bits"), report::text_column("input scale"),
                       report::number_column("NLL", {.digits = 4}), report::number_column("perplexity", {.digits = 3}),
                       report::number_column("bytes", {.digits = 0, .grouping = report::Grouping::thousands}),
                       report::number_column("bits/weight", {.digits = 2}), speed("tokens/s"), speed("decoded/s")});
  for (const Result& row : rows) {
    table.add_row({row.method, setting_name(row.setting), scale_name(row.setting.scale), row.nll, std::exp(row.nll),
                   row.bytes, row.bits_per_weight, row.tokens_per_second, row.decoded_per_second},
                  row.is_float() ? report::RowStyle::quiet : report::RowStyle::plain);
  }
  return table;
}

/// The rows under the names that programs read.
inline report::Table data_table(const std::vector<Result>& rows) {
  report::Table table({report::text_column("method"), report::number_column("weight_bits"),
                       report::number_column("activation_bits"), report::text_column("activation_scale"),
                       report::number_column("group"), report::number_column("nll"), report::number_column("bytes"),
                       report::number_column("bits_per_weight"), report::number_column("tokens_per_second")});
  for (const Result& row : rows) {
    table.add_row({row.method, row.setting.weight_bits, row.setting.activation_bits, scale_name(row.setting.scale),
                   row.setting.group, row.nll, row.bytes, row.bits_per_weight, row.tokens_per_second});
  }
  return table;
}

/// What rows that belong into one figure have in common.
inline std::string input_kind(const Setting& setting) {
  if (setting.activation_bits == float_bits) return "weights alone";
  return hs::concat("A", setting.activation_bits, " per ", scale_name(setting.scale));
}

/// Loss over bits per weight of the rows of one kind of input, a line for each method.
inline report::SvgPlot loss_plot(const std::vector<Result>& rows, const std::string& kind) {
  std::vector<report::LineSeries> series;
  const auto series_of = [&](const std::string& name) -> report::LineSeries& {
    for (report::LineSeries& one : series) {
      if (one.name == name) return one;
    }
    series.push_back({name, {}, {}});
    return series.back();
  };
  std::vector<report::ReferenceLine> references;
  for (const Result& row : rows) {
    if (row.is_float()) references.push_back({row.nll, "float32"});
    if (row.is_float() || input_kind(row.setting) != kind) continue;
    report::LineSeries& line = series_of(row.method);
    line.x.push_back(row.bits_per_weight);
    line.y.push_back(row.nll);
  }
  for (report::LineSeries& line : series) {  // from few bits to many
    std::vector<std::pair<double, double>> points;
    for (std::size_t i = 0; i < line.x.size(); ++i) points.emplace_back(line.x[i], line.y[i]);
    std::sort(points.begin(), points.end());
    for (std::size_t i = 0; i < points.size(); ++i) std::tie(line.x[i], line.y[i]) = points[i];
  }
  return report::line_plot(series, {.title = "Loss over size, " + kind,
                                    .x = {.label = "bits per weight"},
                                    .y = {.label = "NLL", .unit = "nats"},
                                    .references = references});
}

inline report::HtmlReport html_report(const Results& results) {
  report::HtmlReport document({.title = "A language model, quantized",
                               .subtitle = "Loss, size and speed on integer kernels",
                               .machine = example_support::machine_text(results.machine)});
  report::ReportBody& table = document.section("Loss, size and speed");
  table.text(
      "Every linear layer of the blocks runs on codes: integer products where inputs become codes, products with the "
      "decoded values where they stay float. Embedding, head, norms, softmax, attention products and residuals are "
      "float in all rows. NLL in nats per token, mean over the test sequences; perplexity is its exponential.");
  table.table(display_table(results.rows),
              "Bytes of the weights of the blocks as products read them, scales, zero points and sums included. "
              "tokens/s: whole sequences, median over sets of them; decoded/s: one token after the other over a cache "
              "of keys and values. Same threads for all rows.");
  report::ReportBody& plots = document.section("Loss over size");
  std::vector<std::string> shown;
  for (const Result& row : results.rows) {
    const std::string kind = input_kind(row.setting);
    if (row.is_float() || std::find(shown.begin(), shown.end(), kind) != shown.end()) continue;
    shown.push_back(kind);
    plots.plot(loss_plot(results.rows, kind), "NLL over the bits of a weight of the blocks.");
  }
  return document;
}

}  // namespace quantize_llm
