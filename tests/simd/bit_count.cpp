#include "halfstep/simd/bit_count.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

#include "simd/routes.hpp"

namespace simd = halfstep::simd;
using namespace halfstep_tests;

TEMPLATE_LIST_TEST_CASE("differing bits are counted word by word", "", Routes) {
  CAPTURE(std::string(TestType::name));
  using Bits = simd::BitCount<TestType>;
  std::mt19937_64 generator(1);
  Exact<std::uint64_t> x(Bits::words), counts(Bits::words);
  for (const std::uint64_t all : {std::uint64_t{0}, ~std::uint64_t{0}, generator(), generator()}) {
    typename Bits::Counts sum = Bits::none();
    std::uint64_t expected[8] = {};
    for (int round = 0; round < 100; ++round) {
      for (std::size_t i = 0; i < Bits::words; ++i) {
        x.data[i] = round % 3 == 0 ? ~std::uint64_t{0} : round % 3 == 1 ? 0 : generator();
        expected[i] += static_cast<std::uint64_t>(std::popcount(x.data[i] ^ all));
      }
      sum = Bits::add(sum, Bits::differ(Bits::load(x.data), Bits::all(all)));
    }
    Bits::store(counts.data, sum);
    for (std::size_t i = 0; i < Bits::words; ++i) REQUIRE(counts.data[i] == expected[i]);
  }
}

TEMPLATE_LIST_TEST_CASE("each bit of a word counts once", "", Routes) {
  using Bits = simd::BitCount<TestType>;
  std::uint64_t counts[8];
  for (int bit = 0; bit < 64; ++bit) {
    Bits::store(counts, Bits::add(Bits::none(), Bits::all(std::uint64_t{1} << bit)));
    for (std::size_t i = 0; i < Bits::words; ++i) REQUIRE(counts[i] == 1);
  }
}
