#include "halfstep/kernels/parameter_arrays.hpp"

#include <array>
#include <cstdint>

#include "halfstep/quantizers/uniform.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;

namespace parameter_arrays_tests {

struct Mixed {
  float scale = 2;
  std::int8_t kind = 3;
  std::array<float, 3> table{4, 5, 6};
  friend bool operator==(const Mixed&, const Mixed&) = default;
};

}  // namespace parameter_arrays_tests

TEST_CASE("parameters are kept member by member", "[parameter_arrays]") {
  using parameter_arrays_tests::Mixed;
  hs::ParameterArrays<Mixed> arrays(4);
  CHECK(arrays.size() == 4);
  for (hs::Index i = 0; i < 4; ++i) CHECK(arrays.get(i) == Mixed{});
  arrays.set(2, Mixed{7, 8, {9, 10, 11}});
  CHECK(arrays.get(1) == Mixed{});
  CHECK(arrays.get(2) == Mixed{7, 8, {9, 10, 11}});
  CHECK(arrays.array<0>()[2] == 7);
  CHECK(arrays.array<1>()[2] == 8);
  CHECK(arrays.array<2>()[2][1] == 10);
  STATIC_REQUIRE(hs::ParameterArrays<Mixed>::field_count == 3);
  STATIC_REQUIRE(hs::ParameterArrays<Mixed>::bytes_per_value() == 4 + 1 + 12);

  hs::ParameterArrays<Mixed> same(4);
  CHECK_FALSE(same == arrays);
  same.set(2, arrays.get(2));
  CHECK(same == arrays);
  CHECK_FALSE(hs::ParameterArrays<Mixed>(3) == hs::ParameterArrays<Mixed>(4));
}

TEST_CASE("scales of a quantizer lie side by side", "[parameter_arrays]") {
  hs::ParameterArrays<hs::Uniform<4>> arrays(3);
  for (int i = 0; i < 3; ++i) arrays.set(i, {static_cast<float>(i) + 1, i});
  const auto scales = arrays.array<0>();
  CHECK(scales.size() == 3);
  CHECK(scales[2] == 3);
  CHECK(&scales[2] == scales.data() + 2);
}
