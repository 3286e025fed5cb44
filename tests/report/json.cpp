#include "halfstep/report/json.hpp"

#include <limits>
#include <string>

#include "support/catch.hpp"

using namespace halfstep::report;

TEST_CASE("json: machine and rows, numbers as numbers, in their order", "[report]") {
  Table table({text_column("site"), number_column("SQNR", {.unit = "dB", .digits = 1}), number_column("rows")});
  table.add_row({"b \"x\"", 38.25, 9007199254740993}).add_row({"a", std::numeric_limits<double>::quiet_NaN(), {}});
  const std::string text = json_text(to_json(table, {{"isa", "avx2"}, {"threads", 2}}));
  CHECK(text == R"({
  "machine": {
    "isa": "avx2",
    "threads": 2
  },
  "rows": [
    {
      "site": "b \"x\"",
      "SQNR": 38.25,
      "rows": 9007199254740993
    },
    {
      "site": "a",
      "SQNR": null,
      "rows": null
    }
  ]
}
)");
  CHECK(nlohmann::json::parse(text).at("rows").at(0).at("SQNR").is_number_float());
}

TEST_CASE("json: nothing is an empty object and an empty array", "[report]") {
  const auto document = nlohmann::json::parse(json_text(to_json(Table({text_column("x")}), {})));
  CHECK(document.at("machine") == nlohmann::json::object());
  CHECK(document.at("rows") == nlohmann::json::array());
}

TEST_CASE("json: names that would overwrite each other are refused, bad bytes replaced", "[report]") {
  CHECK_RAISES(to_json(Table({text_column("x"), number_column("y"), number_column("x")}), {}),
               "columns 0 and 2 are both named \"x\"");
  CHECK_RAISES(to_json(Table({text_column("x")}), {{"isa", "a"}, {"isa", "b"}}), "machine has two values of \"isa\"");
  Table table({text_column("x")});
  table.add_row({"\xFF"});
  CHECK(json_text(to_json(table, {})).find("\xEF\xBF\xBD") != std::string::npos);
}
