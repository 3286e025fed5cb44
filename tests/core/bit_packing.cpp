#include "halfstep/core/bit_packing.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "support/catch.hpp"

namespace {

namespace hs = halfstep;
using hs::Index;
using Bytes = std::vector<std::uint8_t>;

std::vector<std::size_t> sizes() {
  std::vector<std::size_t> result{97, 127, 128, 131, 257, 1009};
  for (std::size_t n = 0; n <= 70; ++n) result.push_back(n);
  return result;
}

Bytes random_codes(std::mt19937& random, std::size_t count, int bits) {
  std::uniform_int_distribution<int> code(0, (1 << bits) - 1);
  Bytes codes(count);
  for (std::uint8_t& c : codes) c = static_cast<std::uint8_t>(code(random));
  return codes;
}

/// The definition, bit by bit.
Bytes pack_bit_by_bit(const Bytes& codes, int bits) {
  const auto width = static_cast<std::size_t>(bits);
  Bytes packed((codes.size() * width + 7) / 8, 0);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    for (std::size_t b = 0; b < width; ++b) {
      if ((codes[i] >> b & 1) == 0) continue;
      const std::size_t at = i * width + b;
      packed[at / 8] = static_cast<std::uint8_t>(packed[at / 8] | 1u << at % 8);
    }
  }
  return packed;
}

/// Packs into a block that ends exactly with the last byte: the address sanitizer sees a write beyond it.
Bytes pack(const Bytes& codes, int bits) {
  Bytes packed(static_cast<std::size_t>(hs::packed_bytes(static_cast<Index>(codes.size()), bits)), 0xA5);
  packed.shrink_to_fit();
  hs::pack_bits(codes, bits, packed);
  return packed;
}

std::vector<std::uint32_t> words_of(const Bytes& bytes) {
  std::vector<std::uint32_t> words(bytes.size() / 4);
  std::memcpy(words.data(), bytes.data(), words.size() * 4);
  return words;
}

}  // namespace

TEST_CASE("packed_bytes rounds up to whole bytes", "[core][bit_packing]") {
  static_assert(hs::packed_bytes(0, 3) == 0);
  static_assert(hs::packed_bytes(1, 1) == 1);
  static_assert(hs::packed_bytes(8, 3) == 3);
  static_assert(hs::packed_bytes(9, 3) == 4);
  static_assert(hs::packed_bytes(2, 4) == 1);
  static_assert(hs::packed_bytes(5, 8) == 5);
  for (int bits = 1; bits <= 8; ++bits) {
    for (Index count = 0; count < 300; ++count) CHECK(hs::packed_bytes(count, bits) == (count * bits + 7) / 8);
  }
  // Where count * bits is no Index any more.
  CHECK(hs::packed_bytes(std::numeric_limits<Index>::max(), 8) == std::numeric_limits<Index>::max());
  CHECK(hs::packed_bytes(std::numeric_limits<Index>::max(), 4) == Index{1} << 62);
}

TEST_CASE("packed_capacity is the largest count that fits", "[core][bit_packing]") {
  for (int bits = 1; bits <= 8; ++bits) {
    for (Index bytes = 0; bytes < 100; ++bytes) {
      const Index held = hs::packed_capacity(static_cast<std::size_t>(bytes), bits);
      CAPTURE(bits, bytes, held);
      CHECK(hs::packed_bytes(held, bits) <= bytes);
      CHECK(hs::packed_bytes(held + 1, bits) > bytes);
    }
  }
}

TEST_CASE("golden: bit packing of formats.md, section 15", "[core][bit_packing][golden]") {
  const auto words = [](int bits) {
    Bytes codes(32);
    for (unsigned i = 0; i < 32; ++i) codes[i] = static_cast<std::uint8_t>((5 * i + 1) % (1u << bits));
    return words_of(pack(codes, bits));
  };
  using Words = std::vector<std::uint32_t>;
  CHECK(words(2) == Words{0x39393939, 0x39393939});
  CHECK(words(3) == Words{0xf19d50f1, 0x50f19d50, 0x9d50f19d});
  CHECK(words(4) == Words{0x4fa50b61, 0xc72d83e9, 0x4fa50b61, 0xc72d83e9});
  CHECK(words(8) ==
        Words{0x100b0601, 0x241f1a15, 0x38332e29, 0x4c47423d, 0x605b5651, 0x746f6a65, 0x88837e79, 0x9c97928d});
}

TEST_CASE("golden: dense packing of compressed-tensors, formats.md, section 15", "[core][bit_packing][golden]") {
  const auto words = [](const std::vector<int>& values, int bits) {
    Bytes codes;
    for (const int q : values) codes.push_back(static_cast<std::uint8_t>(q + (1 << (bits - 1))));
    return words_of(pack(codes, bits));
  };
  using Words = std::vector<std::uint32_t>;
  CHECK(words({-8, -7, -1, 0, 1, 2, 6, 7}, 4) == Words{0xfea98710});
  std::vector<int> values;
  for (int i = 0; i < 32; ++i) values.push_back(3 * i % 8 - 4);
  CHECK(words(values, 3) == Words{0x98abc398, 0xc398abc3, 0xabc398ab});
}

TEST_CASE("pack_bits is the definition, for all widths and sizes", "[core][bit_packing]") {
  const unsigned seed = 7;
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int bits = 1; bits <= 8; ++bits) {
    for (const std::size_t count : sizes()) {
      CAPTURE(bits, count);
      const Bytes codes = random_codes(random, count, bits);
      CHECK(pack(codes, bits) == pack_bit_by_bit(codes, bits));
      const Bytes largest(count, static_cast<std::uint8_t>((1 << bits) - 1));
      CHECK(pack(largest, bits) == pack_bit_by_bit(largest, bits));
    }
  }
}

TEST_CASE("pack_bits leaves what lies after the packed bytes", "[core][bit_packing]") {
  for (int bits = 1; bits <= 8; ++bits) {
    CAPTURE(bits);
    const Bytes codes(13, 1);
    const auto used = static_cast<std::size_t>(hs::packed_bytes(13, bits));
    Bytes out(used + 5, 0xA5);
    hs::pack_bits(codes, bits, out);
    CHECK(std::count(out.begin() + static_cast<std::ptrdiff_t>(used), out.end(), 0xA5) == 5);
  }
}

TEST_CASE("unpack_bits gives back what was packed, from any code on", "[core][bit_packing]") {
  const unsigned seed = 8;
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int bits = 1; bits <= 8; ++bits) {
    for (const std::size_t count : sizes()) {
      const Bytes codes = random_codes(random, count, bits);
      const Bytes packed = pack(codes, bits);
      for (std::size_t first = 0; first <= std::min<std::size_t>(count, 19); ++first) {
        for (const std::size_t cut : {0u, 1u, 5u}) {
          if (first + cut > count) continue;
          CAPTURE(bits, count, first, cut);
          Bytes part(count - first - cut, 0xA5);
          hs::unpack_bits(packed, bits, static_cast<Index>(first), part);
          if (!std::equal(part.begin(), part.end(), codes.begin() + static_cast<std::ptrdiff_t>(first))) {
            FAIL("unpacked codes differ");
          }
        }
      }
      for (std::size_t i = 0; i < count; ++i) {
        if (hs::read_code(packed, bits, static_cast<Index>(i)) != codes[i]) FAIL("read_code differs at " << i);
      }
    }
  }
  SUCCEED();
}

TEST_CASE("unpack_bits writes the codes asked for, and no other byte", "[core][bit_packing]") {
  const Bytes packed(64, 0xFF);
  for (int bits = 1; bits <= 8; ++bits) {
    for (std::size_t count = 0; count <= 20; ++count) {
      Bytes block(count + 2, 0xA5);
      hs::unpack_bits(packed, bits, 3, std::span(block).subspan(1, count));
      CAPTURE(bits, count);
      CHECK(block.front() == 0xA5);
      CHECK(block.back() == 0xA5);
      CHECK(std::count(block.begin() + 1, block.end() - 1, (1 << bits) - 1) == static_cast<std::ptrdiff_t>(count));
    }
  }
}

TEST_CASE("unused bits of a stream do not leak into codes", "[core][bit_packing]") {
  // 3 codes of 2 bits leave two bits of the byte over; a file may hold anything there.
  const Bytes packed{0b11'10'01'00};
  Bytes codes(3);
  hs::unpack_bits(packed, 2, 0, codes);
  CHECK(codes == Bytes{0, 1, 2});
}

TEST_CASE("pack_bits names what is wrong and writes nothing", "[core][bit_packing]") {
  Bytes out(4, 0xA5);
  CHECK_RAISES(hs::pack_bits(Bytes{0, 7, 8}, 3, out), "halfstep: pack_bits: code 2 is 8, expected 0 to 7 (3 bits)");
  Bytes many(20, 1);
  many[9] = 2;
  many[17] = 255;
  CHECK_RAISES(hs::pack_bits(many, 1, out), "pack_bits: code 9 is 2, expected 0 to 1 (1 bits)");
  CHECK_RAISES(hs::pack_bits(Bytes(11), 3, out),
               "pack_bits: out has 4 bytes, expected at least 5 for 11 codes of 3 bits");
  CHECK_RAISES(hs::pack_bits(Bytes(1), 0, out), "pack_bits: bits is 0, expected 1 to 8");
  CHECK_RAISES(hs::pack_bits(Bytes(1), 9, out), "pack_bits: bits is 9, expected 1 to 8");
  CHECK(out == Bytes(4, 0xA5));
  hs::pack_bits(Bytes{255}, 8, out);  // every byte is a code of 8 bits
  CHECK(out[0] == 255);
}

TEST_CASE("reading beyond the stream is an error", "[core][bit_packing]") {
  const Bytes packed(3);
  Bytes codes(4, 0xA5);
  CHECK_RAISES(hs::unpack_bits(packed, 3, 5, codes),
               "halfstep: unpack_bits: packed has 3 bytes, 8 codes of 3 bits; asked for 4 from code 5");
  CHECK_RAISES(hs::unpack_bits(packed, 3, -1, codes), "asked for 4 from code -1");
  CHECK_RAISES(hs::unpack_bits(packed, 3, std::numeric_limits<Index>::max(), codes), "from code 9223372036854775807");
  CHECK_RAISES(hs::unpack_bits(packed, 12, 0, codes), "unpack_bits: bits is 12, expected 1 to 8");
  CHECK(codes == Bytes(4, 0xA5));
  CHECK_RAISES(hs::read_code(packed, 5, 4),
               "read_code: packed has 3 bytes, 4 codes of 5 bits; asked for 1 from code 4");
  CHECK_RAISES(hs::read_code(packed, 5, -1), "asked for 1 from code -1");
  CHECK_RAISES(hs::read_code(packed, -2, 0), "read_code: bits is -2");
  CHECK_RAISES(hs::packed_bytes(-1, 2), "packed_bytes: count is -1, expected at least 0");
  CHECK_RAISES(hs::packed_bytes(1, 16), "packed_bytes: bits is 16, expected 1 to 8");
  hs::unpack_bits(packed, 3, 8, {});  // nothing from the end is nothing
}
