#include "halfstep/io/dtype.hpp"

#include "support/catch.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace {
namespace hs = halfstep;
using hs::DType;
using Sizes = std::vector<hs::Index>;
}  // namespace

TEST_CASE("dtype: names and widths are those of the format, in the writer's order") {
  const std::vector<std::pair<std::string, int>> expected{
      {"U64", 64},        {"I64", 64},    {"F64", 64},    {"C64", 64},    {"F32", 32}, {"U32", 32},
      {"I32", 32},        {"BF16", 16},   {"F16", 16},    {"U16", 16},    {"I16", 16}, {"F8_E5M2FNUZ", 8},
      {"F8_E4M3FNUZ", 8}, {"F8_E8M0", 8}, {"F8_E4M3", 8}, {"F8_E5M2", 8}, {"I8", 8},   {"U8", 8},
      {"F6_E3M2", 6},     {"F6_E2M3", 6}, {"F4", 4},      {"BOOL", 8}};
  REQUIRE(hs::dtype_table.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto dtype = static_cast<DType>(i);
    CHECK(hs::dtype_table[i].dtype == dtype);
    CHECK(hs::dtype_name(dtype) == expected[i].first);
    CHECK(hs::bit_width(dtype) == expected[i].second);
    CHECK(hs::parse_dtype(expected[i].first) == dtype);
    CHECK(hs::is_byte_sized(dtype) == (expected[i].second % 8 == 0));
  }
}

TEST_CASE("dtype: other names are none") {
  for (const char* name : {"", "F31", "f32", "F32 ", "float32", "BOOL8"}) CHECK_FALSE(hs::parse_dtype(name));
}

TEST_CASE("dtype: C++ types") {
  static_assert(hs::dtype_of<float>() == DType::F32);
  static_assert(hs::dtype_of<const double>() == DType::F64);
  static_assert(hs::dtype_of<hs::Half>() == DType::F16);
  static_assert(hs::dtype_of<hs::BFloat16>() == DType::BF16);
  static_assert(hs::dtype_of<std::int8_t>() == DType::I8 && hs::dtype_of<std::uint8_t>() == DType::U8);
  static_assert(hs::dtype_of<std::int16_t>() == DType::I16 && hs::dtype_of<std::uint16_t>() == DType::U16);
  static_assert(hs::dtype_of<std::int32_t>() == DType::I32 && hs::dtype_of<std::uint32_t>() == DType::U32);
  static_assert(hs::dtype_of<std::int64_t>() == DType::I64 && hs::dtype_of<std::uint64_t>() == DType::U64);
  CHECK(hs::concat(DType::BF16, "!") == "BF16!");
}

TEST_CASE("dtype: shapes as text") {
  CHECK(hs::shape_text(Sizes{}) == "[]");
  CHECK(hs::shape_text(Sizes{7}) == "[7]");
  CHECK(hs::shape_text(Sizes{1152, 384}) == "[1152, 384]");
}

TEST_CASE("dtype: checked_bits refuses what 63 bits cannot count") {
  constexpr hs::Index one = 1, most = std::numeric_limits<hs::Index>::max();
  const auto bits = [](DType dtype, const Sizes& sizes) { return hs::checked_bits(dtype, sizes); };
  CHECK(bits(DType::F32, {}) == 32u);
  CHECK(bits(DType::F4, {3, 5}) == 60u);
  CHECK(bits(DType::F64, {0, most}) == 0u);
  CHECK(bits(DType::U8, {one << 59}) == std::uint64_t{1} << 62);
  CHECK(bits(DType::U8, {one << 60}) == std::nullopt);
  CHECK(bits(DType::F32, {one << 33, one << 33}) == std::nullopt);
  CHECK(bits(DType::F4, {one << 32, one << 32}) == std::nullopt);      // the product is 2^64, which wraps to 0
  CHECK(bits(DType::F32, {one << 33, one << 33, 0}) == std::nullopt);  // a zero rescues only what follows it
  CHECK(bits(DType::F32, {0, one << 33, one << 33}) == 0u);
  CHECK(bits(DType::F32, {most, 2, 0}) == std::nullopt);
  CHECK(bits(DType::F32, {most, 0}) == 0u);
}
