#include "halfstep/io/safetensors_header.hpp"

#include "io/io_checks.hpp"
#include "support/catch.hpp"

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace hs = halfstep;
using halfstep_tests::bytes_of;
using halfstep_tests::check_io_error;
using halfstep_tests::from_hex;
using halfstep_tests::little_endian;
using halfstep_tests::raw_safetensors;
using hs::IoErrorCode;
using Sizes = std::vector<hs::Index>;

hs::SafetensorsHeader parse(std::string_view file, const hs::HeaderOptions& options = {}) {
  return hs::parse_safetensors_header(bytes_of(file), "model.safetensors", options);
}

void refuse(std::string_view file, IoErrorCode code, std::initializer_list<std::string_view> parts = {},
            const hs::HeaderOptions& options = {}) {
  check_io_error([&] { static_cast<void>(parse(file, options)); }, code, parts);
}

/// A file whose header is `{"t": <fields>}`, with `data` bytes of data.
std::string one_tensor(std::string_view fields, std::size_t data = 8) {
  return raw_safetensors(std::string("{\"t\":") + std::string(fields) + "}", std::string(data, 'x'));
}

/// The fields of a tensor.
std::string fields(std::string_view dtype, std::string_view shape, std::string_view offsets) {
  return hs::concat(R"({"dtype":")", dtype, R"(","shape":)", shape, R"(,"data_offsets":)", offsets, "}");
}

constexpr std::string_view golden_hex =
    "38000000000000007b2274223a7b226474797065223a22463332222c227368617065223a5b325d2c22646174615f6f666673657473223a5b30"
    "2c385d7d7d20200000803f000000c0";

}  // namespace

TEST_CASE("safetensors_header: the golden file") {
  const std::string file = from_hex(golden_hex);
  REQUIRE(file.size() == 72);
  const hs::SafetensorsHeader header = parse(file);
  CHECK(header.metadata.empty());
  CHECK(header.data_begin == 64);
  REQUIRE(header.tensors.size() == 1);
  const hs::TensorInfo& tensor = header.tensors[0];
  CHECK(tensor.name == "t");
  CHECK(tensor.dtype == hs::DType::F32);
  CHECK(tensor.shape == Sizes{2});
  CHECK(tensor.begin == 0);
  CHECK(tensor.end == 8);
}

TEST_CASE("safetensors_header: case 1, a file of less than 8 bytes") {
  for (std::size_t size = 0; size < 8; ++size) {
    refuse(std::string(size, 'a'), IoErrorCode::truncated,
           {hs::concat("model.safetensors: file has ", size, " bytes, header length needs 8")});
  }
}

TEST_CASE("safetensors_header: cases 2 to 4, impossible header lengths") {
  const auto with_length = [](std::uint64_t n) { return little_endian(n) + "{}" + std::string(30, ' '); };
  for (const std::uint64_t n :
       {std::uint64_t{1} << 63, std::uint64_t{100'000'001}, ~std::uint64_t{0} - 7, ~std::uint64_t{0}}) {
    refuse(with_length(n), IoErrorCode::limit, {hs::concat("header length ", n, " exceeds limit 100000000")});
  }
  refuse(with_length(33), IoErrorCode::truncated, {"header length 33 exceeds the 32 bytes that follow"});
  refuse(with_length(100'000'000), IoErrorCode::truncated, {"100000000"});
  CHECK(parse(with_length(32)).tensors.empty());
  refuse(with_length(32), IoErrorCode::limit, {"header length 32 exceeds limit 31"},
         {.limits = {.max_header_bytes = 31}});
}

TEST_CASE("safetensors_header: case 5, not UTF-8, not JSON, not an object") {
  refuse(raw_safetensors("{\"a\xFF\":1}"), IoErrorCode::syntax, {"not UTF-8 at byte 11"});
  refuse(raw_safetensors("{\"a\":}"), IoErrorCode::syntax, {"malformed JSON at byte 13"});
  refuse(raw_safetensors("{"), IoErrorCode::syntax, {"at byte 9"});
  refuse(raw_safetensors("{'a':1}"), IoErrorCode::syntax, {"at byte 9"});
  refuse(raw_safetensors("{\"a\n\":1}"), IoErrorCode::syntax);      // a raw control character
  refuse(raw_safetensors("{\"\\ud800\":1}"), IoErrorCode::syntax);  // half of a surrogate pair
  refuse(raw_safetensors("[]"), IoErrorCode::syntax, {"begins with \"[\" at byte 8, expected {"});
  refuse(raw_safetensors("null"), IoErrorCode::syntax, {"begins with \"n\" at byte 8"});
  refuse(raw_safetensors("\xEF\xBB\xBF{}"), IoErrorCode::syntax, {"at byte 8"});  // a byte-order mark
  refuse(raw_safetensors(""), IoErrorCode::syntax, {"header is empty"});
  refuse(raw_safetensors("   "), IoErrorCode::syntax, {"header is empty"});
}

TEST_CASE("safetensors_header: case 6, something after the object") {
  refuse(raw_safetensors("{}x"), IoErrorCode::syntax, {"at byte 10"});
  refuse(raw_safetensors("{} {}"), IoErrorCode::syntax, {"at byte 11"});
  refuse(raw_safetensors(std::string_view("{}\0", 3)), IoErrorCode::syntax, {"zero byte", "at byte 10"});
  refuse(raw_safetensors(std::string_view("{}\0garbage", 10)), IoErrorCode::syntax, {"zero byte"});
  CHECK(parse(raw_safetensors("{} \t\r\n  ")).tensors.empty());
}

TEST_CASE("safetensors_header: white space before the object is a matter of the rules") {
  const std::string file = raw_safetensors(" \t\r\n{}");
  CHECK(parse(file).tensors.empty());
  refuse(file, IoErrorCode::syntax, {"begins with \" \" at byte 8"}, {.rules = hs::HeaderRules::published});
  CHECK(parse(raw_safetensors("{}"), {.rules = hs::HeaderRules::published}).tensors.empty());
  refuse(raw_safetensors("\f{}"), IoErrorCode::syntax);  // a form feed is no JSON white space
}

TEST_CASE("safetensors_header: case 7, duplicate keys are named") {
  const std::string t = fields("F32", "[2]", "[0,8]"), u = fields("F32", "[1]", "[8,12]");
  refuse(raw_safetensors("{\"t\":" + t + ",\"u\":" + u + ",\"t\":" + u + "}", std::string(12, 'x')),
         IoErrorCode::duplicate, {"tensor \"t\" appears twice"});
  // The same name, once escaped.
  refuse(raw_safetensors("{\"t\":" + t + ",\"\\u0074\":" + u + "}", std::string(12, 'x')), IoErrorCode::duplicate,
         {"tensor \"t\" appears twice"});
  refuse(one_tensor(R"({"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]})"), IoErrorCode::duplicate,
         {"tensor \"t\" has the field \"dtype\" twice"});
  refuse(one_tensor(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8],"shape":[2]})"), IoErrorCode::duplicate,
         {"\"shape\" twice"});
}

TEST_CASE("safetensors_header: case 8, metadata") {
  refuse(raw_safetensors(R"({"__metadata__":{},"__metadata__":{}})"), IoErrorCode::duplicate,
         {"__metadata__ appears twice"});
  refuse(raw_safetensors(R"({"__metadata__":{"k":"a","k":"b"}})"), IoErrorCode::duplicate, {"key \"k\" twice"});
  for (const char* value : {"1", "-1", "1.5", "true", "null", "{}", "[\"x\"]"}) {
    refuse(raw_safetensors(hs::concat(R"({"__metadata__":{"k":)", value, "}}")), IoErrorCode::type,
           {"__metadata__ entry \"k\"", "expected a string"});
  }
  for (const char* value : {"null", "\"x\"", "[]", "3"}) {
    refuse(raw_safetensors(hs::concat(R"({"__metadata__":)", value, "}")), IoErrorCode::type,
           {"\"__metadata__\" has ", "expected an object"});
  }
  const auto header = parse(raw_safetensors(R"({"__metadata__":{"b":"2","a":"\u00e9\n"}})"));
  CHECK(header.metadata == hs::Metadata{{"a", "\xC3\xA9\n"}, {"b", "2"}});
  refuse(raw_safetensors(R"({"__metadata__":{"a":"","b":"","c":""}})"), IoErrorCode::limit,
         {"__metadata__ has more than 2 entries"}, {.limits = {.max_metadata_entries = 2}});
}

TEST_CASE("safetensors_header: case 9, an unknown dtype") {
  refuse(one_tensor(fields("F31", "[2]", "[0,8]")), IoErrorCode::unsupported, {"tensor \"t\"", "dtype \"F31\""});
  refuse(one_tensor(R"({"dtype":7,"shape":[2],"data_offsets":[0,8]})"), IoErrorCode::type,
         {"tensor \"t\": dtype has 7, expected a string"});
  refuse(one_tensor(R"({"dtype":["F32"],"shape":[2],"data_offsets":[0,8]})"), IoErrorCode::type,
         {"tensor \"t\": dtype has an array"});
}

TEST_CASE("safetensors_header: case 10, what is no size") {
  for (const char* size : {"-1", "-0", "1.5", "1e3", "2.0", "18446744073709551616", "9223372036854775808", "\"2\"",
                           "null", "true", "[2]", "{}"}) {
    refuse(one_tensor(fields("F32", hs::concat("[", size, "]"), "[0,8]")), IoErrorCode::type,
           {"tensor \"t\": shape has ", "expected integers"});
    refuse(one_tensor(fields("F32", "[2]", hs::concat("[0,", size, "]"))), IoErrorCode::type,
           {"tensor \"t\": data_offsets has ", "expected integers"});
  }
  refuse(one_tensor(fields("F32", "[-1]", "[0,8]")), IoErrorCode::type, {"shape has -1"});
  refuse(one_tensor(fields("F32", "[1e3]", "[0,8]")), IoErrorCode::type, {"shape has 1e3"});
  refuse(one_tensor(fields("F32", "[18446744073709551616]", "[0,8]")), IoErrorCode::type, {"18446744073709551616"});
  refuse(one_tensor(fields("F32", "[1e400]", "[0,8]")), IoErrorCode::type, {"1e400"});
  refuse(one_tensor(fields("F32", "[" + std::string(400, '9') + "]", "[0,8]")), IoErrorCode::type);
  refuse(one_tensor(fields("F32", "[" + std::string(40, '9') + "]", "[0,8]")), IoErrorCode::type);
  refuse(one_tensor(fields("F32", "[02]", "[0,8]")), IoErrorCode::syntax);
  refuse(one_tensor(fields("F32", "[+2]", "[0,8]")), IoErrorCode::syntax);
  for (const char* shape : {"2", "\"2\"", "{}", "null"}) {
    refuse(one_tensor(fields("F32", shape, "[0,8]")), IoErrorCode::type,
           {"tensor \"t\": shape has ", "expected an array"});
  }
}

TEST_CASE("safetensors_header: case 11, sizes that overflow") {
  const std::vector<std::string> shapes{"[8589934592,8589934592]", "[4294967296,4294967296]", "[9223372036854775807]",
                                        "[9223372036854775807,2,0]", "[4611686018427387904]"};
  for (const std::string& shape : shapes) {
    for (const char* offsets : {"[0,0]", "[0,8]"}) {
      refuse(one_tensor(fields("F64", shape, offsets)), IoErrorCode::overflow,
             {"tensor \"t\" of F64", hs::concat(shape.substr(0, 10)), "2^63"});
    }
  }
  refuse(one_tensor(fields("F4", "[4294967296,4294967296]", "[0,0]")), IoErrorCode::overflow);
}

TEST_CASE("safetensors_header: case 12, offsets") {
  refuse(one_tensor(fields("F32", "[2]", "[8,0]")), IoErrorCode::range, {"tensor \"t\" has data_offsets [8, 0]"});
  refuse(one_tensor(fields("F32", "[2]", "[0,8,8]")), IoErrorCode::range,
         {"tensor \"t\": data_offsets has more than two"});
  refuse(one_tensor(fields("F32", "[2]", "[0]")), IoErrorCode::range, {"data_offsets has 1 entries, expected two"});
  refuse(one_tensor(fields("F32", "[2]", "[]")), IoErrorCode::range, {"data_offsets has 0 entries"});
  refuse(one_tensor(fields("F32", "[2]", "[0,8]"), 7), IoErrorCode::range, {"data_offsets [0, 8]", "<= 7"});
  refuse(one_tensor(fields("F32", "[2]", "[9223372036854775800,9223372036854775807]")), IoErrorCode::range,
         {"9223372036854775807"});
}

TEST_CASE("safetensors_header: case 13, size and shape contradict each other") {
  refuse(one_tensor(fields("F32", "[3]", "[0,8]")), IoErrorCode::mismatch,
         {"tensor \"t\" of F32 has shape [3], which takes 12 bytes", "[0, 8] hold 8"});
  refuse(one_tensor(fields("F32", "[0]", "[0,8]")), IoErrorCode::mismatch, {"takes 0 bytes"});
  refuse(one_tensor(fields("F32", "[]", "[0,8]")), IoErrorCode::mismatch, {"shape [], which takes 4 bytes"});
}

TEST_CASE("safetensors_header: case 14, overlap, hole, first tensor not at 0") {
  const auto two = [](std::string_view a, std::string_view b, std::size_t data) {
    return raw_safetensors(hs::concat("{\"a\":", fields("U8", "[4]", a), ",\"b\":", fields("U8", "[4]", b), "}"),
                           std::string(data, 'x'));
  };
  refuse(two("[0,4]", "[3,7]", 7), IoErrorCode::layout,
         {"tensor \"b\" begins at data offset 3 but tensor \"a\" ends at 4", "overlap"});
  refuse(two("[5,9]", "[0,4]", 9), IoErrorCode::layout,
         {"tensor \"a\" begins at data offset 5 but tensor \"b\" ends at 4", "hole"});
  refuse(two("[0,4]", "[0,4]", 4), IoErrorCode::layout, {"\"a\"", "\"b\"", "overlap"});
  refuse(two("[1,5]", "[5,9]", 9), IoErrorCode::layout,
         {"tensor \"a\" begins at data offset 1 but the data section begins at 0", "hole"});
  CHECK(parse(two("[4,8]", "[0,4]", 8)).tensors.size() == 2);
}

TEST_CASE("safetensors_header: case 15, bytes after the last tensor") {
  refuse(one_tensor(fields("F32", "[2]", "[0,8]"), 9), IoErrorCode::layout,
         {"file not fully covered", "\"t\"", "take 8 bytes, the data section has 9"});
  refuse(raw_safetensors("{}", "x"), IoErrorCode::layout, {"file not fully covered", "take 0 bytes", "has 1"});
}

TEST_CASE("safetensors_header: case 16, half bytes") {
  refuse(one_tensor(fields("F4", "[3]", "[0,2]"), 2), IoErrorCode::misaligned, {"tensor \"t\" of F4", "12 bits"});
  refuse(one_tensor(fields("F6_E2M3", "[3]", "[0,3]"), 3), IoErrorCode::misaligned, {"18 bits"});
  CHECK(parse(one_tensor(fields("F4", "[4]", "[0,2]"), 2)).tensors[0].end == 2);
  CHECK(parse(one_tensor(fields("F6_E3M2", "[2,2]", "[0,3]"), 3)).tensors[0].end == 3);
}

TEST_CASE("safetensors_header: case 17, nesting and long strings") {
  refuse(raw_safetensors("{\"t\":" + std::string(10000, '[')), IoErrorCode::limit,
         {"nests deeper than 4 levels", "byte 16"});
  refuse(raw_safetensors("{\"t\":" + std::string(10000, '[') + std::string(10000, ']') + "}"), IoErrorCode::limit);
  const std::string nested(9999, '[');
  refuse(one_tensor("{\"x\":" + nested + "1"), IoErrorCode::limit);
  const std::string huge(50'000'000, 'a');
  refuse(raw_safetensors("{\"" + huge + "\":{}}"), IoErrorCode::limit, {"string of 50000000 bytes"});
  refuse(raw_safetensors("{\"__metadata__\":{\"k\":\"" + huge + "\"}}"), IoErrorCode::limit,
         {"string of 50000000 bytes"});
  refuse(raw_safetensors("{\"t\":{\"dtype\":\"" + huge), IoErrorCode::limit, {"string of 50000000 bytes"});
  refuse(one_tensor(fields("F32", "[" + std::string(50'000'000, '1') + "]", "[0,8]")), IoErrorCode::limit,
         {"number of 50000000 bytes"});
}

TEST_CASE("safetensors_header: limits of names, rank and count") {
  const auto named = [](std::size_t length) {
    return raw_safetensors("{\"" + std::string(length, 'a') + "\":" + fields("U8", "[]", "[0,1]") + "}", "x");
  };
  CHECK(parse(named(65536)).tensors[0].name.size() == 65536);
  refuse(named(65537), IoErrorCode::limit, {"tensor name", "(65537 bytes)", "limit of 65536 bytes"});
  refuse(raw_safetensors("{\"__metadata__\":{\"" + std::string(65537, 'a') + "\":\"\"}}"), IoErrorCode::limit,
         {"__metadata__ key"});
  const auto ranked = [](std::size_t rank) {
    std::string shape = "[1";
    for (std::size_t i = 1; i < rank; ++i) shape += ",1";
    return one_tensor(fields("U8", shape + "]", "[0,1]"), 1);
  };
  CHECK(parse(ranked(64)).tensors[0].shape.size() == 64);
  refuse(ranked(65), IoErrorCode::limit, {"tensor \"t\": shape has more than 64 dimensions"});
  std::string many = "{";
  for (int i = 0; i < 3; ++i) many += hs::concat(i > 0 ? "," : "", "\"", i, "\":", fields("U8", "[0]", "[0,0]"));
  CHECK(parse(raw_safetensors(many + "}")).tensors.size() == 3);
  refuse(raw_safetensors(many + "}"), IoErrorCode::limit, {"more than 2 tensors"}, {.limits = {.max_tensors = 2}});
}

TEST_CASE("safetensors_header: case 18, a Git LFS pointer") {
  refuse("version https://git-lfs.github.com/spec/v1\noid sha256:0123456789\nsize 123456\n", IoErrorCode::syntax,
         {"this is a Git LFS pointer, not the model"});
}

TEST_CASE("safetensors_header: a missing field and a tensor that is no object") {
  refuse(one_tensor(R"({"shape":[2],"data_offsets":[0,8]})"), IoErrorCode::not_found, {"tensor \"t\" has no dtype"});
  refuse(one_tensor(R"({"dtype":"F32","data_offsets":[0,8]})"), IoErrorCode::not_found, {"tensor \"t\" has no shape"});
  refuse(one_tensor(R"({"dtype":"F32","shape":[2]})"), IoErrorCode::not_found, {"tensor \"t\" has no data_offsets"});
  for (const char* value : {"null", "1", "\"F32\"", "[]", "false", "-1", "0.5"}) {
    refuse(one_tensor(value), IoErrorCode::type, {"tensor \"t\" has ", "expected an object"});
  }
}

TEST_CASE("safetensors_header: an unknown field is skipped, or refused under the published rules") {
  for (const char* value : {"1", "-1.5", "null", "\"x\"", "[1,[2]]", "{\"dtype\":\"F31\"}", "[{}]"}) {
    const std::string file =
        one_tensor(hs::concat(R"({"new":)", value, R"(,"dtype":"F32","shape":[2],"data_offsets":[0,8]})"));
    const auto header = parse(file);
    REQUIRE(header.tensors.size() == 1);
    CHECK(header.tensors[0].shape == Sizes{2});
    refuse(file, IoErrorCode::syntax, {"tensor \"t\" has the unknown field \"new\""},
           {.rules = hs::HeaderRules::published});
  }
}

TEST_CASE("safetensors_header: rank 0, empty tensors and ties on begin") {
  const auto entry = [](std::string_view name, std::string_view shape, std::string_view offsets) {
    return hs::concat("\"", name, "\":", fields("F32", shape, offsets));
  };
  const std::string file =
      raw_safetensors(hs::concat("{", entry("b", "[2]", "[4,12]"), ",", entry("e1", "[0]", "[4,4]"), ",",
                                 entry("e0", "[3,0,2]", "[4,4]"), ",", entry("s", "[]", "[0,4]"), ",",
                                 entry("end", "[0,9223372036854775807]", "[12,12]"), "}"),
                      std::string(12, 'x'));
  const auto header = parse(file);
  REQUIRE(header.tensors.size() == 5);
  CHECK(header.tensors[0].name == "b");  // the header's order
  CHECK(header.tensors[3].shape.empty());
  CHECK(hs::element_count(header.tensors[3]) == 1);
  CHECK(hs::element_count(header.tensors[2]) == 0);
  // An empty tensor in the middle of another one's data.
  refuse(raw_safetensors(hs::concat("{", entry("b", "[2]", "[0,8]"), ",", entry("e", "[0]", "[4,4]"), "}"),
                         std::string(8, 'x')),
         IoErrorCode::layout, {"tensor \"e\" begins at data offset 4 but tensor \"b\" ends at 8"});
}

TEST_CASE("safetensors_header: hostile names do not reach the message raw") {
  refuse(raw_safetensors("{\"\\u001b[31m\\u0000\":1}"), IoErrorCode::type, {"tensor \"\\x1b[31m\\x00\" has 1"});
}
