#include "halfstep/io/tensor_info.hpp"

#include "support/catch.hpp"

#include <cstdint>
#include <vector>

namespace {

namespace hs = halfstep;

hs::TensorInfo shaped(hs::DType dtype, std::vector<hs::Index> shape) {
  hs::TensorInfo info{"t", dtype, std::move(shape), 16, 16};
  info.end += *hs::checked_bits(dtype, info.shape) / 8;
  return info;
}

}  // namespace

TEST_CASE("tensor_info: sizes and element counts") {
  CHECK(shaped(hs::DType::F32, {2, 3}).size() == 24);
  CHECK(hs::element_count(shaped(hs::DType::F32, {2, 3})) == 6);
  CHECK(hs::element_count(shaped(hs::DType::F4, {2, 3})) == 6);
  CHECK(hs::element_count(shaped(hs::DType::F6_E2M3, {4, 3})) == 12);
  CHECK(hs::element_count(shaped(hs::DType::C64, {})) == 1);
  CHECK(hs::element_count(shaped(hs::DType::U8, {3, 0})) == 0);
}

TEST_CASE("tensor_info: leading dimensions become rows") {
  const auto shape = [](std::vector<hs::Index> sizes) {
    return hs::matrix_shape(shaped(hs::DType::U8, std::move(sizes)));
  };
  CHECK(shape({}) == hs::Shape{1, 1});
  CHECK(shape({5}) == hs::Shape{1, 5});
  CHECK(shape({4, 5}) == hs::Shape{4, 5});
  CHECK(shape({2, 3, 4, 5}) == hs::Shape{24, 5});
  CHECK(shape({0}) == hs::Shape{1, 0});
  CHECK(shape({3, 0}) == hs::Shape{3, 0});
  CHECK(shape({0, std::int64_t{1} << 40, std::int64_t{1} << 40}) == hs::Shape{0, std::int64_t{1} << 40});
}
