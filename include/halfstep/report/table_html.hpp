#pragma once

/// \file
/// A table as HTML.

#include "halfstep/config.hpp"
#include "halfstep/report/markup.hpp"
#include "halfstep/report/table.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace halfstep::inline HALFSTEP_ABI::report {

/// The class of a cell: where it stands, and whether it is empty. The style sheet of HtmlReport knows these names.
[[nodiscard]] inline std::string_view cell_class(Align align) {
  return align == Align::left ? "left" : align == Align::right ? "right" : "center";
}

/// The table as an HTML `table` element of class "hs-table", which is well-formed XML too; a dash for an empty cell.
/// Text is escaped; numbers are written with a plain hyphen, so that they paste into a spreadsheet.
[[nodiscard]] inline std::string to_html(const Table& table) {
  MarkupWriter html;
  html.open("table", {{"class", "hs-table"}}).open("thead").open("tr");
  for (const Column& column : table.columns()) {
    html.open("th", {{"scope", "col"}, {"class", cell_class(column.align)}}).text(column.heading);
    if (!column.unit.empty()) html.text(" ").element("span", {{"class", "unit"}}, "[" + column.unit + "]");
    html.close();
  }
  html.close().close().new_line().open("tbody");
  for (const Row& row : table.rows()) {
    html.new_line().open("tr", {{"class", row.style == RowStyle::strong  ? "strong"
                                          : row.style == RowStyle::quiet ? "quiet"
                                                                         : "plain"}});
    for (std::size_t c = 0; c < row.cells.size(); ++c) {
      const Column& column = table.columns()[c];
      const std::string text = row.cells[c].empty() ? "–" : row.cells[c].shown(column.format);
      html.element("td", {{"class", cell_class(column.align)}}, text);
    }
    html.close();
  }
  if (table.rows().empty()) {
    const std::string span = std::to_string(table.columns().size());
    html.open("tr").element("td", {{"class", "none"}, {"colspan", span}}, "no rows").close();
  }
  return html.take() + "\n";
}

}  // namespace halfstep::inline HALFSTEP_ABI::report
