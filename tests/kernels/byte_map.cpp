#include "halfstep/kernels/byte_map.hpp"

#include <array>
#include <cstdint>
#include <random>
#include <vector>

#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("a map takes each code to its value, for every width and length", "[byte_map]") {
  std::mt19937 generator(1);
  for (int bits = 1; bits <= 8; ++bits) {
    const int levels = 1 << bits;
    for (const int kind : {0, 1, 2}) {  // codes as they are, moved, and shuffled
      std::array<std::int16_t, 256> values{};
      for (int code = 0; code < levels; ++code) {
        values[static_cast<std::size_t>(code)] =
            static_cast<std::int16_t>(kind == 2 ? static_cast<int>(generator() % 256) - 100 : code);
      }
      const int offset = kind == 0 ? 0 : 28;
      const hs::ByteMap map(values, bits, offset);
      CHECK(map.bits() == bits);
      CHECK(map.is_identity() == (kind == 0));
      for (std::size_t n = 0; n <= 150; n += n < 70 ? 1 : 13) {
        std::vector<std::uint8_t> codes(n), out(n);
        for (std::uint8_t& code : codes) code = static_cast<std::uint8_t>(generator() % static_cast<unsigned>(levels));
        map.apply(codes.data(), static_cast<hs::Index>(n), out.data());
        for (std::size_t i = 0; i < n; ++i) {
          REQUIRE(out[i] == static_cast<std::uint8_t>(values[codes[i]] - offset));
          REQUIRE(map[codes[i]] == out[i]);
        }
        map.apply(codes.data(), static_cast<hs::Index>(n), codes.data());  // in place
        CHECK(codes == out);
      }
    }
  }
  CHECK(hs::ByteMap().is_identity());
  CHECK(hs::ByteMap()[200] == 200);
}

TEST_CASE("bytes are summed, signed and unsigned", "[byte_map]") {
  std::mt19937 generator(2);
  for (std::size_t n = 0; n <= 200; ++n) {
    std::vector<std::uint8_t> bytes(n);
    std::int32_t as_unsigned = 0, as_signed = 0;
    for (std::uint8_t& byte : bytes) {
      byte = static_cast<std::uint8_t>(generator());
      as_unsigned += byte;
      as_signed += static_cast<std::int8_t>(byte);
    }
    REQUIRE(hs::sum_bytes(bytes.data(), static_cast<hs::Index>(n)) == as_unsigned);
    REQUIRE(hs::sum_bytes(reinterpret_cast<const std::int8_t*>(bytes.data()), static_cast<hs::Index>(n)) == as_signed);
  }
}
