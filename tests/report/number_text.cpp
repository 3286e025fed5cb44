#include "halfstep/report/number_text.hpp"

#include <cstdint>
#include <limits>

#include "support/catch.hpp"
#include "support/special_values.hpp"

using namespace halfstep::report;
using namespace halfstep_tests;

namespace {}  // namespace

TEST_CASE("number_text: fixed digits, ties to even, no negative zero", "[report]") {
  CHECK(number_text(38.204) == "38.20");
  CHECK(number_text(0.125, {.digits = 2}) == "0.12");
  CHECK(number_text(0.375, {.digits = 2}) == "0.38");
  CHECK(number_text(2.5, {.digits = 0}) == "2");
  CHECK(number_text(-0.001, {.digits = 2}) == "0.00");
  CHECK(number_text(-0.0, {.digits = 0}) == "0");
  CHECK(number_text(-0.01, {.digits = 2}) == "-0.01");
  CHECK(number_text(1e308, {.digits = 17}).size() == 309 + 18);
  CHECK(number_text(1.5, {.digits = -3}) == "2");
}

TEST_CASE("number_text: the other notations", "[report]") {
  CHECK(number_text(0.00012, {.notation = Notation::scientific, .digits = 2}) == "1.20e-04");
  CHECK(number_text(-0.0, {.notation = Notation::scientific, .digits = 1}) == "0.0e+00");
  CHECK(number_text(0.000123456, {.notation = Notation::significant, .digits = 3}) == "0.000123");
  CHECK(number_text(123456789.0, {.notation = Notation::significant, .digits = 3}) == "1.23e+08");
  CHECK(short_number(97.60000001) == "97.6");
  CHECK(short_number(-12.0) == "-12");
}

TEST_CASE("number_text: what is not finite is named", "[report]") {
  CHECK(number_text(not_a_number) == "nan");
  CHECK(number_text(-not_a_number) == "nan");
  CHECK(number_text(infinity) == "inf");
  CHECK(number_text(-infinity) == "-inf");
  CHECK(is_finite(std::numeric_limits<double>::max()));
  CHECK(is_finite(std::numeric_limits<double>::denorm_min()));
  CHECK_FALSE(is_finite(not_a_number));
  CHECK_FALSE(is_finite(-infinity));
}

TEST_CASE("number_text: thousands", "[report]") {
  const NumberFormat whole{.digits = 0, .grouping = Grouping::thousands};
  CHECK(number_text(std::int64_t{0}, whole) == "0");
  CHECK(number_text(std::int64_t{999}, whole) == "999");
  CHECK(number_text(std::int64_t{-1000}, whole) == "-1,000");
  CHECK(number_text(std::int64_t{1234567}, whole) == "1,234,567");
  CHECK(number_text(1234567.891, {.digits = 1, .grouping = Grouping::thousands}) == "1,234,567.9");
  CHECK(number_text(infinity, whole) == "inf");
  CHECK(number_text(1e9, {.notation = Notation::scientific, .digits = 1, .grouping = Grouping::thousands}) ==
        "1.0e+09");
}

TEST_CASE("number_text: integers are exact beyond the doubles", "[report]") {
  CHECK(number_text(std::int64_t{9007199254740993}, {.digits = 0}) == "9007199254740993");
  CHECK(number_text(std::numeric_limits<std::int64_t>::min(), {.digits = 0}) == "-9223372036854775808");
  CHECK(number_text(std::int64_t{8}, {.digits = 2}) == "8.00");
  CHECK(number_text(std::int64_t{1500}, {.notation = Notation::scientific, .digits = 1}) == "1.5e+03");
}

TEST_CASE("number_text: typography", "[report]") {
  CHECK(with_minus_sign("-3.2e-05") == "−3.2e−05");
  CHECK(power_of_ten(-15) == "10⁻¹⁵");
  CHECK(power_of_ten(0) == "10⁰");
}
