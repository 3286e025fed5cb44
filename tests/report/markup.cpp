#include "halfstep/report/markup.hpp"

#include <limits>
#include <string>

#include "report/well_formed.hpp"
#include "support/catch.hpp"

using namespace halfstep::report;
using halfstep_tests::markup_error;

TEST_CASE("well_formed: the judge itself finds what is wrong", "[report]") {
  CHECK(markup_error("<a b=\"c\"><d/>text &amp; more</a>").empty());
  for (const char* wrong : {"<a>", "</a>", "<a></b>", "<a b=c/>", "<a b=\"1\" b=\"2\"/>", "<a>&x;</a>", "<a/><b/>",
                            "<a b=\"<\"/>", "<a>1 > 2</a>", "text", "<a>\x01</a>", "", "<a><style>p{</style></a>"}) {
    CAPTURE(wrong);
    CHECK_FALSE(markup_error(wrong).empty());
  }
  CHECK_FALSE(halfstep_tests::outside_view("<svg width=\"10\" height=\"5\"><text y=\"6\"/></svg>").empty());
  CHECK_FALSE(halfstep_tests::outside_view("<svg width=\"9\" height=\"5\"><rect x=\"5\" width=\"5\"/></svg>").empty());
  CHECK(halfstep_tests::outside_view("<svg width=\"10\" height=\"5\"><text y=\"5\"/></svg>").empty());
}

TEST_CASE("markup: text is escaped", "[report]") {
  CHECK(escape_markup("<a href=\"x\">&'</a>") == "&lt;a href=&quot;x&quot;&gt;&amp;&#39;&lt;/a&gt;");
  CHECK(escape_markup("a\nb\tc") == "a\nb\tc");
  CHECK(escape_markup(std::string("\0\x1b", 2)) == "\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK(escape_markup("\xC3(") == "\xEF\xBF\xBD(");
  CHECK(escape_markup("\xEF\xBF\xBF") == "\xEF\xBF\xBD");  // U+FFFF is no character of XML
  CHECK(escape_markup("Größe 量") == "Größe 量");
}

TEST_CASE("markup: coordinates are short and always numbers", "[report]") {
  CHECK(coordinate(100) == "100");
  CHECK(coordinate(0.5) == "0.5");
  CHECK(coordinate(12.346) == "12.35");
  CHECK(coordinate(-0.001) == "0");
  CHECK(coordinate(-20.10) == "-20.1");
  CHECK(coordinate(std::numeric_limits<double>::quiet_NaN()) == "0");
}

TEST_CASE("markup: elements nest and are closed at the end", "[report]") {
  MarkupWriter writer;
  writer.open("a", {{"k", "<\"&"}}).leaf("b", {{"x", 1.50}}).element("c", {}, "1 < 2").open("d").text("&");
  const std::string text = writer.take();
  CHECK(text == "<a k=\"&lt;&quot;&amp;\"><b x=\"1.5\"/><c>1 &lt; 2</c><d>&amp;</d></a>");
  CHECK(markup_error(text).empty());
  CHECK(writer.take().empty());
  CHECK_RAISES(writer.close(), "no element is open");
}
