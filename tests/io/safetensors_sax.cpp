#include "halfstep/io/safetensors_sax.hpp"

#include "io/io_checks.hpp"
#include "support/catch.hpp"

#include <string>
#include <string_view>

// The rules of the format are tested with whole headers in safetensors_header.cpp; here, what those cannot show.

namespace {

namespace hs = halfstep;
using halfstep_tests::check_io_error;
using hs::IoErrorCode;

hs::SafetensorsHeader events_of(std::string_view text, std::uint64_t data_size, const hs::HeaderOptions& options = {}) {
  hs::SafetensorsHeader header;
  hs::SafetensorsSax handler(header, data_size, "f", options);
  const bool complete = nlohmann::json::sax_parse(text.begin(), text.end(), &handler);
  REQUIRE(complete);
  return header;
}

}  // namespace

TEST_CASE("safetensors_sax: one tensor's numbers are checked against each other") {
  const auto check = [](hs::TensorInfo info, std::uint64_t data_size) { hs::require_consistent(info, data_size, "f"); };
  CHECK_NOTHROW(check({"t", hs::DType::F32, {2, 2}, 8, 24}, 24));
  check_io_error([&] { check({"t", hs::DType::F32, {2, 2}, 24, 8}, 24); }, IoErrorCode::range);
  check_io_error([&] { check({"t", hs::DType::F32, {2, 2}, 8, 24}, 23); }, IoErrorCode::range);
  check_io_error([&] { check({"t", hs::DType::F32, {1 << 30, 1 << 30, 8}, 8, 24}, 24); }, IoErrorCode::overflow);
  check_io_error([&] { check({"t", hs::DType::F4, {3}, 0, 2}, 24); }, IoErrorCode::misaligned);
  check_io_error([&] { check({"t", hs::DType::F32, {2, 3}, 8, 24}, 24); }, IoErrorCode::mismatch);
}

TEST_CASE("safetensors_sax: fields come in any order, and a tensor's state does not leak into the next") {
  const auto header = events_of(R"({"a":{"data_offsets":[0,8],"shape":[2,1],"dtype":"F32"},"__metadata__":{"x":"y"},)"
                                R"("b":{"shape":[],"x":[{"shape":[1]}],"dtype":"I8","data_offsets":[8,9]}})",
                                9);
  REQUIRE(header.tensors.size() == 2);
  CHECK(header.tensors[0].shape == std::vector<hs::Index>{2, 1});
  CHECK(header.tensors[1].shape.empty());
  CHECK(header.tensors[1].dtype == hs::DType::I8);
  CHECK(header.metadata == hs::Metadata{{"x", "y"}});
  check_io_error([] { events_of(R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"I8"}})", 1); },
                 IoErrorCode::not_found, {"tensor \"b\" has no shape"});
}

TEST_CASE("safetensors_sax: a tensor may be called like a field") {
  const auto header = events_of(R"({"shape":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}})", 1);
  REQUIRE(header.tensors.size() == 1);
  CHECK(header.tensors[0].name == "shape");
}
