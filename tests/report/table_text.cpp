#include "halfstep/report/table_text.hpp"

#include <limits>
#include <string>

#include "support/catch.hpp"

using namespace halfstep::report;

namespace {

Table text_sample() {
  Table table(
      {text_column("site"), number_column("SQNR", {.unit = "dB", .digits = 1}), text_column("note", Align::center)});
  table.add_row({"blocks.0.attn.qkv", 38.25, "ok"}, RowStyle::strong)
      .add_row({"Größe 量", -6, {}})
      .add_row({"head", std::numeric_limits<double>::quiet_NaN(), "a|b"});
  return table;
}

}  // namespace

TEST_CASE("table_text: columns are aligned by what is seen", "[report]") {
  CHECK(to_text(text_sample()) ==
        "site               SQNR [dB]  note\n"
        "-----------------  ---------  ----\n"
        "blocks.0.attn.qkv       38.2   ok\n"
        "Größe 量                -6.0   -\n"
        "head                     nan  a|b\n");
}

TEST_CASE("table_text: a table without rows says so", "[report]") {
  CHECK(to_text(Table({text_column("site"), number_column("n")})) == "site  n\n----  -\n(no rows)\n");
  CHECK(to_markdown(Table({text_column("site")})) == "| site |\n| ---- |\n");
  CHECK(to_text(Table({text_column("")})) == "\n-\n(no rows)\n");
}

TEST_CASE("table_text: control characters of a name stay out of the terminal", "[report]") {
  Table table({text_column("name")});
  table.add_row({"a\nb\x1b[2J"});
  CHECK(to_text(table) == "name\n-------\na b [2J\n");
}

TEST_CASE("table_text: Markdown is aligned, bold where strong, and escaped", "[report]") {
  CHECK(to_markdown(text_sample()) ==
        "| site                  | SQNR [dB] |  note  |\n"
        "| --------------------- | ---------:|:------:|\n"
        "| **blocks.0.attn.qkv** |  **38.2** | **ok** |\n"
        "| Größe 量              |      -6.0 |        |\n"
        "| head                  |       nan |  a\\|b  |\n");
}

TEST_CASE("table_text: Markdown escapes what would be markup and nothing else", "[report]") {
  CHECK(escape_markdown("attn_drop_2") == "attn_drop_2");
  CHECK(escape_markdown("_private_") == "\\_private\\_");
  CHECK(escape_markdown("*a* `b` <c> &d; ~e~ \\") == "\\*a\\* \\`b\\` \\<c\\> \\&d; \\~e\\~ \\\\");
  CHECK(escape_markdown("[x](y)") == "[x\\](y)");
  CHECK(escape_markdown("SQNR [dB]") == "SQNR [dB]");
  CHECK(escape_markdown("a\nb") == "a b");
}
