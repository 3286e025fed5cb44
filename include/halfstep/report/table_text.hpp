#pragma once

/// \file
/// A table as aligned plain text and as GitHub Markdown.

#include "halfstep/config.hpp"
#include "halfstep/report/table.hpp"
#include "halfstep/report/utf8.hpp"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::report {

/// `text` with spaces around it up to `width` terminal columns.
[[nodiscard]] inline std::string aligned(std::string_view text, std::int64_t width, Align align) {
  const std::int64_t missing = std::max<std::int64_t>(width - display_width(text), 0);
  const std::int64_t before = align == Align::left ? 0 : align == Align::right ? missing : missing / 2;
  return std::string(static_cast<std::size_t>(before), ' ') + std::string(text) +
         std::string(static_cast<std::size_t>(missing - before), ' ');
}

/// The text of every cell, headings first, as lines of cells; and the width that each column needs.
struct TextGrid {
  std::vector<std::vector<std::string>> lines;
  std::vector<std::int64_t> widths;
};

/// Lays a table out: `heading(column)` and `cell(row, cell, column)` give the texts.
template <class Heading, class CellText>
[[nodiscard]] TextGrid text_grid(const Table& table, Heading&& heading, CellText&& cell) {
  const std::vector<Column>& columns = table.columns();
  TextGrid grid{.lines = {{}}, .widths = {}};
  for (const Column& column : columns) grid.lines[0].push_back(heading(column));
  for (const Row& row : table.rows()) {
    grid.lines.emplace_back();
    for (std::size_t c = 0; c < columns.size(); ++c) grid.lines.back().push_back(cell(row, row.cells[c], columns[c]));
  }
  grid.widths.assign(columns.size(), 1);
  for (const auto& line : grid.lines) {
    for (std::size_t c = 0; c < line.size(); ++c) grid.widths[c] = std::max(grid.widths[c], display_width(line[c]));
  }
  return grid;
}

/// The table for a terminal or a log: two spaces between columns, a rule of hyphens below the headings, "-" for an
/// empty cell, no space at the end of a line. Control characters become spaces, so a name cannot move the cursor.
///
///     site               SQNR [dB]
///     -----------------  ---------
///     blocks.0.attn.qkv      38.20
[[nodiscard]] inline std::string to_text(const Table& table) {
  const TextGrid grid = text_grid(
      table, [](const Column& column) { return one_line(heading_text(column)); },
      [](const Row&, const Cell& cell, const Column& column) {
        return cell.empty() ? std::string("-") : one_line(cell.shown(column.format));
      });
  std::string text;
  const auto add_line = [&](auto&& content) {
    std::string line;
    for (std::size_t c = 0; c < grid.widths.size(); ++c) line += (c == 0 ? "" : "  ") + content(c);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };
  for (std::size_t l = 0; l < grid.lines.size(); ++l) {
    add_line([&](std::size_t c) { return aligned(grid.lines[l][c], grid.widths[c], table.columns()[c].align); });
    if (l == 0) add_line([&](std::size_t c) { return std::string(static_cast<std::size_t>(grid.widths[c]), '-'); });
  }
  if (table.rows().empty()) text += "(no rows)\n";
  return text;
}

/// `text` so that GitHub shows these very characters in a cell: what would be markup is escaped. An underscore between
/// letters or digits and brackets without a link behind them are none, and stay.
[[nodiscard]] inline std::string escape_markdown(std::string_view text) {
  const std::string line = one_line(text);
  const auto inside_word = [&](std::size_t at) {
    const auto is_word = [&](std::size_t i) { return std::isalnum(static_cast<unsigned char>(line[i])) != 0; };
    return at > 0 && at + 1 < line.size() && is_word(at - 1) && is_word(at + 1);
  };
  std::string escaped;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const bool markup = std::string_view("\\|`*<>~&").find(line[i]) != std::string_view::npos;
    const bool link = line[i] == ']' && i + 1 < line.size() && (line[i + 1] == '(' || line[i + 1] == '[');
    if (markup || link || (line[i] == '_' && !inside_word(i))) escaped += '\\';
    escaped += line[i];
  }
  return escaped;
}

/// The table in GitHub's Markdown, its source aligned as well. Strong rows are bold; an empty cell stays empty.
[[nodiscard]] inline std::string to_markdown(const Table& table) {
  TextGrid grid = text_grid(
      table, [](const Column& column) { return escape_markdown(heading_text(column)); },
      [](const Row& row, const Cell& cell, const Column& column) {
        const std::string text = escape_markdown(cell.shown(column.format));
        return row.style == RowStyle::strong && !text.empty() ? "**" + text + "**" : text;
      });
  for (std::int64_t& width : grid.widths) width = std::max<std::int64_t>(width, 3);
  std::string markdown;
  const auto add_line = [&](auto&& content) {
    for (std::size_t c = 0; c < grid.widths.size(); ++c) markdown += (c == 0 ? "|" : "") + content(c) + "|";
    markdown += "\n";
  };
  for (std::size_t l = 0; l < grid.lines.size(); ++l) {
    add_line(
        [&](std::size_t c) { return " " + aligned(grid.lines[l][c], grid.widths[c], table.columns()[c].align) + " "; });
    if (l > 0) continue;
    add_line([&](std::size_t c) {
      const Align align = table.columns()[c].align;
      return (align == Align::left     ? " "
              : align == Align::center ? ":"
                                       : " ") +
             std::string(static_cast<std::size_t>(grid.widths[c]), '-') + (align == Align::left ? " " : ":");
    });
  }
  return markdown;
}

}  // namespace halfstep::inline HALFSTEP_ABI::report
