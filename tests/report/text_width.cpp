#include "halfstep/report/text_width.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace halfstep::report;

TEST_CASE("text_width: grows with the text and the size of the font", "[report]") {
  CHECK(text_width("") == 0);
  CHECK(text_width("W", 12) > text_width("i", 12));
  CHECK(text_width("blocks", 24) == Approx(2 * text_width("blocks", 12)));
  CHECK(text_width("量") > text_width("n"));
  CHECK(text_width("e\xCC\x81") == Approx(text_width("e")));
  // DejaVu Sans at 12 px, its advances in the font file: b .635, l .278, o .612, c .550, k .579, s .521 em.
  const double real = 12 * (.635 + .278 + .612 + .550 + .579 + .521);
  CHECK(text_width("blocks") >= real);
  CHECK(text_width("blocks") < 1.15 * real);
}

TEST_CASE("text_width: fitted text fits", "[report]") {
  CHECK(fitted_text("blocks.0", 500) == "blocks.0");
  for (double width = 12; width < 120; width += 7) {
    CAPTURE(width);
    const std::string text = fitted_text("blocks.11.attention.projection", width);
    CHECK(text_width(text) <= width);
    CHECK(text.ends_with("…"));
  }
  CHECK(fitted_text("a\nb", 500) == "a b");
  CHECK(fitted_text("abc", 0) == "…");
}

TEST_CASE("text_width: wrapped lines fit and lose no word", "[report]") {
  const std::string text = "What each method keeps of the accuracy of the float model";
  const std::vector<std::string> lines = wrapped_text(text, 130);
  CHECK(lines.size() > 2);
  std::string joined;
  for (const std::string& line : lines) {
    CHECK(text_width(line) <= 130);
    joined += (joined.empty() ? "" : " ") + line;
  }
  CHECK(joined == text);
  CHECK(wrapped_text("", 100) == std::vector<std::string>{""});
  CHECK(wrapped_text("incomprehensibilities are", 60).size() == 2);
}

TEST_CASE("text_width: the widest of several", "[report]") {
  const std::vector<std::string> names{"i", "mmm", "ab"};
  CHECK(widest_text(names, [](const std::string& name) { return name; }) == text_width("mmm"));
  CHECK(widest_text(std::vector<std::string>{}, [](const std::string& name) { return name; }) == 0);
}
