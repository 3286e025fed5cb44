#include "halfstep/io/safetensors.hpp"

#include "io/io_checks.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace hs = halfstep;
using halfstep_tests::bytes_of;
using halfstep_tests::check_io_error;
using halfstep_tests::from_hex;
using halfstep_tests::raised_io_error;
using halfstep_tests::raw_safetensors;
using halfstep_tests::TemporaryDirectory;
using hs::IoErrorCode;

template <class T>
std::string stored(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// Tensors of several types, in an order that is neither by name nor by offset, with metadata; padded so that the data
/// begins at a multiple of 8, or at one more.
std::string sample_file(std::string_view extra_padding = "") {
  std::string header = R"({"__metadata__":{"format":"pt","note":"x"},)"
                       R"("w":{"dtype":"F32","shape":[2,3],"data_offsets":[8,32]},)"
                       R"("d":{"dtype":"F64","shape":[],"data_offsets":[0,8]},)"
                       R"("h":{"dtype":"F16","shape":[2,1,2],"data_offsets":[32,40]},)"
                       R"("none":{"dtype":"I64","shape":[4,0],"data_offsets":[32,32]},)"
                       R"("i":{"dtype":"I32","shape":[3],"data_offsets":[40,52]},)"
                       R"("u":{"dtype":"U8","shape":[3],"data_offsets":[52,55]}})";
  while (header.size() % 8 != 0) header += ' ';
  header += extra_padding;
  const std::vector<std::uint16_t> halves{0x3C00, 0xC000, 0x0001, 0x7BFF};  // 1, -2, 2^-24, 65504
  return raw_safetensors(header, stored<double>({2.5}) + stored<float>({1, 2, 3, -4, 5, 6}) + stored(halves) +
                                     stored<std::int32_t>({-1, 0, 70000}) + stored<std::uint8_t>({0, 128, 255}));
}

hs::SafetensorsFile open(const std::string& bytes) {
  return hs::SafetensorsFile::from_memory(bytes_of(bytes), "m.safetensors");
}

/// Reads everything that an open file offers, as a program would that expects nothing.
void read_all(const hs::SafetensorsFile& file) {
  for (const hs::TensorInfo& info : file.tensors()) {
    static_cast<void>(raised_io_error([&] { static_cast<void>(file.matrix(info.name)); }));
    static_cast<void>(raised_io_error([&] { static_cast<void>(file.view<float>(info.name)); }));
    static_cast<void>(raised_io_error([&] { static_cast<void>(file.integers<std::uint8_t>(info.name)); }));
  }
}

}  // namespace

TEST_CASE("safetensors: the golden file, mapped and read") {
  const TemporaryDirectory directory;
  const std::string path = directory.write(
      "golden.safetensors",
      from_hex(
          "38000000000000007b2274223a7b226474797065223a22463332222c227368617065223a5b325d2c22646174615f6f666673657473"
          "223a5b302c385d7d7d20200000803f000000c0"));
  for (const auto access : {hs::FileAccess::map, hs::FileAccess::read}) {
    const auto file = hs::SafetensorsFile::open(path, {.access = access});
    CHECK(file.path() == path);
    CHECK(file.matrix("t").values == std::vector<float>{1, -2});
    const auto view = file.view<float>("t");
    CHECK(hs::shape_of(view) == hs::Shape{1, 2});
    CHECK(view(0, 0) == 1);
    CHECK(view(0, 1) == -2);
  }
}

TEST_CASE("safetensors: what the file holds") {
  const std::string bytes = sample_file();
  const auto file = open(bytes);
  CHECK(file.metadata() == hs::Metadata{{"format", "pt"}, {"note", "x"}});
  std::string names;
  for (const hs::TensorInfo& info : file.tensors()) names += info.name + ' ';
  CHECK(names == "w d h none i u ");  // the order of the header
  CHECK(file.contains("w"));
  CHECK_FALSE(file.contains("W"));
  CHECK_FALSE(file.contains(""));
  CHECK(file.find("zz") == nullptr);
  CHECK(file.tensor("h").shape == std::vector<hs::Index>{2, 1, 2});
  CHECK(file.bytes("u").size() == 3);
  CHECK(std::to_integer<int>(file.bytes("u")[1]) == 128);
  check_io_error([&] { static_cast<void>(file.tensor("blocks.0")); }, IoErrorCode::not_found,
                 {"halfstep: m.safetensors: has no tensor \"blocks.0\""});
}

TEST_CASE("safetensors: matrices and integers, whatever is stored and wherever") {
  for (const std::string_view padding : {"", " ", "   "}) {
    const std::string bytes = sample_file(padding);
    const auto file = open(bytes);
    const auto w = file.matrix("w");
    CHECK(w.rows == 2);
    CHECK(w.cols == 3);
    CHECK(w.values == std::vector<float>{1, 2, 3, -4, 5, 6});
    CHECK(file.matrix<double>("d").values == std::vector<double>{2.5});
    const auto h = file.matrix("h");
    CHECK(h.rows == 2);
    CHECK(h.values == std::vector<float>{1, -2, std::ldexp(1.0f, -24), 65504});
    CHECK(hs::shape_of(file.matrix("none").view()) == hs::Shape{4, 0});
    CHECK(file.matrix("i").values == std::vector<float>{-1, 0, 70000});
    CHECK(file.integers<std::int32_t>("i") == std::vector<std::int32_t>{-1, 0, 70000});
    CHECK(file.integers<std::int64_t>("i") == std::vector<std::int64_t>{-1, 0, 70000});
    CHECK(file.integers<std::uint8_t>("u") == std::vector<std::uint8_t>{0, 128, 255});
    check_io_error([&] { static_cast<void>(file.integers<std::uint8_t>("i")); }, IoErrorCode::range,
                   {"element 0 is -1"});
    check_io_error([&] { static_cast<void>(file.integers<std::int32_t>("w")); }, IoErrorCode::type, {"has dtype F32"});
  }
}

TEST_CASE("safetensors: views need the type and the alignment") {
  alignas(64) std::byte aligned[1024];
  const auto place = [&](const std::string& bytes) {
    REQUIRE(bytes.size() <= sizeof aligned);
    std::memcpy(aligned, bytes.data(), bytes.size());
    return hs::SafetensorsFile::from_memory({aligned, bytes.size()}, "m.safetensors");
  };
  const auto good = place(sample_file());
  CHECK(good.is_viewable<float>("w"));
  CHECK(reinterpret_cast<const std::byte*>(good.view<float>("w").data) == good.bytes("w").data());
  CHECK(good.view<float>("w")(1, 0) == -4);
  CHECK(good.view<double>("d")(0, 0) == 2.5);
  CHECK(good.view<hs::Half>("h")(0, 1) == hs::Half{0xC000});
  CHECK(good.view<std::int32_t>("i")(0, 2) == 70000);
  CHECK_FALSE(good.is_viewable<double>("w"));
  check_io_error([&] { static_cast<void>(good.view<hs::BFloat16>("h")); }, IoErrorCode::type,
                 {"tensor \"h\" has dtype F16, expected BF16"});
  check_io_error([&] { static_cast<void>(good.is_viewable<float>("x")); }, IoErrorCode::not_found);

  const auto odd = place(sample_file(" "));
  CHECK_FALSE(odd.is_viewable<float>("w"));
  CHECK(odd.is_viewable<std::uint8_t>("u"));
  CHECK(odd.is_viewable<std::int64_t>("none"));  // nothing is read
  check_io_error([&] { static_cast<void>(odd.view<float>("w")); }, IoErrorCode::misaligned,
                 {"tensor \"w\" of F32 begins at byte ", "not a multiple of 4"});
}

TEST_CASE("safetensors: a wrong shape is explained") {
  const std::string header =
      R"({"blocks.3.attn.qkv.weight":{"dtype":"U8","shape":[1152,380],"data_offsets":[0,437760]}})";
  const std::string bytes = raw_safetensors(header, std::string(437760, 'x'));
  const auto file = hs::SafetensorsFile::from_memory(bytes_of(bytes), "deit_small.safetensors");
  CHECK_NOTHROW(file.require_shape("blocks.3.attn.qkv.weight", {1152, 380}, "dim"));
  check_io_error(
      [&] {
        file.require_shape("blocks.3.attn.qkv.weight", {1152, 384}, "dim");
      },
      IoErrorCode::shape,
      {"halfstep: deit_small.safetensors: tensor \"blocks.3.attn.qkv.weight\" has shape [1152, 380], expected "
       "[1152, 384] from dim"});
  check_io_error(
      [&] {
        file.require_shape("blocks.3.attn.qkv.weight", {1152, 380, 1}, "dim");
      },
      IoErrorCode::shape, {"expected [1152, 380, 1]"});
  check_io_error([&] { file.require_shape("blocks.3", {}, "dim"); }, IoErrorCode::not_found);
}

TEST_CASE("safetensors: case 49, values that are not finite") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::string bytes = raw_safetensors(R"({"w":{"dtype":"F32","shape":[3,2],"data_offsets":[0,24]}})",
                                            stored<float>({1, 2, 3, nan, 5, HUGE_VALF}));
  const auto file = open(bytes);
  check_io_error([&] { static_cast<void>(file.matrix("w")); }, IoErrorCode::value,
                 {"m.safetensors: tensor \"w\" is not finite: row 1, column 1 is nan (2 of 6 values, in 2 of 3 rows)"});
  const auto kept = file.matrix("w", hs::NonFinite::skip_rows);
  CHECK(kept.rows == 1);
  CHECK(kept.values == std::vector<float>{1, 2});
  CHECK(kept.non_finite.count == 2);
  CHECK(file.matrix("w", hs::NonFinite::zero).values == std::vector<float>{1, 2, 3, 0, 5, 0});
  CHECK(std::isinf(file.matrix("w", hs::NonFinite::keep).values[5]));
}

TEST_CASE("safetensors: moving an open file keeps its views") {
  const TemporaryDirectory directory;
  const std::string path = directory.write("a.safetensors", sample_file());
  for (const auto access : {hs::FileAccess::map, hs::FileAccess::read}) {
    auto first = hs::SafetensorsFile::open(path, {.access = access});
    const auto view = first.view<float>("w");
    const auto second = std::move(first);
    CHECK(second.view<float>("w").data == view.data);
    CHECK(view(1, 2) == 6);
    CHECK(second.tensor("i").shape == std::vector<hs::Index>{3});
  }
}

TEST_CASE("safetensors: case 53, a file that shrinks after it was read") {
  const TemporaryDirectory directory;
  const std::string path = directory.write("a.safetensors", sample_file());
  const auto file = hs::SafetensorsFile::open(path, {.access = hs::FileAccess::read});
  std::filesystem::resize_file(path, 40);
  CHECK(file.matrix("w").values == std::vector<float>{1, 2, 3, -4, 5, 6});
  check_io_error([&] { static_cast<void>(hs::SafetensorsFile::open(path)); }, IoErrorCode::truncated, {path});
}

TEST_CASE("safetensors: files that cannot be opened are named") {
  const TemporaryDirectory directory;
  const std::string missing = directory.file("missing.safetensors");
  check_io_error([&] { static_cast<void>(hs::SafetensorsFile::open(missing)); }, IoErrorCode::not_found, {missing});
  check_io_error([&] { static_cast<void>(hs::SafetensorsFile::open(directory.path())); }, IoErrorCode::io);
  const std::string empty = directory.write("empty.safetensors", "");
  check_io_error([&] { static_cast<void>(hs::SafetensorsFile::open(empty)); }, IoErrorCode::truncated,
                 {empty, "file has 0 bytes"});
}

TEST_CASE("safetensors: options reach the header") {
  const std::string text = raw_safetensors(" {}");
  const TemporaryDirectory directory;
  const std::string path = directory.write("a.safetensors", text);
  CHECK(hs::SafetensorsFile::open(path).tensors().empty());
  check_io_error(
      [&] { static_cast<void>(hs::SafetensorsFile::open(path, {.header = {.rules = hs::HeaderRules::published}})); },
      IoErrorCode::syntax);
}

TEST_CASE("safetensors: every truncated prefix of a valid file is an error") {
  const std::string bytes = sample_file();
  REQUIRE_NOTHROW(open(bytes));
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    CAPTURE(length);
    const std::string prefix = bytes.substr(0, length);
    CHECK(raised_io_error([&] { static_cast<void>(open(prefix)); }));
  }
  CHECK(raised_io_error([&] { static_cast<void>(open(bytes + 'x')); }));
}

TEST_CASE("safetensors: 20 000 files with one changed byte are read or refused") {
  const std::string valid = sample_file();
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  int read = 0, refused = 0;
  for (int trial = 0; trial < 20000; ++trial) {
    std::string bytes = valid;
    char& target = bytes[random() % bytes.size()];
    const char before = target;
    while (target == before) target = static_cast<char>(static_cast<unsigned char>(random() & 255u));
    // An exact copy on the heap, so that a sanitizer sees every read beyond it.
    const std::vector<char> copy(bytes.begin(), bytes.end());
    const auto raised = raised_io_error([&] {
      read_all(hs::SafetensorsFile::from_memory(bytes_of({copy.data(), copy.size()}), "m"));
      ++read;
    });
    if (raised) ++refused;
  }
  CHECK(read + refused == 20000);  // anything but an IoError would have left the loop
  CHECK(read > 0);                 // changed data is still a valid file
  CHECK(refused > 0);
}

TEST_CASE("safetensors: hostile headers ask for no memory") {
  const std::string long_string(50'000'000, 'a');
  const std::vector<std::string> files{
      raw_safetensors("{\"" + long_string + "\":{}}"),
      raw_safetensors("{\"__metadata__\":{\"k\":\"" + long_string + "\"}}"),
      raw_safetensors("{\"t\":{\"shape\":[" + std::string(50'000'000, '9') + "]}}"),
      raw_safetensors("{\"t\":" + std::string(10'000'000, '[')),
      raw_safetensors(R"({"t":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}})"),
      raw_safetensors(R"({"t":{"dtype":"F32","shape":[8589934592,8589934592],"data_offsets":[0,0]}})"),
      halfstep_tests::little_endian(99'999'999) + "{}",
  };
  for (const std::string& bytes : files) {
    halfstep_tests::set_allocation_limit(std::size_t{1} << 20);
    const auto raised = raised_io_error([&] { static_cast<void>(open(bytes)); });
    halfstep_tests::set_allocation_limit(SIZE_MAX);
    CHECK(raised);
  }
}

TEST_CASE("safetensors: a header of very many tensors needs no allocation beyond its size and 64 MiB") {
  // As many tensors and metadata entries as 40 MB of header can hold.
  std::string header = R"({"__metadata__":{"a":"b")";
  for (int i = 0; i < 200'000; ++i) header += hs::concat(",\"", i, "\":\"\"");
  header += '}';
  for (int i = 0; header.size() < 40'000'000; ++i) {
    header += hs::concat(",\"", i, R"(":{"dtype":"U8","shape":[0,1,1,1,1,1],"data_offsets":[0,0]})");
  }
  const std::string bytes = raw_safetensors(header + "}");
  std::size_t tensors = 0;
  halfstep_tests::set_allocation_limit(std::size_t{64} << 20);
  const auto raised = raised_io_error([&] { tensors = open(bytes).tensors().size(); });
  halfstep_tests::set_allocation_limit(SIZE_MAX);
  CHECK_FALSE(raised);
  CHECK(tensors > 500'000);
}
