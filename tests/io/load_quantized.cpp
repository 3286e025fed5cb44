#include "halfstep/io/load_quantized.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "halfstep/io/save_quantized.hpp"
#include "halfstep/kernels/quantize.hpp"
#include "halfstep/kernels/quantize_blocks.hpp"
#include "io/io_checks.hpp"
#include "io/replaced.hpp"
#include "kernels/matrices.hpp"
#include "support/all_quantizers.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;
using hs::IoErrorCode;

namespace {

/// The file of one matrix, as its bytes.
template <class Q>
std::string file_of(const hs::QuantizedMatrix<Q>& matrix) {
  const TemporaryDirectory directory;
  hs::save(directory.file("q.safetensors"), "w", matrix);
  return directory.read("q.safetensors");
}

template <class Q>
hs::QuantizedMatrix<Q> read(const std::string& bytes, std::string_view name = "w") {
  return hs::load<Q>(hs::SafetensorsFile::from_memory(bytes_of(bytes), "q.safetensors"), name);
}

std::string small_file() {
  return file_of(hs::quantize<hs::Uniform<4>>(random_eigen(3, 33, 51), {.tiling = hs::per_group(16)}));
}

using StoredQuantizers =
    decltype(std::tuple_cat(UniformQuantizers{}, LogQuantizers{}, RegionQuantizers{}, FewLevelQuantizers{},
                            FloatQuantizers{}, BlockQuantizers{}, TableQuantizers{}, WideQuantizers{}));

}  // namespace

TEMPLATE_LIST_TEST_CASE("every quantizer comes back from a file, code by code", "[load_quantized]", StoredQuantizers) {
  using Q = TestType;
  for (const hs::Tiling& tiling : all_tilings(29)) {
    const auto matrix = hs::quantize<Q>(random_eigen(7, 29, 52, 1, 0.5f), {.tiling = tiling});
    if constexpr (hs::HasTensorScale<Q>) continue;  // fitted granule by granule, without a common scale
    CAPTURE(tiling.tile_rows, tiling.tile_cols);
    REQUIRE(read<Q>(file_of(matrix)) == matrix);
  }
  if constexpr (hs::BlockFormat<Q>) {
    const auto blocks = hs::quantize_blocks<Q>(random_eigen(5, 70, 53));
    REQUIRE(read<Q>(file_of(blocks)) == blocks);
  }
  for (const hs::Shape shape : {hs::Shape{0, 5}, hs::Shape{4, 0}, hs::Shape{0, 0}}) {
    const auto empty = hs::quantize<Q>(hs::MatrixF(shape.rows, shape.cols), {.tiling = hs::per_row()});
    REQUIRE(read<Q>(file_of(empty)) == empty);
  }
}

TEST_CASE("scales come back from every type that stores them", "[load_quantized]") {
  for (const hs::ScaleStorage storage : {hs::ScaleStorage::f32, hs::ScaleStorage::f16, hs::ScaleStorage::e8m0}) {
    const auto matrix = hs::quantize<hs::Uniform<3>>(random_eigen(6, 40, 54), {.scale_storage = storage});
    CHECK(read<hs::Uniform<3>>(file_of(matrix)) == matrix);
  }
}

TEST_CASE("a file that says something else is refused", "[load_quantized]") {
  const std::string file = small_file();
  const auto refuses = [&](std::string_view from, std::string_view to, IoErrorCode code, std::string_view part) {
    CAPTURE(from, to);
    check_io_error([&] { static_cast<void>(read<hs::Uniform<4>>(replaced(file, from, to))); }, code, {part});
  };
  refuses(R"(scheme\":\"uniform)", R"(scheme\":\"unicorn)", IoErrorCode::unsupported, "has the scheme \"unicorn\"");
  refuses(R"("halfstep.format":"1")", R"("halfstep.format":"2")", IoErrorCode::version, "expected 1");
  refuses(R"("halfstep.format":"1")", R"("halfstep.former":"1")", IoErrorCode::not_found, "halfstep.format");
  refuses(R"(scheme_version\":1)", R"(scheme_version\":2)", IoErrorCode::version, "has version 2 of its scheme");
  refuses(R"(scheme_version\":1)", R"(scheme_version\":x)", IoErrorCode::syntax, "not a JSON object");
  refuses(R"(bits\":4)", R"(bits\":5)", IoErrorCode::mismatch, "has 5 bits, expected 4");
  refuses(R"(bits\":4)", R"(bitz\":4)", IoErrorCode::type, "has no \"bits\"");
  refuses(R"(axis\":1)", R"(axis\":0)", IoErrorCode::unsupported, "along axis 0");
  refuses(R"(group\":16)", R"(group\":-1)", IoErrorCode::type, "has no \"group\"");
  refuses(R"(group\":16)", R"(group\":10)", IoErrorCode::shape, "\"w.scale\" has shape [3, 3], expected [3, 4]");
  refuses(R"(tile_rows\":1)", R"(tile_rows\":2)", IoErrorCode::shape, "expected [2, 3]");
  refuses(R"(tile_rows\":1)", R"(tile_rowz\":1)", IoErrorCode::type, "has no \"tile_rows\"");
  refuses(R"(axis\":1)", R"(bits\":4)", IoErrorCode::duplicate, "has the key \"bits\" twice");
  refuses(R"("params\)", R"("paramz\)", IoErrorCode::type, "has no object \"params\"");
  refuses(R"("w.codes")", R"("w.coded")", IoErrorCode::not_found, "\"w.codes\"");
  check_io_error([&] { static_cast<void>(read<hs::Uniform<4>>(file, "v")); }, IoErrorCode::not_found, {"\"v\""});
  check_io_error([&] { static_cast<void>(read<hs::Log2<4>>(file)); }, IoErrorCode::unsupported, {"expected \"log2\""});
}

TEST_CASE("numbers that no matrix has are refused", "[load_quantized]") {
  const auto matrix = hs::quantize<hs::Uniform<4>>(random_eigen(3, 33, 51), {.tiling = hs::per_group(16)});
  const std::string file = file_of(matrix);
  const auto stored = [](auto value) { return std::string(reinterpret_cast<const char*>(&value), sizeof value); };
  const auto refuses = [&](const std::string& from, const std::string& to, IoErrorCode code, std::string_view part) {
    check_io_error([&] { static_cast<void>(read<hs::Uniform<4>>(replaced(file, from, to))); }, code, {part});
  };
  const std::string shape = stored(std::int64_t{3}) + stored(std::int64_t{33});
  refuses(shape, stored(std::int64_t{-3}) + stored(std::int64_t{33}), IoErrorCode::range, "a size of -3");
  refuses(shape, stored(std::int64_t{3}) + stored(std::int64_t{1} << 62), IoErrorCode::range, "in \"shape\"");
  refuses(shape, stored(std::int64_t{4}) + stored(std::int64_t{33}), IoErrorCode::shape, "expected [4, 17]");
  const std::string scale = stored(matrix.quantizer(4).scale);
  for (const float odd : {0.0f, -1.0f, std::numeric_limits<float>::infinity(), std::nanf("")}) {
    refuses(scale, stored(odd), IoErrorCode::value, "parameters of granule 4 that are out of range");
  }
  const std::string row(reinterpret_cast<const char*>(matrix.packed_row(1).data()), matrix.packed_row(1).size());
  std::string spoilt = row;
  spoilt.back() = static_cast<char>(spoilt.back() | 0x40);
  refuses(row, spoilt, IoErrorCode::value, "has bits after the last code of row 1");
}

TEST_CASE("a map of columns is checked", "[load_quantized]") {
  const auto matrix =
      hs::quantize<hs::Uniform<8>>(random_eigen(2, 4, 55), {.tiling = hs::per_column_map({1, 0, 1, 2})});
  const std::string file = file_of(matrix);
  CHECK(read<hs::Uniform<8>>(file) == matrix);
  const auto map = [](std::vector<std::int32_t> groups) {
    return std::string(reinterpret_cast<const char*>(groups.data()), groups.size() * 4);
  };
  const auto refuses = [&](const std::vector<std::int32_t>& groups, IoErrorCode code) {
    check_io_error(
        [&] {
          static_cast<void>(read<hs::Uniform<8>>(replaced(file, map({1, 0, 1, 2}), map(groups))));
        },
        code);
  };
  refuses({1, 0, 1, 4}, IoErrorCode::range);
  refuses({1, 0, -1, 2}, IoErrorCode::range);
  refuses({1, 0, 1, 3}, IoErrorCode::value);
  refuses({1, 0, 1, 1}, IoErrorCode::shape);
}

TEST_CASE("parts of other types than the layout's are refused", "[load_quantized]") {
  const auto matrix =
      hs::quantize<hs::Uniform<8>>(random_eigen(2, 4, 55), {.tiling = hs::per_column_map({1, 0, 1, 2})});
  const std::string file = file_of(matrix);
  const auto refuses = [&](const std::string& part, std::string_view from, std::string_view to) {
    const std::size_t at = file.find(R"("w.)" + part + R"(":{"dtype":")");
    REQUIRE(at != std::string::npos);
    const std::string head = file.substr(0, at);
    check_io_error([&] { static_cast<void>(read<hs::Uniform<8>>(head + replaced(file.substr(at), from, to))); },
                   IoErrorCode::type, {"\"w." + part + "\" has dtype"});
  };
  refuses("shape", R"("I64")", R"("U64")");
  refuses("shape", R"("I64")", R"("F64")");
  refuses("groups", R"("I32")", R"("U32")");
  refuses("zero_point", R"("I32")", R"("F32")");
  refuses("codes", R"("U8")", R"("I8")");
}

TEST_CASE("scales of a block format have the type of its blocks", "[load_quantized]") {
  const std::string header =
      R"({"__metadata__":{"halfstep.format":"1","halfstep.tensor.w":"{\"scheme\":\"mx_float_e2m1\",)"
      R"(\"scheme_version\":1,\"bits\":4,\"axis\":1,\"group\":32,\"params\":{\"tile_rows\":1}}"},)"
      R"("w.shape":{"dtype":"I64","shape":[2],"data_offsets":[0,16]},)"
      R"("w.scale":{"dtype":"F16","shape":[1,1],"data_offsets":[16,18]},)"
      R"("w.codes":{"dtype":"U8","shape":[1,1],"data_offsets":[18,19]}})";
  const std::string data = little_endian(1) + little_endian(2) + std::string("\x00\x3c\x21", 3);
  check_io_error([&] { static_cast<void>(read<hs::MXFP4>(raw_safetensors(header, data))); }, IoErrorCode::type,
                 {"\"w.scale\" has dtype F16, expected F8_E8M0"});
}

TEST_CASE("scales that take more memory than the file accounts for are refused", "[load_quantized]") {
  const std::int64_t cols = 25 << 20;  // granules of one column: 4 bytes in memory, 1.25 in the file
  const auto number = [](std::int64_t n) { return std::to_string(n); };
  const std::string header =
      R"({"__metadata__":{"halfstep.format":"1","halfstep.tensor.w":"{\"scheme\":\"log2\",\"scheme_version\":1,)"
      R"(\"bits\":2,\"axis\":1,\"group\":1,\"params\":{\"tile_rows\":1}}"},)"
      R"("w.shape":{"dtype":"I64","shape":[2],"data_offsets":[0,16]},)"
      R"("w.scale":{"dtype":"F8_E8M0","shape":[1,)" +
      number(cols) + R"(],"data_offsets":[16,)" + number(16 + cols) + R"(]},"w.codes":{"dtype":"U8","shape":[1,)" +
      number(cols / 4) + R"(],"data_offsets":[)" + number(16 + cols) + "," + number(16 + cols + cols / 4) + "]}}";
  const std::string file = raw_safetensors(header, little_endian(1) + little_endian(static_cast<std::uint64_t>(cols)) +
                                                       std::string(static_cast<std::size_t>(cols + cols / 4), '\x7f'));
  set_allocation_limit(file.size() + (std::size_t{64} << 20) + 1);
  const auto raised = raised_io_error([&] { static_cast<void>(read<hs::Log2<2>>(file)); });
  set_allocation_limit(SIZE_MAX);
  REQUIRE(raised);
  CHECK(raised->code == IoErrorCode::limit);
  CHECK(raised->message.find("has 26214400 granules") != std::string::npos);
}

namespace {

/// Reads the file of `matrix` with each byte spoilt in three ways, and each of its prefixes.
template <class Q>
void check_spoilt_files(const hs::QuantizedMatrix<Q>& matrix) {
  const std::string file = file_of(matrix);
  int refused = 0;
  set_allocation_limit(file.size() + (std::size_t{64} << 20) + 1);
  for (std::size_t at = 0; at < file.size(); ++at) {
    for (const int flip : {1, 0x80, 0xff}) {
      std::string spoilt = file;
      spoilt[at] = static_cast<char>(spoilt[at] ^ flip);
      refused += raised_io_error([&] { static_cast<void>(read<Q>(spoilt)); }) ? 1 : 0;
    }
  }
  set_allocation_limit(SIZE_MAX);
  CHECK(refused > 0);
  for (std::size_t size = 0; size < file.size(); ++size) {
    REQUIRE(raised_io_error([&] { static_cast<void>(read<Q>(file.substr(0, size))); }));
  }
}

}  // namespace

TEST_CASE("a file with any byte spoilt is read or refused", "[load_quantized]") {
  check_spoilt_files(hs::quantize<hs::Uniform<4>>(random_eigen(3, 33, 51), {.tiling = hs::per_group(16)}));
  const hs::Tiling map{2, 0, {1, 0, 1, 2, 0}};
  check_spoilt_files(hs::quantize<hs::LevelTable<3>>(random_eigen(3, 5, 56), {.tiling = map}));
  check_spoilt_files(hs::quantize_blocks<hs::NVFP4>(random_eigen(2, 20, 57)));
}
