#include "halfstep/io/described_tensors.hpp"

#include <cstdint>
#include <string>
#include <vector>

#include "halfstep/io/safetensors.hpp"
#include "io/io_checks.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;
using hs::IoErrorCode;

namespace {

const std::string file_bytes =
    raw_safetensors(R"({"__metadata__":{"version":"1.2","d":"{\"n\":3,\"r\":0.5,\"s\":\"text\",\"m\":-1}","e":"[]"},)"
                    R"("w.shape":{"dtype":"I64","shape":[2],"data_offsets":[0,16]},)"
                    R"("w.groups":{"dtype":"I32","shape":[3],"data_offsets":[16,28]}})",
                    little_endian(2) + little_endian(3) + std::string("\0\0\0\0\1\0\0\0\0\0\0\0", 12));

}  // namespace

TEST_CASE("a described thing's parts, numbers and texts are read", "[described_tensors]") {
  const auto file = hs::SafetensorsFile::from_memory(bytes_of(file_bytes), "f");
  const hs::DescribedTensors w(file, "thing", "w");
  CHECK(hs::part_name("a.b", "codes") == "a.b.codes");
  CHECK(w.part("shape") == "w.shape");
  w.require_version("version", 1);
  w.require_dtype("w.shape", hs::DType::I64);
  CHECK(w.shape() == hs::Shape{2, 3});
  CHECK(w.column_groups(3) == std::vector<std::int32_t>{0, 1, 0});
  CHECK(hs::DescribedTensors(file, "thing", "v").column_groups(3).empty());
  const auto json = w.description("d");
  CHECK(w.number(json, "n") == 3);
  CHECK(w.real(json, "r", 0, 1) == 0.5);
  CHECK(w.real(json, "m", -1, 1) == -1);
  CHECK(w.text(json, "s") == "text");
}

TEST_CASE("a described thing says what is wrong", "[described_tensors]") {
  const auto file = hs::SafetensorsFile::from_memory(bytes_of(file_bytes), "f");
  const hs::DescribedTensors w(file, "thing", "w");
  const auto json = w.description("d");
  check_io_error([&] { w.require_version("format", 1); }, IoErrorCode::not_found, {"has no \"format\""});
  check_io_error([&] { w.require_version("e", 1); }, IoErrorCode::version, {"\"e\"", "expected 1"});
  check_io_error([&] { static_cast<void>(w.description("x")); }, IoErrorCode::not_found, {"describes no thing \"w\""});
  check_io_error([&] { static_cast<void>(w.description("e")); }, IoErrorCode::syntax, {"not a JSON object"});
  check_io_error([&] { static_cast<void>(w.number(json, "r")); }, IoErrorCode::type, {"thing \"w\" has no \"r\""});
  check_io_error([&] { static_cast<void>(w.number(json, "m")); }, IoErrorCode::type, {"has no \"m\""});
  check_io_error([&] { static_cast<void>(w.number(json, "n", 2)); }, IoErrorCode::range, {"has 3 as \"n\""});
  check_io_error([&] { static_cast<void>(w.real(json, "n", 0, 1)); }, IoErrorCode::range, {"expected 0 to 1"});
  check_io_error([&] { static_cast<void>(w.real(json, "s", 0, 1)); }, IoErrorCode::type, {"has no number \"s\""});
  check_io_error([&] { static_cast<void>(w.text(json, "n")); }, IoErrorCode::type, {"has no string \"n\""});
  check_io_error([&] { static_cast<void>(w.column_groups(4)); }, IoErrorCode::shape, {"expected [4]"});
  check_io_error([&] { w.require_dtype("w.shape", hs::DType::I32); }, IoErrorCode::type, {"expected I32"});
}
