#include "halfstep/core/high_first_packing.hpp"

#include <cstdint>
#include <random>
#include <vector>

#include "support/catch.hpp"

using namespace halfstep;

TEST_CASE("the first code takes the highest bits", "[packing]") {
  const std::vector<std::uint8_t> codes{1, 0, 3, 2, 2};
  std::vector<std::uint8_t> packed(2);
  pack_high_first(codes, 2, packed);
  CHECK(packed == std::vector<std::uint8_t>{0b01'00'11'10, 0b10'00'00'00});
  pack_high_first(std::vector<std::uint8_t>{0xA, 0x3}, 4, packed);
  CHECK(packed[0] == 0xA3);
  pack_high_first(std::vector<std::uint8_t>{1, 0, 0, 0, 0, 0, 1, 1}, 1, packed);
  CHECK(packed[0] == 0x83);
}

TEST_CASE("unpacking is the inverse, at any length", "[packing]") {
  std::mt19937 random(1);
  for (const int bits : {1, 2, 4, 8}) {
    for (std::size_t n = 0; n < 40; ++n) {
      std::vector<std::uint8_t> codes(n), found(n, 99), packed((n * static_cast<std::size_t>(bits) + 7) / 8);
      for (std::uint8_t& code : codes) code = static_cast<std::uint8_t>(random() & ((1u << bits) - 1));
      pack_high_first(codes, bits, packed);
      unpack_high_first(packed, bits, found);
      CAPTURE(bits, n);
      CHECK(found == codes);
    }
  }
}

TEST_CASE("packing high bits first says what is wrong", "[packing]") {
  std::vector<std::uint8_t> codes{1, 2, 3}, packed(1, 77);
  CHECK_RAISES(pack_high_first(codes, 3, packed), "pack_high_first: bits is 3, expected 1, 2, 4 or 8");
  CHECK_RAISES(pack_high_first(codes, 4, packed), "out has 1 bytes, expected at least 2 for 3 codes of 4 bits");
  CHECK_RAISES(pack_high_first(codes, 1, packed), "code 1 is 2, expected 0 to 1 (1 bits)");
  CHECK(packed[0] == 77);
  CHECK_RAISES(unpack_high_first(packed, 4, codes), "unpack_high_first: packed has 1 bytes");
  CHECK_RAISES(unpack_high_first(packed, 5, codes), "bits is 5");
}
