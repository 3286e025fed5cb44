#include "halfstep/io/named_tensor.hpp"

#include "io/io_checks.hpp"
#include "support/catch.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace hs = halfstep;
using halfstep_tests::check_io_error;
using hs::IoErrorCode;
using Pairs = std::vector<std::pair<std::size_t, std::size_t>>;

}  // namespace

TEST_CASE("named_tensor: of a span and of a matrix") {
  const std::vector<float> values{1, 2, 3, 4, 5, 6};
  const auto vector = hs::named_tensor("v", std::span<const float>(values), {3, 2, 1});
  CHECK(vector.name == "v");
  CHECK(vector.dtype == hs::DType::F32);
  CHECK(vector.shape == std::vector<hs::Index>{3, 2, 1});
  CHECK(vector.bytes.size() == 24);
  const hs::MatrixView<const float> matrix(values.data(), 2, 3);
  const auto tensor = hs::named_tensor("m", matrix);
  CHECK(tensor.shape == std::vector<hs::Index>{2, 3});
  CHECK(tensor.bytes.data() == reinterpret_cast<const std::byte*>(values.data()));
  CHECK(tensor.bytes.size() == 24);
  CHECK(hs::named_tensor("r", matrix.row_range(1, 1)).bytes.size() == 12);
  CHECK(hs::named_tensor("e", matrix.col_range(0, 0)).bytes.empty());
}

TEST_CASE("named_tensor: a matrix with gaps is refused") {
  std::vector<std::int32_t> values(6);
  const hs::MatrixView<std::int32_t> matrix(values.data(), 2, 3);
  CHECK_RAISES(hs::named_tensor("w", matrix.col_range(0, 2)),
               "named_tensor: \"w\" of shape [2, 2] has strides [3, 1], expected row-major values without gaps");
  CHECK_RAISES(hs::named_tensor("w", hs::transposed(matrix)), "has strides [1, 3]");
  CHECK_RAISES(hs::named_tensor("w", hs::MatrixView<float>(nullptr, 2, 2)), "has no data");
}

TEST_CASE("named_tensor: aliases are the later ones of the same memory") {
  const std::vector<float> a(8), b(8);
  const auto whole = [](std::string name, const std::vector<float>& values) {
    return hs::named_tensor(std::move(name), std::span<const float>(values), {2, 4});
  };
  const std::vector<hs::NamedTensor> distinct{whole("a", a), whole("b", b)};
  CHECK(hs::find_aliases(distinct, "f").empty());
  CHECK(hs::find_aliases({}, "f").empty());
  const std::vector<hs::NamedTensor> tied{whole("z", a), whole("b", b), whole("a", a), whole("c", a)};
  CHECK(hs::find_aliases(tied, "f") == Pairs{{2, 0}, {3, 0}});
  // Neighbours and empty tensors share nothing.
  const std::span<const float> values(a);
  const std::vector<hs::NamedTensor> halves{
      hs::named_tensor("h1", values.subspan(4), {4}), hs::named_tensor("h0", values.first(4), {4}),
      hs::named_tensor("e", values.subspan(2, 0), {0}), hs::named_tensor("e2", values.subspan(2, 0), {0})};
  CHECK(hs::find_aliases(halves, "f").empty());
}

TEST_CASE("named_tensor: memory that is shared otherwise is refused") {
  const std::vector<float> a(8);
  const std::span<const float> values(a);
  const auto whole = hs::named_tensor("w", values, {2, 4});
  const std::vector<hs::NamedTensor> others{
      hs::named_tensor("o", values, {4, 2}),
      hs::named_tensor("o", values.first(4), {4}),
      hs::named_tensor("o", values.subspan(6), {2}),
      {"o", hs::DType::I32, {2, 4}, std::as_bytes(values)},
  };
  for (const auto& other : others) {
    for (const auto& pair : {std::vector<hs::NamedTensor>{whole, other}, std::vector<hs::NamedTensor>{other, whole}}) {
      check_io_error([&] { static_cast<void>(hs::find_aliases(pair, "f.safetensors")); }, IoErrorCode::layout,
                     {"f.safetensors: tensors ", "\"w\"", "\"o\"", "share memory"});
    }
  }
}
