#include "halfstep/io/save_quantized.hpp"

#include <cstdint>
#include <string>
#include <vector>

#include "halfstep/io/load_quantized.hpp"
#include "halfstep/io/safetensors.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/kernels/quantize_blocks.hpp"
#include "io/io_checks.hpp"
#include "kernels/matrices.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;
using hs::IoErrorCode;

TEST_CASE("a file holds what the layout says", "[save_quantized]") {
  const TemporaryDirectory directory;
  const auto matrix = hs::quantize_blocks<hs::NVFP4>(random_eigen(3, 40, 61));
  const std::uint64_t size = hs::save(directory.file("q.safetensors"), "a.b", matrix);
  const auto file = hs::SafetensorsFile::open(directory.file("q.safetensors"));
  CHECK(directory.read("q.safetensors").size() == size);
  CHECK(file.metadata().at("halfstep.format") == "1");
  CHECK(file.metadata().at("format") == "pt");
  CHECK(file.metadata().at("halfstep.tensor.a.b") ==
        R"({"axis":1,"bits":4,"group":16,"params":{"tile_rows":1},"rounding":"half_even","scheme":"nvfp4",)"
        R"("scheme_version":1})");
  CHECK(file.tensors().size() == 4);
  CHECK(file.tensor("a.b.codes").shape == std::vector<hs::Index>{3, 20});
  CHECK(file.tensor("a.b.codes").dtype == hs::DType::U8);
  CHECK(file.integers<std::int64_t>("a.b.shape") == std::vector<std::int64_t>{3, 40});
  CHECK(file.tensor("a.b.scale").shape == std::vector<hs::Index>{3, 3});
  CHECK(file.tensor("a.b.scale").dtype == hs::DType::F8_E4M3);
  CHECK(file.matrix("a.b.scale").values[4] == matrix.quantizer(4).scale);
  CHECK(file.matrix("a.b.tensor_scale").values == std::vector<float>{matrix.quantizer(0).tensor_scale});
  const auto codes = file.integers<std::uint8_t>("a.b.codes");
  CHECK((codes[20] & 15) == matrix.code(1, 0));
  CHECK(codes[20] >> 4 == matrix.code(1, 1));
}

TEST_CASE("matrices of several kinds share a file, and give the same bytes again", "[save_quantized]") {
  const TemporaryDirectory directory;
  const auto a = hs::quantize<hs::Uniform<3>>(random_eigen(5, 17, 62), {.scale_storage = hs::ScaleStorage::f16});
  const auto b = hs::quantize_blocks<hs::MXFP6E3M2>(random_eigen(4, 64, 63));
  hs::QuantizedTensors tensors, turned;
  tensors.add("a", a);
  tensors.add("b", b);
  turned.add("b", b);
  turned.add("a", a);
  hs::save(directory.file("1.safetensors"), tensors);
  hs::save(directory.file("2.safetensors"), turned);
  CHECK(directory.read("1.safetensors") == directory.read("2.safetensors"));
  const auto file = hs::SafetensorsFile::open(directory.file("1.safetensors"));
  CHECK(hs::load<hs::Uniform<3>>(file, "a") == a);
  CHECK(hs::load<hs::MXFP6E3M2>(file, "b") == b);
  check_io_error([&] { hs::save(directory.file("1.safetensors"), tensors); }, IoErrorCode::io);
  CHECK_NOTHROW(hs::save(directory.file("1.safetensors"), tensors, hs::Existing::replace));
  tensors.add("a", a);
  check_io_error([&] { hs::save(directory.file("3.safetensors"), tensors); }, IoErrorCode::duplicate);
}

TEST_CASE("what a file cannot hold is refused", "[save_quantized]") {
  hs::QuantizedTensors tensors;
  auto halves = hs::quantize<hs::Uniform<4>>(random_eigen(2, 8, 64), {.scale_storage = hs::ScaleStorage::f16});
  halves.set_quantizer(0, {0.1f, 3});
  check_io_error([&] { tensors.add("w", halves); }, IoErrorCode::not_representable, {"w.scale", "0.1", "F16"});
  halves.set_quantizer(0, {-1.0f, 3});
  check_io_error([&] { tensors.add("w", halves); }, IoErrorCode::value, {"granule 0"});
  auto blocks = hs::quantize_blocks<hs::NVFP4>(random_eigen(2, 32, 65));
  blocks.set_quantizer(1, {1.0f, 7.0f});
  check_io_error([&] { tensors.add("w", blocks); }, IoErrorCode::not_representable, {"different scales of the tensor"});
  CHECK(tensors.tensors().empty());
  CHECK(tensors.metadata().empty());
}
