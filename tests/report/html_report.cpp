#include "halfstep/report/html_report.hpp"

#include <string>

#include "halfstep/report/svg_plot.hpp"
#include "report/well_formed.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

using namespace halfstep::report;
using namespace halfstep_tests;

namespace {

HtmlReport sample() {
  Table table({text_column("site"), number_column("SQNR", {.unit = "dB"})});
  table.add_row({"blocks.0", 38.25});
  HtmlReport report({.title = "W4A4 <report>", .subtitle = "sub & title", .machine = "x86-64, \"AVX2\", 1 thread"});
  report.introduction().text("First `code<1>` here.\n\nSecond paragraph.").numbers({{"96.9 %", "top-1 & more"}});
  report.section("One").table(table, "A table.").plot(line_plot({{"a", {1, 2}, {3, 4}}}), "A `plot`.");
  ReportBody hidden;
  hidden.table(table, "Hidden.").code("$ run --fast\n<ok>");
  report.section("Two & a half").details("More <here>", hidden);
  report.section("Three").plot(bar_plot({"a"}, {{"", {1}}}), "").table(table, "Last.");
  return report;
}

}  // namespace

TEST_CASE("html_report: everything is there, escaped, well formed and self-contained", "[report]") {
  const std::string html = sample().html();
  INFO(html);
  CHECK(html.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
  CHECK(markup_error(html).empty());
  CHECK_FALSE(refers_outside(html));
  for (const char* part : {"<title>W4A4 &lt;report&gt;</title>", "<h1>W4A4 &lt;report&gt;</h1>", "sub &amp; title",
                           "&quot;AVX2&quot;, 1 thread", "<p>First <code>code&lt;1&gt;</code> here.</p>",
                           "<p>Second paragraph.</p>", "<strong>96.9 %</strong>", "top-1 &amp; more",
                           "<h2>Two &amp; a half</h2>", "<summary>More &lt;here&gt;</summary>",
                           "<pre>$ run --fast\n&lt;ok&gt;</pre>", "38.25", "A <code>plot</code>."}) {
    CAPTURE(part);
    CHECK(contains(html, part));
  }
  CHECK(count_of(html, "<svg ") == 2);
}

TEST_CASE("html_report: tables and figures are numbered in order, folded ones too", "[report]") {
  const std::string html = sample().html();
  CHECK(contains(html, "<b>Table 1.</b> A table."));
  CHECK(contains(html, "<b>Figure 1.</b> A "));
  CHECK(contains(html, "<b>Table 2.</b> Hidden."));
  CHECK(contains(html, "<b>Figure 2</b></figcaption>"));
  CHECK(contains(html, "<b>Table 3.</b> Last."));
}

TEST_CASE("html_report: contents appear from three sections on and lead to them", "[report]") {
  HtmlReport report({.title = "t"});
  CHECK(markup_error(report.html()).empty());  // a report of nothing
  report.section("One");
  report.section("Two");
  CHECK_FALSE(contains(report.html(), "<nav"));
  report.section("Three");
  const std::string html = report.html();
  for (const char* id : {"section-1", "section-2", "section-3"}) {
    CHECK(contains(html, "href=\"#" + std::string(id) + "\""));
    CHECK(contains(html, "<section id=\"" + std::string(id) + "\""));
  }
}

TEST_CASE("html_report: references to sections stay valid, copies are independent", "[report]") {
  HtmlReport report({.title = "t"});
  ReportBody& first = report.section("first");
  for (int i = 0; i < 100; ++i) report.section("other");
  first.text("added late");
  CHECK(contains(report.html(), "<p>added late</p>"));
  HtmlReport copy = report;
  copy.section("only in the copy");
  CHECK_FALSE(contains(report.html(), "only in the copy"));
}

TEST_CASE("html_report: sentences and their code", "[report]") {
  const auto written = [](std::string_view text) {
    MarkupWriter html;
    write_inline_text(html, text);
    return html.take();
  };
  CHECK(written("a `b` c `d`") == "a <code>b</code> c <code>d</code>");
  CHECK(written("a ` b") == "a ` b");
  CHECK(written("`x`y`") == "<code>x</code>y`");
  CHECK(written("``") == "<code></code>");
  CHECK(written("").empty());
  HtmlReport report({.title = "t"});
  report.introduction().text("").text("\n\n\n\n").text("one\n\n");
  CHECK(count_of(report.html(), "<p>") == 1);
  CHECK(markup_error(report.html()).empty());
}

TEST_CASE("html_report: the file is the document; the same calls give the same bytes", "[report]") {
  const halfstep_test::TemporaryDirectory folder;
  sample().write(folder.file("report.html"));
  CHECK(folder.read("report.html") == sample().html());
  CHECK_RAISES(sample().write(folder.path() / "no" / "report.html"), "there is no folder");
}
