#include "halfstep/report/table.hpp"

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "support/catch.hpp"

using namespace halfstep::report;

TEST_CASE("table: a cell keeps the type it was made from", "[report]") {
  CHECK(Cell().empty());
  CHECK(*Cell("x").text() == "x");
  CHECK(*Cell(std::string_view("y")).text() == "y");
  CHECK(*Cell(std::size_t{7}).integer() == 7);
  CHECK(*Cell(std::uint8_t{7}).integer() == 7);
  CHECK(*Cell(0).integer() == 0);
  CHECK(*Cell(1.5f).real() == 1.5);
  CHECK(*Cell(std::numeric_limits<std::uint64_t>::max()).real() == 18446744073709551616.0);
  CHECK(Cell(1).real() == nullptr);
  CHECK(Cell("1").integer() == nullptr);
}

TEST_CASE("table: cells are shown in the format of their column", "[report]") {
  CHECK(Cell(3).shown({.digits = 1}) == "3.0");
  CHECK(Cell(3.14159).shown({.digits = 3}) == "3.142");
  CHECK(Cell("text").shown({}) == "text");
  CHECK(Cell().shown({}).empty());
  CHECK(heading_text(number_column("SQNR", {.unit = "dB"})) == "SQNR [dB]");
  CHECK(heading_text(text_column("site")) == "site");
}

TEST_CASE("table: rows must fit the columns", "[report]") {
  CHECK_RAISES(Table({}), "columns is empty");
  Table table({text_column("site"), number_column("SQNR", {.unit = "dB"})});
  table.add_row({"a", 1}).add_row({{}, {}}, RowStyle::quiet);
  CHECK_RAISES(table.add_row({"a"}), "row 2 has 1 cells, expected 2");
  CHECK_RAISES(table.add_row({"a", "b"}), "row 2, column \"SQNR\" is text, expected a number");
  CHECK_RAISES(table.add_row({2, 1}), "column \"site\" is a number, expected text");
  CHECK(table.rows().size() == 2);  // a refused row leaves the table as it was
  CHECK(table.rows()[1].style == RowStyle::quiet);
}
