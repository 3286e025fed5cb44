#include "halfstep/simd/lookup.hpp"

#include "simd/routes.hpp"
#include "simd/sweep.hpp"

namespace simd = halfstep::simd;
using namespace halfstep_tests;

namespace {

template <class T, std::size_t Entries>
void check_table() {
  CAPTURE(Entries);
  Exact<float> floats(Entries, 4);
  Exact<std::int32_t> ints(Entries, 4);
  for (std::size_t i = 0; i < Entries; ++i) {
    floats.data[i] = static_cast<float>(i) * -0.37f + 2.0f;
    ints.data[i] = static_cast<std::int32_t>(i * 2654435761u);
  }
  constexpr std::size_t n = simd::lanes_of<T>;
  for (std::size_t start = 0; start < Entries; ++start) {
    std::int32_t index[n];
    for (std::size_t i = 0; i < n; ++i) index[i] = static_cast<std::int32_t>((start + 3 * i) % Entries);
    const T k = simd::load<T>(index);
    const auto x = lanes(simd::lookup<Entries>(floats.data, k));
    const auto j = lanes(simd::lookup<Entries>(ints.data, k));
    const auto gathered = lanes(simd::gather(floats.data, k));
    for (std::size_t i = 0; i < n; ++i) {
      REQUIRE(same(x[i], floats.data[index[i]]));
      REQUIRE(same(gathered[i], floats.data[index[i]]));
      REQUIRE(j[i] == ints.data[index[i]]);
    }
  }
}

}  // namespace

TEMPLATE_TEST_CASE("values come out of tables of any size", "", simd::IntBatch, simd::PortableInt, std::int32_t) {
  check_table<TestType, 1>();
  check_table<TestType, 5>();
  check_table<TestType, 8>();
  check_table<TestType, 16>();
  check_table<TestType, 24>();
  check_table<TestType, 32>();
  check_table<TestType, 48>();
  check_table<TestType, 64>();
  check_table<TestType, 256>();
}
