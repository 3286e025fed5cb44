#include "halfstep/io/utf8.hpp"

#include "support/catch.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace {

namespace hs = halfstep;
constexpr std::size_t none = std::string_view::npos;

/// UTF-8 by its definition: the shortest form of each code point that is no surrogate.
std::string encode(unsigned point) {
  const auto byte = [](unsigned value) { return static_cast<char>(static_cast<unsigned char>(value)); };
  if (point < 0x80) return {byte(point)};
  if (point < 0x800) return {byte(0xC0 | (point >> 6)), byte(0x80 | (point & 63))};
  if (point < 0x10000) return {byte(0xE0 | (point >> 12)), byte(0x80 | ((point >> 6) & 63)), byte(0x80 | (point & 63))};
  return {byte(0xF0 | (point >> 18)), byte(0x80 | ((point >> 12) & 63)), byte(0x80 | ((point >> 6) & 63)),
          byte(0x80 | (point & 63))};
}

}  // namespace

TEST_CASE("utf8: every code point is accepted, surrogates and larger values are not") {
  std::size_t wrong = 0;
  for (unsigned point = 0; point < 0x120000; ++point) {
    const std::string text = encode(point);
    const bool valid = point < 0x110000 && !(point >= 0xD800 && point < 0xE000);
    if (hs::utf8_length(text) != (valid ? text.size() : 0)) ++wrong;
    if (hs::first_invalid_utf8("ab" + text) != (valid ? none : 2)) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("utf8: of all texts of two bytes, exactly the definition's are accepted") {
  std::size_t accepted = 0;
  for (unsigned a = 0; a < 256; ++a) {
    for (unsigned b = 0; b < 256; ++b) {
      const std::string text{static_cast<char>(static_cast<unsigned char>(a)),
                             static_cast<char>(static_cast<unsigned char>(b))};
      if (hs::first_invalid_utf8(text) == none) ++accepted;
    }
  }
  CHECK(accepted == 128u * 128u + (0x800u - 0x80u));  // two ASCII bytes, or one code point of two bytes
}

TEST_CASE("utf8: malformed sequences are found where they begin") {
  CHECK(hs::first_invalid_utf8("") == none);
  CHECK(hs::first_invalid_utf8("abc\x80") == 3);           // stray continuation
  CHECK(hs::first_invalid_utf8("a\xC3") == 1);             // cut
  CHECK(hs::first_invalid_utf8("\xE2\x82") == 0);          // cut
  CHECK(hs::first_invalid_utf8("\xF0\x9F\x98") == 0);      // cut
  CHECK(hs::first_invalid_utf8("\xC0\x80") == 0);          // overlong
  CHECK(hs::first_invalid_utf8("\xE0\x9F\xBF") == 0);      // overlong
  CHECK(hs::first_invalid_utf8("\xF0\x8F\xBF\xBF") == 0);  // overlong
  CHECK(hs::first_invalid_utf8("\xED\xA0\x80") == 0);      // surrogate
  CHECK(hs::first_invalid_utf8("\xF4\x90\x80\x80") == 0);  // above U+10FFFF
  CHECK(hs::first_invalid_utf8("\xE2\x82\x41") == 0);      // third byte is no continuation
  CHECK(hs::first_invalid_utf8("\xC3\xA9\xFF") == 2);
}
