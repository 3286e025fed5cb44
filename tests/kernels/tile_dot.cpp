// The register tile over every vector step that the flags of this build allow, not the best one alone: what a program
// with kernels for several instruction sets runs elsewhere.

#include "halfstep/kernels/tile_dot.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

#include "halfstep/kernels/tile_compiled.hpp"
#include "kernels/tiles.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("a body is unrolled in order, with constants", "[tile]") {
  std::vector<int> seen;
  hs::unrolled<5>([&](auto i) {
    static_assert(decltype(i)::value < 5);
    seen.push_back(i);
  });
  CHECK(seen == std::vector<int>{0, 1, 2, 3, 4});
}

TEST_CASE("every step of this build gives the generic sums", "[tile]") {
#if defined(__SSE2__)
  check_tile(hs::tile_of<hs::simd::TileStepSse2>());
#endif
#if defined(__AVX2__)
  check_tile(hs::tile_of<hs::simd::TileStepAvx2>());
#endif
#if defined(__AVXVNNI__) && defined(__AVX2__)
  check_tile(hs::tile_of<hs::simd::TileStepAvxVnni>());
#endif
#if defined(__AVX512BW__)
  check_tile(hs::tile_of<hs::simd::TileStepAvx512Bw>());
#endif
#if defined(__AVX512VNNI__) && defined(__AVX512BW__)
  check_tile(hs::tile_of<hs::simd::TileStepAvx512Vnni>());
#endif
  check_tile(hs::tile_generic);
}

TEST_CASE("panels of words hold lane tile after lane tile, pairs of k side by side", "[tile]") {
  const std::int64_t k = 32, tiles = 3;
  const auto lines = tile_bytes<std::uint8_t>(static_cast<std::size_t>(k * tiles * 16), Fill::random, 0, 3);
  const auto nibbles = tile_bytes<std::uint8_t>(static_cast<std::size_t>(k * tiles * 8), Fill::random, 0, 4);
  std::int8_t values[16];
  for (int i = 0; i < 16; ++i) values[i] = static_cast<std::int8_t>(15 * i - 128);
  std::vector<std::int16_t> panel(static_cast<std::size_t>(k * tiles * 16)), from_nibbles = panel;
  hs::fill_word_panel_from_bytes(lines.data(), k, tiles, panel.data());
  hs::fill_word_panel_from_nibbles(nibbles.data(), k, tiles, values, from_nibbles.data());
  for (std::int64_t i = 0; i < k; ++i) {
    for (std::int64_t n = 0; n < tiles * 16; ++n) {
      const std::int64_t tile = n / 16, column = n % 16;
      const auto at = static_cast<std::size_t>(tile * k * 16 + i / 2 * 32 + column * 2 + i % 2);
      const auto byte = static_cast<std::size_t>((i / 4 * tiles + tile) * 64 + column * 4 + i % 4);
      REQUIRE(panel[at] == static_cast<std::int8_t>(lines[byte]));
      const int pair = nibbles[static_cast<std::size_t>((i / 8 * tiles + tile) * 64 + column * 4 + i % 4)];
      REQUIRE(from_nibbles[at] == values[i % 8 < 4 ? pair & 15 : pair >> 4]);
    }
  }
}

TEST_CASE("rows of bytes become words without a sign", "[tile]") {
  std::vector<std::uint8_t> row(256);
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = static_cast<std::uint8_t>(i);
  std::vector<std::int16_t> words(256, -1);
  hs::widen_row(row.data(), 256, words.data());
  for (std::size_t i = 0; i < words.size(); ++i) CHECK(words[i] == static_cast<std::int16_t>(i));
}
