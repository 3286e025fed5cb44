#include "halfstep/report/html_style.hpp"

#include <string>

#include "report/well_formed.hpp"
#include "support/catch.hpp"

using namespace halfstep::report;
using namespace halfstep_tests;

TEST_CASE("html_style: rules balance, both themes and paper are there", "[report]") {
  const std::string css = report_style_sheet();
  CHECK(markup_error("<html><style>" + css + "</style></html>").empty());
  CHECK_FALSE(refers_outside(css));
  CHECK(contains(css, "@media screen and (prefers-color-scheme:dark)"));
  CHECK(contains(css, "@media print"));
  for (const char* name : {".hs-table", ".sheet", ".numbers", ".machine", ".subtitle", "figcaption", "details"}) {
    CAPTURE(name);
    CHECK(contains(css, name));
  }
}

TEST_CASE("html_style: every colour variable that is used has a value in both themes", "[report]") {
  const std::string css = report_style_sheet();
  std::size_t uses = 0;
  for (std::size_t at = css.find("var("); at != std::string::npos; at = css.find("var(", at + 1)) {
    const std::string name = css.substr(at + 4, css.find(')', at) - at - 4);
    CAPTURE(name);
    CHECK(contains(report_colours_light, name + ":"));
    CHECK(contains(report_colours_dark, name + ":"));
    ++uses;
  }
  CHECK(uses > 10);
}
