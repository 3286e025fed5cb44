#include "halfstep/report/table_html.hpp"

#include <string>

#include "report/well_formed.hpp"
#include "support/catch.hpp"

using namespace halfstep::report;
using halfstep_tests::contains;
using halfstep_tests::count_of;
using halfstep_tests::markup_error;

TEST_CASE("table_html: cells, classes and numbers are there and well formed", "[report]") {
  Table table({text_column("<site>"), number_column("SQNR", {.unit = "d&B", .digits = 1})});
  table.add_row({"a < b", -38.25}, RowStyle::strong).add_row({"c", {}}, RowStyle::quiet);
  const std::string html = to_html(table);
  INFO(html);
  CHECK(markup_error(html).empty());
  CHECK(contains(html, "&lt;site&gt;</th>"));
  CHECK(contains(html, "SQNR <span class=\"unit\">[d&amp;B]</span></th>"));
  CHECK(contains(html, "<tr class=\"strong\"><td class=\"left\">a &lt; b</td><td class=\"right\">-38.2</td></tr>"));
  CHECK(contains(html, "<tr class=\"quiet\"><td class=\"left\">c</td><td class=\"right\">–</td></tr>"));
  CHECK(count_of(html, "<tr") == 3);
}

TEST_CASE("table_html: a table without rows says so", "[report]") {
  const std::string html = to_html(Table({text_column("a"), text_column("b"), text_column("c")}));
  CHECK(markup_error(html).empty());
  CHECK(contains(html, "colspan=\"3\">no rows</td>"));
}
