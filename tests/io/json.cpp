#include "halfstep/io/json.hpp"

#include "io/io_checks.hpp"
#include "support/catch.hpp"

#include <string>
#include <string_view>

namespace {

namespace hs = halfstep;
using halfstep_tests::check_io_error;
using hs::IoErrorCode;

constexpr hs::JsonBounds small{3, 5, 4};

void scan(std::string_view text, std::size_t offset = 0) { hs::require_json_bounds(text, small, "f.json", offset); }

}  // namespace

TEST_CASE("json: what keeps the bounds passes, whether or not it is JSON") {
  CHECK_NOTHROW(scan(""));
  CHECK_NOTHROW(scan(R"({"abcde":[[1234,-1.5]],"\"[[[":0})"));
  CHECK_NOTHROW(scan("]]]}}}[[["));
  CHECK_NOTHROW(scan("\"abcde"));   // an open string
  CHECK_NOTHROW(scan("\"abcd\\"));  // that ends in an escape
}

TEST_CASE("json: nesting") {
  check_io_error([] { scan("[[[]],[[]],[[[]]]]", 100); }, IoErrorCode::limit,
                 {"f.json", "nests deeper than 3 levels", "at byte 113"});
  check_io_error([] { scan(std::string(10000, '[')); }, IoErrorCode::limit, {"at byte 3"});
  check_io_error([] { scan("{\"a\":{\"b\":{\"c\":{"); }, IoErrorCode::limit, {"at byte 15"});
  CHECK_NOTHROW(scan("[\"[[[[\"]"));  // brackets in a string do not count
}

TEST_CASE("json: a key twice in one object is refused, in two objects it is not") {
  const auto parse = [](std::string_view text) { return hs::parse_json(text, "f.json", "the text"); };
  CHECK(parse(R"({"a":{"a":1,"b":[{"a":2},{"a":3}]},"b":4})")["a"]["b"][1]["a"] == 3);
  CHECK(parse(R"({"a":)").is_discarded());
  check_io_error([&] { static_cast<void>(parse(R"({"a":1,"b":{},"\u0061":2})")); }, IoErrorCode::duplicate,
                 {"f.json", "the text has the key \"a\" twice"});
  check_io_error([&] { static_cast<void>(parse(R"([{"a":{"b":1,"c":[],"b":2}}])")); }, IoErrorCode::duplicate,
                 {"\"b\""});
  check_io_error([&] { static_cast<void>(parse(std::string(100, '['))); }, IoErrorCode::limit);
}

TEST_CASE("json: long strings and numbers") {
  check_io_error([] { scan("[\"abcdef\"]", 8); }, IoErrorCode::limit,
                 {"string of 6 bytes", "at byte 10", "exceeds limit 5"});
  check_io_error([] { scan("\"abcdef"); }, IoErrorCode::limit, {"string of 6 bytes"});
  check_io_error([] { scan("\"abcde\\"); }, IoErrorCode::limit, {"string of 6 bytes"});
  check_io_error([] { scan("[1,12345]"); }, IoErrorCode::limit, {"number of 5 bytes", "at byte 3", "exceeds limit 4"});
}

TEST_CASE("json: text that is not UTF-8, and zero bytes") {
  check_io_error([] { scan("[\"a\xFF\"]", 8); }, IoErrorCode::syntax, {"not UTF-8 at byte 11"});
  check_io_error([] { scan(std::string_view("{}\0x", 4), 8); }, IoErrorCode::syntax, {"zero byte", "at byte 10"});
}

TEST_CASE("json: the parser's complaint is passed on with its place in the file") {
  try {
    const auto parsed = nlohmann::json::parse("[1,]");
    FAIL("parsed " << parsed.size());
  } catch (const nlohmann::json::parse_error& error) {
    check_io_error([&] { hs::raise_json_error(error.byte, error, "f.json", 100); }, IoErrorCode::syntax,
                   {"f.json", "malformed JSON at byte 103", "syntax error", "unexpected ']'"});
  }
}
