#include "halfstep/io/safetensors_layout.hpp"

#include "io/io_checks.hpp"
#include "support/catch.hpp"

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace {

namespace hs = halfstep;
using halfstep_tests::check_io_error;

hs::TensorInfo at(std::string name, std::uint64_t begin, std::uint64_t end) {
  return {std::move(name), hs::DType::U8, {static_cast<hs::Index>(end - begin)}, begin, end};
}

}  // namespace

TEST_CASE("safetensors_layout: index_by_name sorts and finds twins") {
  const std::deque<hs::TensorInfo> tensors{at("b", 0, 1), at("", 1, 2), at("a", 2, 3), at("ab", 3, 4)};
  CHECK(hs::index_by_name(tensors, "f") == std::vector<std::uint32_t>{1, 2, 3, 0});
  CHECK(hs::index_by_name({}, "f").empty());
  const std::deque<hs::TensorInfo> twins{at("b", 0, 1), at("a", 1, 2), at("b", 2, 3)};
  check_io_error([&] { static_cast<void>(hs::index_by_name(twins, "f")); }, hs::IoErrorCode::duplicate,
                 {"f: tensor \"b\""});
}

TEST_CASE("safetensors_layout: a full cover in any order passes") {
  CHECK_NOTHROW(hs::require_full_cover({}, 0, "f"));
  CHECK_NOTHROW(hs::require_full_cover({at("b", 3, 9), at("a", 0, 3)}, 9, "f"));
  // Empty tensors at every border; the one that begins where a full one does comes first.
  CHECK_NOTHROW(
      hs::require_full_cover({at("a", 0, 3), at("x", 0, 0), at("y", 3, 3), at("b", 3, 9), at("z", 9, 9)}, 9, "f"));
}

TEST_CASE("safetensors_layout: every other cover is refused") {
  using Case = std::pair<std::deque<hs::TensorInfo>, std::string>;
  const std::vector<Case> cases{
      {{at("a", 1, 9)}, "tensor \"a\" begins at data offset 1 but the data section begins at 0: a hole"},
      {{at("a", 0, 3), at("b", 4, 9)}, "tensor \"b\" begins at data offset 4 but tensor \"a\" ends at 3: a hole"},
      {{at("a", 0, 5), at("b", 4, 9)}, "tensor \"b\" begins at data offset 4 but tensor \"a\" ends at 5: they overlap"},
      {{at("a", 0, 9), at("b", 0, 9)}, "but tensor"},
      {{at("a", 0, 9), at("b", 2, 4)}, "tensor \"b\" begins at data offset 2 but tensor \"a\" ends at 9: they overlap"},
      {{at("a", 0, 8)}, "file not fully covered: tensors up to \"a\" take 8 bytes, the data section has 9"},
      {{}, "file not fully covered: tensors take 0 bytes, the data section has 9"},
  };
  for (const auto& [tensors, message] : cases) {
    check_io_error([&t = tensors] { hs::require_full_cover(t, 9, "f"); }, hs::IoErrorCode::layout, {message});
  }
}
