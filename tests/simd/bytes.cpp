#include "halfstep/simd/bytes.hpp"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "simd/routes.hpp"

namespace simd = halfstep::simd;
using namespace halfstep_tests;

namespace {

/// `f` of each of the 256 byte values, through registers of `Isa`; `part` keeps indices below a bound.
template <class Isa, class F>
std::vector<std::uint8_t> on_all_bytes(unsigned bound, F f) {
  using Ops = simd::ByteOps<Isa>;
  std::vector<std::uint8_t> in(256), out(256);
  for (std::size_t i = 0; i < 256; ++i) in[i] = static_cast<std::uint8_t>((i * 37) % bound);
  for (std::size_t i = 0; i < 256; i += Ops::size) Ops::store(out.data() + i, f(Ops::load(in.data() + i)));
  return out;
}

template <std::size_t Entries, class Isa>
void check_table() {
  CAPTURE(Entries);
  Exact<std::uint8_t> table(Entries, 1);
  for (std::size_t i = 0; i < Entries; ++i) table.data[i] = static_cast<std::uint8_t>(i * 91 + 200);
  const simd::ByteTable<Entries, Isa> ready(table.data);
  const auto got = on_all_bytes<Isa>(Entries, [&](auto x) { return simd::lookup_bytes(ready, x); });
  for (std::size_t i = 0; i < 256; ++i) REQUIRE(got[i] == table.data[(i * 37) % Entries]);
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("nibbles come apart", "", Routes) {
  CAPTURE(std::string(TestType::name));
  using Ops = simd::ByteOps<TestType>;
  const auto low = on_all_bytes<TestType>(256, [](auto x) { return Ops::low_nibbles(x); });
  const auto high = on_all_bytes<TestType>(256, [](auto x) { return Ops::high_nibbles(x); });
  for (std::size_t i = 0; i < 256; ++i) {
    REQUIRE(low[i] == ((i * 37) & 15));
    REQUIRE(high[i] == (((i * 37) >> 4) & 15));
  }
}

TEMPLATE_LIST_TEST_CASE("values come out of tables of 16 to 256 bytes", "", Routes) {
  CAPTURE(std::string(TestType::name));
  check_table<16, TestType>();
  check_table<32, TestType>();
  check_table<48, TestType>();
  check_table<64, TestType>();
  check_table<128, TestType>();
  check_table<256, TestType>();
}

TEMPLATE_LIST_TEST_CASE("decoded bytes are weights of a step", "", Routes) {
  CAPTURE(std::string(TestType::name));
  using Ops = simd::ByteOps<TestType>;
  using Step = simd::DotStep<TestType>;
  std::int8_t values[16];
  for (int i = 0; i < 16; ++i) values[i] = static_cast<std::int8_t>(17 * i - 128);
  Exact<std::uint8_t> codes(Ops::size, 3);
  for (std::size_t i = 0; i < Ops::size; ++i) codes.data[i] = static_cast<std::uint8_t>(i * 7 % 16);
  const auto decoded = Ops::lookup16(Ops::table(values), Ops::load(codes.data));
  const auto acc = Step::step(Step::zero(), Step::ones(), Step::weights(decoded));
  std::int32_t expected = 0;
  for (std::size_t i = 0; i < Ops::size; ++i) expected += values[codes.data[i]];
  CHECK(Step::sum(acc) == expected);
}
