#pragma once

/// \file
/// A table as JSON, for programs that read results: {"machine": {...}, "rows": [{...}, ...]}. Needs nlohmann-json.

#include "halfstep/config.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/report/number_text.hpp"
#include "halfstep/report/table.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI::report {

/// A cell as a JSON value: numbers stay numbers, in full, whatever the column prints; nothing, NaN and infinities
/// become null, as JSON has no other word for them.
[[nodiscard]] inline nlohmann::ordered_json json_value(const Cell& cell) {
  if (const std::string* text = cell.text()) return *text;
  if (const std::int64_t* integer = cell.integer()) return *integer;
  if (const double* real = cell.real(); real != nullptr && is_finite(*real)) return *real;
  return nullptr;
}

/// The document: the machine's properties in their order, and one object per row whose keys are the column headings,
/// without units. Error: two columns (or two properties) of one name.
[[nodiscard]] inline nlohmann::ordered_json to_json(const Table& table,
                                                    const std::vector<std::pair<std::string, Cell>>& machine) {
  nlohmann::ordered_json document;
  nlohmann::ordered_json& properties = document["machine"] = nlohmann::ordered_json::object();
  for (const auto& [name, value] : machine) {
    if (properties.contains(name)) raise("report::to_json", "machine has two values of \"", name, "\", expected one");
    properties[name] = json_value(value);
  }
  nlohmann::ordered_json& rows = document["rows"] = nlohmann::ordered_json::array();
  for (std::size_t a = 0; a < table.columns().size(); ++a) {
    for (std::size_t b = 0; b < a; ++b) {
      if (table.columns()[a].heading != table.columns()[b].heading) continue;
      raise("report::to_json", "columns ", b, " and ", a, " are both named \"", table.columns()[a].heading,
            "\", expected different names");
    }
  }
  for (const Row& row : table.rows()) {
    nlohmann::ordered_json object = nlohmann::ordered_json::object();
    for (std::size_t c = 0; c < row.cells.size(); ++c) object[table.columns()[c].heading] = json_value(row.cells[c]);
    rows.push_back(std::move(object));
  }
  return document;
}

/// The document as text, indented by two spaces; bytes that are not UTF-8 become U+FFFD.
[[nodiscard]] inline std::string json_text(const nlohmann::ordered_json& document) {
  return document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace halfstep::inline HALFSTEP_ABI::report
