#pragma once

/// \file
/// A table as a value: typed columns, rows of cells, and the text of each cell. table_text.hpp, table_markdown.hpp,
/// table_html.hpp and json.hpp write it.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/report/number_text.hpp"
#include "halfstep/report/utf8.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::report {

/// What the cells of a column hold.
enum class ColumnKind { text, number };

/// Where the cells of a column stand.
enum class Align { left, center, right };

/// One column: made by `text_column` or `number_column`.
struct Column {
  std::string heading;
  ColumnKind kind = ColumnKind::text;
  Align align = Align::left;
  std::string unit;       ///< written once, in the heading: "SQNR [dB]"
  NumberFormat format{};  ///< of a column of numbers
};

/// A column of text.
[[nodiscard]] inline Column text_column(std::string heading, Align align = Align::left) {
  return {.heading = std::move(heading), .kind = ColumnKind::text, .align = align, .unit = {}, .format = {}};
}

/// How the numbers of a column look.
struct NumberColumnOptions {
  std::string unit = {};
  int digits = 2;  ///< as in `NumberFormat`
  Notation notation = Notation::fixed;
  Grouping grouping = Grouping::none;
  Align align = Align::right;
};

/// A column of numbers with one format, so that their points stand below each other.
[[nodiscard]] inline Column number_column(std::string heading, const NumberColumnOptions& options = {}) {
  return {.heading = std::move(heading),
          .kind = ColumnKind::number,
          .align = options.align,
          .unit = options.unit,
          .format = {.notation = options.notation, .digits = options.digits, .grouping = options.grouping}};
}

/// A text, an integer, a real number, or nothing.
class Cell {
 public:
  /// An empty cell: no such value (not the same as NaN, which is a value and printed as such).
  Cell() = default;
  Cell(std::string text) : value_(std::move(text)) {}
  Cell(std::string_view text) : value_(std::string(text)) {}
  Cell(const char* text) : value_(std::string(text)) {}
  template <std::floating_point T>
  Cell(T number) : value_(static_cast<double>(number)) {}
  /// An integer that needs more than 63 bits becomes the nearest real number.
  template <std::integral T>
  requires(!std::same_as<T, bool> && !std::same_as<T, char>) Cell(T number) {
    if (std::in_range<std::int64_t>(number)) {
      value_ = static_cast<std::int64_t>(number);
    } else {
      value_ = static_cast<double>(number);
    }
  }

  [[nodiscard]] bool empty() const { return std::holds_alternative<std::monostate>(value_); }
  /// The text, or null.
  [[nodiscard]] const std::string* text() const { return std::get_if<std::string>(&value_); }
  /// The integer, or null.
  [[nodiscard]] const std::int64_t* integer() const { return std::get_if<std::int64_t>(&value_); }
  /// The real number, or null.
  [[nodiscard]] const double* real() const { return std::get_if<double>(&value_); }

  /// What is printed under a column of this format; an empty cell has no text.
  [[nodiscard]] std::string shown(const NumberFormat& format) const {
    if (const std::string* t = text()) return *t;
    if (const std::int64_t* i = integer()) return number_text(*i, format);
    if (const double* r = real()) return number_text(*r, format);
    return {};
  }

 private:
  std::variant<std::monostate, std::string, std::int64_t, double> value_;
};

/// The weight of a row.
enum class RowStyle {
  plain,
  strong,  ///< bold where the output has bold: the result that the table is about
  quiet    ///< lighter where the output can: a reference, such as the float model
};

/// The cells of one row, as many as the table has columns.
struct Row {
  std::vector<Cell> cells;
  RowStyle style = RowStyle::plain;
};

/// Columns and rows. A value: copies are independent.
///
///     Table table({text_column("site"), number_column("SQNR", {.unit = "dB"})});
///     table.add_row({"blocks.0.attn.qkv", 38.2});
class Table {
 public:
  /// A table without rows. Error: no column.
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {
    if (columns_.empty()) raise("report::Table", "columns is empty, expected at least one column");
  }

  /// Appends a row. Errors, each naming the cell: another number of cells than columns, text in a column of numbers, a
  /// number in a column of text. Empty cells go everywhere.
  Table& add_row(std::vector<Cell> cells, RowStyle style = RowStyle::plain) {
    if (cells.size() != columns_.size()) {
      raise("report::Table::add_row", "row ", rows_.size(), " has ", cells.size(), " cells, expected ", columns_.size(),
            ", one per column");
    }
    for (std::size_t c = 0; c < cells.size(); ++c) check_kind(cells[c], columns_[c]);
    rows_.push_back({std::move(cells), style});
    return *this;
  }

  [[nodiscard]] const std::vector<Column>& columns() const { return columns_; }
  [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }

 private:
  void check_kind(const Cell& cell, const Column& column) const {
    const bool is_text = cell.text() != nullptr;
    if (cell.empty() || is_text == (column.kind == ColumnKind::text)) return;
    raise("report::Table::add_row", "row ", rows_.size(), ", column \"", column.heading, "\" is ",
          is_text ? "text, expected a number" : "a number, expected text");
  }

  std::vector<Column> columns_;
  std::vector<Row> rows_;
};

/// The heading of a column with its unit: "SQNR [dB]".
[[nodiscard]] inline std::string heading_text(const Column& column) {
  return column.unit.empty() ? column.heading : column.heading + " [" + column.unit + "]";
}

}  // namespace halfstep::inline HALFSTEP_ABI::report
