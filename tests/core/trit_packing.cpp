#include "halfstep/core/trit_packing.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "support/catch.hpp"

using namespace halfstep;

namespace {

using Bytes = std::vector<std::uint8_t>;

/// The five codes of a number in base 3, lowest digit first.
Bytes digits(unsigned number) {
  Bytes codes;
  for (const unsigned power : {1u, 3u, 9u, 27u, 81u}) codes.push_back(static_cast<std::uint8_t>(number / power % 3));
  return codes;
}

/// `count` codes in which all 243 combinations come up as soon as there is room for them.
Bytes many_codes(std::size_t count) {
  Bytes codes;
  for (unsigned number = 0; codes.size() < count; ++number) {
    for (const std::uint8_t code : digits(100 * number % 243)) codes.push_back(code);
  }
  codes.resize(count);
  codes.shrink_to_fit();
  return codes;
}

}  // namespace

TEST_CASE("packed_trit_bytes rounds up to whole bytes", "[core][trit_packing]") {
  static_assert(packed_trit_bytes(0) == 0);
  static_assert(packed_trit_bytes(1) == 1);
  static_assert(packed_trit_bytes(5) == 1);
  static_assert(packed_trit_bytes(6) == 2);
  CHECK(packed_trit_bytes(std::numeric_limits<Index>::max()) == std::numeric_limits<Index>::max() / 5 + 1);
  CHECK_RAISES(packed_trit_bytes(-1), "packed_trit_bytes: count is -1, expected at least 0");
}

TEST_CASE("five ternary codes are the digits of a byte, the first the lowest", "[core][trit_packing]") {
  for (unsigned number = 0; number < 243; ++number) {
    Bytes packed(1), codes(5, 77);
    pack_trits(digits(number), packed);
    unpack_trits(packed, codes);
    CAPTURE(number);
    CHECK(packed[0] == number);
    CHECK(codes == digits(number));
  }
}

TEST_CASE("a last byte is filled up with code 1", "[core][trit_packing]") {
  Bytes packed(2, 99);
  pack_trits(Bytes{2, 0, 1, 1, 0, 2}, packed);
  CHECK(packed == Bytes{2 + 9 + 27, 2 + 3 + 9 + 27 + 81});
}

TEST_CASE("unpacking ternary codes is the inverse at any length, and no other byte is written",
          "[core][trit_packing]") {
  std::vector<std::size_t> sizes{101, 127, 128, 257, 1215, 1301};
  for (std::size_t n = 0; n <= 70; ++n) sizes.push_back(n);
  for (const std::size_t n : sizes) {
    CAPTURE(n);
    const Bytes codes = many_codes(n);
    const auto needed = static_cast<std::size_t>(packed_trit_bytes(static_cast<Index>(n)));
    Bytes packed(needed + 3, 0xA5), found(n + 2, 0xA5);
    pack_trits(codes, packed);
    CHECK(std::count(packed.begin() + static_cast<std::ptrdiff_t>(needed), packed.end(), 0xA5) == 3);
    unpack_trits(std::span(packed).first(needed), std::span(found).subspan(1, n));
    CHECK(found.front() == 0xA5);
    CHECK(found.back() == 0xA5);
    CHECK(std::equal(codes.begin(), codes.end(), found.begin() + 1));
  }
}

TEST_CASE("packing ternary codes says what is wrong and writes nothing", "[core][trit_packing]") {
  Bytes out(1, 77), codes(6, 77);
  CHECK_RAISES(pack_trits(Bytes(6), out), "pack_trits: out has 1 bytes, expected at least 2 for 6 ternary codes");
  CHECK_RAISES(pack_trits(Bytes{0, 2, 3}, out), "pack_trits: code 2 is 3, expected 0 to 2");
  CHECK(out[0] == 77);
  CHECK_RAISES(unpack_trits(Bytes{0}, codes), "unpack_trits: packed has 1 bytes, 5 ternary codes; asked for 6");
  CHECK_RAISES(unpack_trits(Bytes{0, 243}, codes), "unpack_trits: byte 1 is 243, expected 0 to 242");
  CHECK(codes == Bytes(6, 77));
  unpack_trits(Bytes{242, 255}, std::span(codes).first(5));  // bytes that are not asked for may hold anything
  CHECK(codes == Bytes{2, 2, 2, 2, 2, 77});
}
