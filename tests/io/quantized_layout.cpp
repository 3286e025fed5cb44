#include "halfstep/io/quantized_layout.hpp"

#include <cstddef>
#include <vector>

#include "halfstep/core/tiling.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("parts and keys have names", "[quantized_layout]") {
  CHECK(hs::part_name("a.b", "codes") == "a.b.codes");
  CHECK(hs::quantized_tensor_key("a.b") == "halfstep.tensor.a.b");
}

TEST_CASE("a scale's storage is the type of its tensor", "[quantized_layout]") {
  for (const hs::ScaleStorage storage :
       {hs::ScaleStorage::f32, hs::ScaleStorage::f16, hs::ScaleStorage::e8m0, hs::ScaleStorage::e4m3}) {
    CHECK(hs::storage_of_dtype(hs::dtype_of_storage(storage)) == storage);
    CHECK(hs::bit_width(hs::dtype_of_storage(storage)) == 8 * hs::storage_bytes(storage));
  }
  CHECK_FALSE(hs::storage_of_dtype(hs::DType::BF16).has_value());
}

TEST_CASE("members have roles and shapes", "[quantized_layout]") {
  CHECK(hs::parameter_role<hs::Uniform<4>, 0>() == hs::ParameterRole::scale);
  CHECK(hs::parameter_role<hs::Uniform<4>, 1>() == hs::ParameterRole::value);
  CHECK(hs::parameter_role<hs::NVFP4, 1>() == hs::ParameterRole::tensor_scale);
  CHECK(hs::parameter_role<hs::LevelTable<3>, 1>() == hs::ParameterRole::array);
  CHECK(hs::parameter_role<hs::TwinSoftmax<4>, 0>() == hs::ParameterRole::value);
  const hs::TilingGrid grid(hs::per_group(8), {3, 20});
  using hs::Index;
  CHECK(hs::parameter_shape<float>(grid, hs::ParameterRole::scale) == std::vector<Index>{3, 3});
  CHECK(hs::parameter_shape<float>(grid, hs::ParameterRole::tensor_scale) == std::vector<Index>{1});
  CHECK(hs::parameter_shape<std::array<float, 8>>(grid, hs::ParameterRole::array) == std::vector<Index>{3, 3, 8});
  std::size_t count = 0;
  hs::for_each_parameter<hs::AdaLog<4>>([&](auto index) { CHECK(decltype(index)::value == count++); });
  CHECK(count == 3);
}
