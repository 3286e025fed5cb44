#include "halfstep/report/utf8.hpp"

#include <string>
#include <string_view>

#include "support/catch.hpp"

using namespace halfstep::report;

TEST_CASE("utf8: every code point survives encoding and decoding", "[report]") {
  std::int64_t wrong = 0;
  for (char32_t value = 0; value <= 0x10FFFF; ++value) {
    if (value >= 0xD800 && value <= 0xDFFF) continue;
    std::string bytes;
    append_utf8(bytes, value);
    const CodePoint read = first_code_point(bytes);
    wrong += read.value != value || read.bytes != bytes.size();
  }
  CHECK(wrong == 0);
}

TEST_CASE("utf8: malformed bytes read as one replacement character each", "[report]") {
  const std::string_view malformed =
      GENERATE(std::string_view("\x80"), std::string_view("\xC0\x80"), std::string_view("\xE0\x80\x80"),
               std::string_view("\xED\xA0\x80"), std::string_view("\xF4\x90\x80\x80"), std::string_view("\xE2\x82"),
               std::string_view("\xF0\x80\x80\x80"), std::string_view("\xFF\xFE"), std::string_view("\xC3("));
  const CodePoint point = first_code_point(malformed);
  CHECK(point.value == replacement_character);
  CHECK(point.bytes == 1);
  CHECK(one_line(malformed).substr(0, 3) == "\xEF\xBF\xBD");
}

TEST_CASE("utf8: width counts columns, not bytes", "[report]") {
  CHECK(display_width("") == 0);
  CHECK(display_width("blocks.0") == 8);
  CHECK(display_width("Größe") == 5);
  CHECK(display_width("e\xCC\x81") == 1);  // e and a combining acute accent
  CHECK(display_width("量子化") == 6);     // wide characters
  CHECK(display_width("✅ ok") == 5);       // an emoji
  CHECK(display_width("\x1b[2J") == 3);    // the escape character itself takes none
  CHECK(display_width("10⁻⁵ · −3") == 9);
}

TEST_CASE("utf8: one_line takes away what could move a cursor", "[report]") {
  CHECK(one_line("a\nb\tc\x1b[31m") == "a b c [31m");
  CHECK(one_line("x\xC2\x9By") == "x y");  // C1: control sequence introducer
  CHECK(one_line("é量") == "é量");
}

TEST_CASE("utf8: shorten fits and never cuts a character apart", "[report]") {
  CHECK(shorten("blocks", 6) == "blocks");
  CHECK(shorten("blocks.0", 6) == "block…");
  CHECK(shorten("blocks", 1) == "…");
  CHECK(shorten("blocks", 0).empty());
  CHECK(shorten("", 0).empty());
  const std::string text = "量子 é✅ e\xCC\x81 abc 化";
  for (std::int64_t columns = 0; columns <= display_width(text) + 1; ++columns) {
    CAPTURE(columns);
    const std::string cut = shorten(text, columns);
    CHECK(display_width(cut) <= columns);
    CHECK(cut.find("\xEF\xBF\xBD") == std::string::npos);
    CHECK(one_line(cut) == cut);
  }
}

TEST_CASE("utf8: padded reaches the width and never cuts", "[report]") {
  CHECK(padded("量", 4) == "量  ");
  CHECK(padded("long", 2) == "long");
}
