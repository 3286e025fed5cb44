#include "halfstep/core/error.hpp"

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include "support/catch.hpp"

namespace {

struct Shape {
  int rows;
  int cols;
};

// Found by argument-dependent look-up, as the documentation of append_part promises.
void append_text(std::string& text, const Shape& shape) {
  text += halfstep::concat('[', shape.rows, ", ", shape.cols, ']');
}

}  // namespace

TEST_CASE("concat writes strings and characters as they are", "[core][error]") {
  const std::string owned = "owned";
  const std::string_view viewed = "viewed";
  CHECK(halfstep::concat() == "");
  CHECK(halfstep::concat("literal ", owned, ' ', viewed) == "literal owned viewed");
  CHECK(halfstep::concat(std::string_view("a\0b", 3)) == std::string("a\0b", 3));
}

TEST_CASE("concat writes integers in full", "[core][error]") {
  CHECK(halfstep::concat(std::numeric_limits<std::int64_t>::min()) == "-9223372036854775808");
  CHECK(halfstep::concat(std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
  CHECK(halfstep::concat(std::int16_t{-5}, ' ', 0u) == "-5 0");
  CHECK(halfstep::concat(true, '/', false) == "true/false");
  // Codes are 8-bit integers: a message about one must show a number, not a control character.
  CHECK(halfstep::concat(std::uint8_t{7}, ' ', std::int8_t{-128}) == "7 -128");
}

TEST_CASE("concat writes a float so that reading it gives the same float", "[core][error]") {
  const float value = GENERATE(0.1f, 1.0f / 3.0f, 1e-45f, 3.4028235e38f, -2.5f, 16777217.0f);
  CAPTURE(value);
  CHECK(std::strtof(halfstep::concat(value).c_str(), nullptr) == value);
  CHECK(halfstep::concat(0.1f) == "0.1");
  CHECK(halfstep::concat(0.1) == "0.1");
  CHECK(halfstep::concat(-0.0) == "-0");
}

TEST_CASE("concat names the values that are no numbers", "[core][error]") {
  CHECK(halfstep::concat(std::numeric_limits<float>::quiet_NaN()) == "nan");
  CHECK(halfstep::concat(std::numeric_limits<float>::infinity()) == "inf");
  CHECK(halfstep::concat(-std::numeric_limits<double>::infinity()) == "-inf");
}

TEST_CASE("concat has room for the longest number", "[core][error]") {
  const long double longest = -std::numeric_limits<long double>::denorm_min();
  CHECK(std::strtold(halfstep::concat(longest).c_str(), nullptr) == longest);
  const double widest = -std::numeric_limits<double>::max() / 3;
  CHECK(std::strtod(halfstep::concat(widest).c_str(), nullptr) == widest);
}

TEST_CASE("concat calls append_text for a type of one's own", "[core][error]") {
  CHECK(halfstep::concat("shape ", Shape{3, 4}, ".") == "shape [3, 4].");
}

TEST_CASE("raise throws an Error whose message starts with the library and the call", "[core][error]") {
  static_assert(std::is_base_of_v<std::runtime_error, halfstep::Error>);
  try {
    halfstep::raise("matmul", "x has ", 768, " columns, packed weight expects ", 1024);
    FAIL("raise returned");
  } catch (const halfstep::Error& error) {
    CHECK(std::string(error.what()) == "halfstep: matmul: x has 768 columns, packed weight expects 1024");
  }
}

TEST_CASE("raise_message throws the message as it is", "[core][error]") {
  try {
    halfstep::raise_message("no prefix");
    FAIL("raise_message returned");
  } catch (const std::runtime_error& error) {
    CHECK(std::string(error.what()) == "no prefix");
  }
}

TEST_CASE("set_error_handler gives back the handler that stood there", "[core][error]") {
  const halfstep::ErrorHandler mine = [](const char*) {};
  const halfstep::ErrorHandler before = halfstep::set_error_handler(mine);
  CHECK(halfstep::set_error_handler(before) == mine);
  CHECK(halfstep::error_handler_slot().load() == before);
}

TEST_CASE("CHECK_RAISES sees the message of an error, and only that", "[core][error]") {
  CHECK_RAISES(halfstep::raise("fold", "channel ", 3, " has shift ", 0.25f), "fold: channel 3 has shift 0.25");
  CHECK_FALSE(halfstep_tests::error_message([] {}).has_value());
  CHECK_THROWS_AS(halfstep_tests::error_message([] { throw std::logic_error("other"); }), std::logic_error);
}
