#include "halfstep/io/owned_tensors.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "support/catch.hpp"

namespace hs = halfstep;

TEST_CASE("owned tensors keep their values, others stay where they are", "[owned_tensors]") {
  const std::vector<std::byte> elsewhere(3);
  hs::OwnedTensors tensors;
  {
    const std::vector<std::int32_t> values = {1, -2, 3};
    tensors.add("a", hs::DType::I32, {3}, values);
  }
  tensors.add({"b", hs::DType::U8, {3}, elsewhere});
  tensors.add("c", hs::DType::F32, {0, 2}, std::vector<float>());
  REQUIRE(tensors.tensors().size() == 3);
  std::vector<std::int32_t> kept(3);
  REQUIRE(tensors.tensors()[0].bytes.size() == 12);
  std::memcpy(kept.data(), tensors.tensors()[0].bytes.data(), 12);
  CHECK(kept == std::vector<std::int32_t>{1, -2, 3});
  CHECK(tensors.tensors()[1].bytes.data() == elsewhere.data());
  CHECK(tensors.tensors()[2].bytes.empty());
}
