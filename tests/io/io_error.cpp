#include "halfstep/io/io_error.hpp"

#include "io/io_checks.hpp"
#include "support/catch.hpp"

#include <string>
#include <utility>
#include <vector>

namespace {
namespace hs = halfstep;
using halfstep_tests::raised_io_error;
}  // namespace

TEST_CASE("io_error: every code has the name that its enumerator spells") {
  using Code = hs::IoErrorCode;
  const std::vector<std::pair<Code, std::string>> expected{{Code::truncated, "E_TRUNCATED"},
                                                           {Code::limit, "E_LIMIT"},
                                                           {Code::syntax, "E_SYNTAX"},
                                                           {Code::duplicate, "E_DUPLICATE"},
                                                           {Code::type, "E_TYPE"},
                                                           {Code::unsupported, "E_UNSUPPORTED"},
                                                           {Code::overflow, "E_OVERFLOW"},
                                                           {Code::range, "E_RANGE"},
                                                           {Code::mismatch, "E_MISMATCH"},
                                                           {Code::layout, "E_LAYOUT"},
                                                           {Code::misaligned, "E_MISALIGNED"},
                                                           {Code::path, "E_PATH"},
                                                           {Code::not_found, "E_NOT_FOUND"},
                                                           {Code::magic, "E_MAGIC"},
                                                           {Code::version, "E_VERSION"},
                                                           {Code::byte_order, "E_BYTE_ORDER"},
                                                           {Code::shape, "E_SHAPE"},
                                                           {Code::value, "E_VALUE"},
                                                           {Code::not_representable, "E_NOT_REPRESENTABLE"},
                                                           {Code::io, "E_IO"}};
  CHECK(expected.size() == hs::io_error_code_names.size());
  for (const auto& [code, name] : expected) CHECK(hs::to_string(code) == name);
}

TEST_CASE("io_error: the exception is an Error that carries code and file") {
  const auto call = [] { hs::raise_io(hs::IoErrorCode::shape, "a.safetensors", "tensor ", 7, " is bad"); };
  const auto raised = raised_io_error(call);
  REQUIRE(raised);
  CHECK(raised->code == hs::IoErrorCode::shape);
  CHECK(raised->file == "a.safetensors");
  CHECK(raised->message == "halfstep: a.safetensors: tensor 7 is bad [E_SHAPE]");
  CHECK_THROWS_AS(call(), hs::Error);
}

TEST_CASE("io_error: in_quotes keeps hostile names from the terminal") {
  CHECK(hs::in_quotes("a.b") == "\"a.b\"");
  CHECK(hs::in_quotes("") == "\"\"");
  CHECK(hs::in_quotes("say \"x\\y\"") == "\"say \\\"x\\\\y\\\"\"");
  CHECK(hs::in_quotes(std::string("\x1b[2J\0\n\x7f", 7)) == "\"\\x1b[2J\\x00\\x0a\\x7f\"");
  CHECK(hs::in_quotes("\xC3\xA9") == "\"\xC3\xA9\"");
  CHECK(hs::in_quotes(std::string(120, 'a')) == '"' + std::string(120, 'a') + '"');
  CHECK(hs::in_quotes(std::string(65536, 'a')) == '"' + std::string(120, 'a') + "\"... (65536 bytes)");
}
