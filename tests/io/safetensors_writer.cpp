#include "halfstep/io/safetensors_writer.hpp"

#include "halfstep/io/safetensors.hpp"
#include "io/io_checks.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <sys/resource.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace hs = halfstep;
using halfstep_tests::bytes_of;
using halfstep_tests::check_io_error;
using halfstep_tests::raw_safetensors;
using halfstep_tests::TemporaryDirectory;
using hs::DType;
using hs::IoErrorCode;
using Names = std::vector<std::string>;

/// Every element type with 8 elements (a whole number of bytes for each of them), filled with random bytes.
struct AllTypes {
  explicit AllTypes(unsigned seed) {
    std::mt19937 random(seed);
    for (const hs::DTypeTraits& row : hs::dtype_table) {
      std::string bytes(static_cast<std::size_t>(row.bits), '\0');
      for (char& byte : bytes) byte = static_cast<char>(static_cast<unsigned char>(random() & 255u));
      data.push_back(bytes);
    }
    for (std::size_t i = 0; i < data.size(); ++i) {
      const std::string name = "t" + std::to_string(data.size() - i);  // names against the order of the types
      tensors.push_back({name, hs::dtype_table[i].dtype, {2, 4}, bytes_of(data[i])});
    }
  }
  std::vector<std::string> data;
  std::vector<hs::NamedTensor> tensors;
};

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

TEST_CASE("safetensors_writer: the bytes of a small file") {
  const TemporaryDirectory directory;
  const std::vector<float> values{1, -2};
  const auto report = hs::write_safetensors(directory.file("a"),
                                            std::vector{hs::named_tensor("t", std::span<const float>(values), {2})});
  const std::string header = R"({"__metadata__":{"format":"pt"},"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})"
                             "   ";
  REQUIRE(header.size() % 8 == 0);
  CHECK(directory.read("a") == raw_safetensors(header, {reinterpret_cast<const char*>(values.data()), 8}));
  CHECK(report.bytes == 8 + header.size() + 8);
  CHECK(report.aliases.empty());
}

TEST_CASE("safetensors_writer: no tensors") {
  const TemporaryDirectory directory;
  CHECK(hs::write_safetensors(directory.file("a"), {}).bytes == 40);
  CHECK(directory.read("a") == raw_safetensors("{\"__metadata__\":{\"format\":\"pt\"}}"));
}

TEST_CASE("safetensors_writer: every type comes back, sorted by type, then name, aligned, the same bytes each time") {
  const TemporaryDirectory directory;
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  AllTypes all(seed);
  const std::string more_bytes(16, 'm');
  all.tensors.push_back({"a", DType::F32, {4, 1}, bytes_of(more_bytes)});
  hs::write_safetensors(directory.file("a"), all.tensors, {.metadata = {{"b", "2"}, {"a", "\n\"\\\x01"}}});

  const auto file = hs::SafetensorsFile::open(directory.file("a"));
  CHECK(file.metadata() == hs::Metadata{{"a", "\n\"\\\x01"}, {"b", "2"}, {"format", "pt"}});
  REQUIRE(file.tensors().size() == all.tensors.size());
  const hs::TensorInfo* previous = nullptr;
  for (const hs::TensorInfo& info : file.tensors()) {
    if (previous != nullptr) {
      CHECK((previous->dtype < info.dtype || (previous->dtype == info.dtype && previous->name < info.name)));
      CHECK(previous->end == info.begin);
    }
    const auto width = static_cast<std::uintptr_t>(hs::is_byte_sized(info.dtype) ? hs::bit_width(info.dtype) / 8 : 1);
    CHECK(reinterpret_cast<std::uintptr_t>(file.bytes(info.name).data()) % width == 0);
    previous = &info;
  }
  for (const hs::NamedTensor& tensor : all.tensors) {
    CHECK(file.tensor(tensor.name).dtype == tensor.dtype);
    CHECK(file.tensor(tensor.name).shape == tensor.shape);
    CHECK(text_of(file.bytes(tensor.name)) == text_of(tensor.bytes));
  }

  std::vector<hs::NamedTensor> shuffled = all.tensors;
  std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(seed));
  hs::write_safetensors(directory.file("b"), shuffled, {.metadata = {{"a", "\n\"\\\x01"}, {"b", "2"}}});
  CHECK(directory.read("a") == directory.read("b"));
}

TEST_CASE("safetensors_writer: write(read(x)) == x") {
  const TemporaryDirectory directory;
  const AllTypes all(7);
  hs::write_safetensors(directory.file("a"), all.tensors, {.metadata = {{"k", "v"}}});
  const auto file = hs::SafetensorsFile::open(directory.file("a"));
  std::vector<hs::NamedTensor> tensors;
  for (const hs::TensorInfo& info : file.tensors()) {
    tensors.push_back({info.name, info.dtype, info.shape, file.bytes(info.name)});
  }
  hs::write_safetensors(directory.file("b"), tensors, {.metadata = file.metadata()});
  CHECK(directory.read("a") == directory.read("b"));
}

TEST_CASE("safetensors_writer: rank 0 and empty tensors") {
  const TemporaryDirectory directory;
  hs::SafetensorsWriter writer(directory.file("a"));
  writer.declare("scalar", DType::F64, {});
  writer.declare("none", DType::F32, {0, std::numeric_limits<hs::Index>::max()});
  writer.declare("also none", DType::F64, {3, 0});
  writer.append("scalar", bytes_of("12345678"));
  writer.append("also none", {});
  writer.finish();
  const auto file = hs::SafetensorsFile::open(directory.file("a"));
  CHECK(file.tensor("scalar").shape.empty());
  CHECK(file.tensor("none").shape == std::vector<hs::Index>{0, std::numeric_limits<hs::Index>::max()});
  CHECK(text_of(file.bytes("scalar")) == "12345678");
}

TEST_CASE("safetensors_writer: pieces in any order, matrices of any strides") {
  const TemporaryDirectory directory;
  const std::vector<float> values{1, 2, 3, 4, 5, 6};
  const hs::MatrixView<const float> matrix(values.data(), 2, 3);
  hs::SafetensorsWriter writer(directory.file("a"));
  writer.declare("w", DType::F32, {2, 3});
  writer.declare("wt", DType::F32, {3, 2});
  writer.declare("part", DType::F32, {2, 2});
  writer.declare("code", DType::U8, {4});
  writer.append("wt", hs::transposed(matrix).row_range(0, 1));
  writer.append("code", bytes_of("ab"));
  writer.append("w", matrix);
  writer.append("code", bytes_of("cd"));
  writer.append("wt", hs::transposed(matrix).row_range(1, 2));
  writer.append("part", matrix.col_range(1, 2));
  const std::uint64_t size = writer.finish();
  CHECK(size == directory.read("a").size());
  const auto file = hs::SafetensorsFile::open(directory.file("a"));
  CHECK(file.matrix("w").values == values);
  CHECK(file.matrix("wt").values == std::vector<float>{1, 4, 2, 5, 3, 6});
  CHECK(file.matrix("part").values == std::vector<float>{2, 3, 5, 6});
  CHECK(text_of(file.bytes("code")) == "abcd");
}

TEST_CASE("safetensors_writer: tensors that share memory are written once and reported") {
  const TemporaryDirectory directory;
  const std::vector<float> values{1, 2}, other{3, 4};
  const auto tensor = [](std::string name, const std::vector<float>& v) {
    return hs::named_tensor(std::move(name), std::span<const float>(v), {2});
  };
  const std::vector<hs::NamedTensor> tensors{tensor("wte", values), tensor("other", other), tensor("lm_head", values),
                                             tensor("head", values)};
  const auto report = hs::write_safetensors(directory.file("a"), tensors);
  CHECK(report.aliases == std::vector<hs::TensorAlias>{{"head", "wte"}, {"lm_head", "wte"}});
  const auto file = hs::SafetensorsFile::open(directory.file("a"));
  CHECK(file.tensors().size() == 2);
  CHECK(file.contains("wte"));
  const std::vector<hs::NamedTensor> overlapping{tensor("a", values),
                                                 {"b", DType::F32, {1}, std::as_bytes(std::span(values).first(1))}};
  check_io_error([&] { hs::write_safetensors(directory.file("b"), overlapping); }, IoErrorCode::layout);
  CHECK(directory.names() == Names{"a"});
}

TEST_CASE("safetensors_writer: names and metadata are escaped, or refused") {
  const TemporaryDirectory directory;
  const std::string odd("q\"\\/\b\f\n\r\t\x01\x7f \xC3\xA9\xF0\x9F\x98\x80\0end", 22);
  hs::SafetensorsWriter writer(directory.file("a"), {.metadata = {{odd, odd}}});
  writer.declare(odd, DType::U8, {1});
  writer.declare("", DType::U8, {1});
  writer.append(odd, bytes_of("x"));
  writer.append("", bytes_of("y"));
  writer.finish();
  const auto file = hs::SafetensorsFile::open(directory.file("a"));
  CHECK(text_of(file.bytes(odd)) == "x");
  CHECK(text_of(file.bytes("")) == "y");
  CHECK(file.metadata().at(odd) == odd);

  hs::SafetensorsWriter strict(directory.file("b"));
  check_io_error([&] { strict.declare("a\xFF", DType::U8, {1}); }, IoErrorCode::syntax, {"not UTF-8 at its byte 1"});
  check_io_error([&] { strict.declare("\xED\xA0\x80", DType::U8, {1}); }, IoErrorCode::syntax);
  for (const hs::Metadata& bad : {hs::Metadata{{"k", "\xFF"}}, hs::Metadata{{"\xFF", "v"}}}) {
    check_io_error([&] { hs::write_safetensors(directory.file("c"), {}, {.metadata = bad}); }, IoErrorCode::syntax,
                   {"metadata"});
  }
  check_io_error(
      [&] {
        hs::write_safetensors(directory.file("c"), {}, {.metadata = {{"format", "tf"}}});
      },
      IoErrorCode::mismatch, {"\"format\": \"tf\", expected \"pt\""});
  CHECK(hs::write_safetensors(directory.file("c"), {}, {.metadata = {{"format", "pt"}}}).bytes == 40);
}

TEST_CASE("safetensors_writer: what cannot be declared") {
  const TemporaryDirectory directory;
  hs::SafetensorsWriter writer(directory.file("a"));
  writer.declare("t", DType::U8, {1});
  constexpr hs::Index big = hs::Index{1} << 33;
  check_io_error([&] { writer.declare("t", DType::F32, {1}); }, IoErrorCode::duplicate,
                 {"tensor \"t\" is there already"});
  check_io_error([&] { writer.declare("__metadata__", DType::F32, {1}); }, IoErrorCode::duplicate);
  check_io_error([&] { writer.declare(std::string(65537, 'a'), DType::F32, {1}); }, IoErrorCode::limit);
  check_io_error([&] { writer.declare("r", DType::F32, std::vector<hs::Index>(65, 1)); }, IoErrorCode::limit);
  check_io_error([&] { writer.declare("n", DType::F32, {2, -1}); }, IoErrorCode::range, {"has shape [2, -1]"});
  check_io_error([&] { writer.declare("o", DType::F32, {big, big}); }, IoErrorCode::overflow);
  check_io_error([&] { writer.declare("f", DType::F4, {3}); }, IoErrorCode::misaligned, {"12 bits"});
  writer.append("t", bytes_of("x"));
  check_io_error([&] { writer.declare("late", DType::U8, {1}); }, IoErrorCode::layout, {"after data was appended"});
  writer.finish();
  const auto file = hs::SafetensorsFile::open(directory.file("a"));
  CHECK(file.tensors().size() == 1);
}

TEST_CASE("safetensors_writer: tensors whose sizes do not add up") {
  const TemporaryDirectory directory;
  constexpr hs::Index big = hs::Index{1} << 59;  // 2^62 bits each
  hs::SafetensorsWriter writer(directory.file("a"));
  for (int i = 0; i < 17; ++i) writer.declare(std::to_string(i), DType::U8, {big});
  check_io_error([&] { writer.append("0", bytes_of("x")); }, IoErrorCode::overflow, {"2^63 - 1 bytes"});
}

TEST_CASE("safetensors_writer: too much, too little or the wrong data") {
  const TemporaryDirectory directory;
  hs::SafetensorsWriter writer(directory.file("a"));
  writer.declare("t", DType::F32, {2});
  check_io_error([&] { writer.append("u", bytes_of("1234")); }, IoErrorCode::not_found, {"\"u\" was not declared"});
  check_io_error([&] { writer.append("t", bytes_of("123456789")); }, IoErrorCode::mismatch,
                 {"tensor \"t\" of F32 has shape [2], which takes 8 bytes, but 0 and 9 more"});
  std::vector<std::int32_t> codes(4);
  check_io_error([&] { writer.append("t", hs::MatrixView<std::int32_t>(codes.data(), 1, 2)); }, IoErrorCode::type,
                 {"declared as F32, but its data is I32"});
  std::vector<float> values(4, 1.0f);
  check_io_error([&] { writer.append("t", hs::MatrixView<float>(values.data(), 2, 2)); }, IoErrorCode::mismatch,
                 {"16 more"});
  writer.append("t", bytes_of("1234"));
  check_io_error([&] { writer.finish(); }, IoErrorCode::mismatch, {"tensor \"t\" has 4 of its 8 bytes"});
  CHECK(directory.names().size() == 1);
  CHECK(directory.names()[0] != "a");
  writer.append("t", bytes_of("5678"));  // the refused calls changed nothing
  writer.finish();
  CHECK(directory.names() == Names{"a"});
  CHECK(text_of(hs::SafetensorsFile::open(directory.file("a")).bytes("t")) == "12345678");
  const std::vector<hs::NamedTensor> short_tensor{{"t", DType::F32, {2}, bytes_of("1234")}};
  check_io_error([&] { hs::write_safetensors(directory.file("b"), short_tensor); }, IoErrorCode::mismatch);
  CHECK(directory.names() == Names{"a"});
}

TEST_CASE("safetensors_writer: a writer that is given up leaves nothing") {
  const TemporaryDirectory directory;
  {
    hs::SafetensorsWriter writer(directory.file("a"));
    writer.declare("t", DType::U8, {4});
    writer.append("t", bytes_of("1234"));
  }
  CHECK(directory.names().empty());
}

TEST_CASE("safetensors_writer: case 54, a full disk") {
  const TemporaryDirectory directory;
  const std::string path = directory.file("a"), data(1 << 20, 'x');
  const std::vector<hs::NamedTensor> tensors{{"t", DType::U8, {1 << 20}, bytes_of(data)}};
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  rlimit small = before;
  small.rlim_cur = 1 << 16;
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  check_io_error([&] { hs::write_safetensors(path, tensors); }, IoErrorCode::io, {path, "cannot be written"});
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(directory.names().empty());
}

TEST_CASE("safetensors_writer: case 54, an existing file, and the input as the output") {
  const TemporaryDirectory directory;
  const std::string path = directory.file("a"), old_data(1 << 16, 'o'), new_data(1 << 18, 'n');
  hs::write_safetensors(path, std::vector<hs::NamedTensor>{{"t", DType::U8, {1 << 16}, bytes_of(old_data)}});
  const std::string before = directory.read("a");
  const auto input = hs::SafetensorsFile::open(path);  // mapped
  check_io_error([&] { hs::SafetensorsWriter writer(path); }, IoErrorCode::io, {path, "exists already"});
  CHECK(directory.read("a") == before);

  hs::SafetensorsWriter writer(path, {.existing = hs::Existing::replace});
  writer.declare("t", DType::U8, {1 << 16});
  writer.declare("u", DType::U8, {1 << 18});
  writer.append("u", bytes_of(new_data));
  writer.append("t", input.bytes("t"));
  writer.finish();
  CHECK(text_of(input.bytes("t")) == old_data);  // the mapping still shows the file that was opened
  const auto output = hs::SafetensorsFile::open(path);
  CHECK(text_of(output.bytes("t")) == old_data);
  CHECK(text_of(output.bytes("u")) == new_data);
  CHECK(directory.names() == Names{"a"});
}
