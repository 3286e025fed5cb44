// Tests of tests/support/golden.hpp, name_pattern.hpp and models.hpp: a check that cannot fail checks nothing.

#include "halfstep/io/safetensors_writer.hpp"
#include "support/catch.hpp"
#include "support/golden.hpp"
#include "support/models.hpp"
#include "support/temporary_directory.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace hs = halfstep;
using halfstep_tests::Golden;
using halfstep_tests::GoldenError;
using halfstep_tests::match_name;
using halfstep_tests::Star;
using halfstep_tests::TemporaryDirectory;
using Parts = std::vector<std::string>;

/// The message of the GoldenError that `call` throws; empty if it throws none.
template <class Call>
std::string complaint(Call&& call) {
  try {
    call();
  } catch (const GoldenError& error) {
    return error.what();
  }
  return "";
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

void write_sample(const TemporaryDirectory& directory) {
  const std::vector<float> x{1, 2, 3, 4, 5, 6};
  const std::vector<double> d{0.1};
  const std::vector<std::int32_t> codes{-1, 300};
  hs::SafetensorsWriter writer(directory.file("sample.safetensors"), {.metadata = {{"method", "m"}}});
  for (const char* name : {"a.b2.x", "a.b10.x", "a.b2.c0.x", "other"}) writer.declare(name, hs::DType::F32, {2, 3});
  writer.declare("a.b2.scale", hs::DType::F64, {1});
  writer.declare("a.b2.codes", hs::DType::I32, {2});
  for (const char* name : {"a.b2.x", "a.b10.x", "a.b2.c0.x", "other"}) {
    writer.append(name, std::as_bytes(std::span(x)));
  }
  writer.append("a.b2.scale", std::as_bytes(std::span(d)));
  writer.append("a.b2.codes", std::as_bytes(std::span(codes)));
  writer.finish();
}

/// Sets an environment variable, or removes it for null, as long as this object lives.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    set(value);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() { set(old_ ? old_->c_str() : nullptr); }

 private:
  void set(const char* value) const {
    if (value != nullptr)
      ::setenv(name_, value, 1);
    else
      ::unsetenv(name_);
  }
  const char* name_;
  std::optional<std::string> old_;
};

}  // namespace

TEST_CASE("golden_support: a star is a part of one component, or anything") {
  CHECK(match_name("a.b*.x", "a.b2.x", Star::part) == Parts{"2"});
  CHECK(match_name("a.b*.x", "a.b12.x", Star::part) == Parts{"12"});
  CHECK_FALSE(match_name("a.b*.x", "a.b.x", Star::part));
  CHECK_FALSE(match_name("a.b*.x", "a.b2.c0.x", Star::part));
  CHECK_FALSE(match_name("a.b*.x", "a.b2.xx", Star::part));
  CHECK_FALSE(match_name("a.b*.x", "za.b2.x", Star::part));
  CHECK(match_name("c*.g*.par", "c0.g11.par", Star::part) == Parts{"0", "11"});
  CHECK(match_name("*", "abc", Star::part) == Parts{"abc"});
  CHECK(match_name("*_*", "a_b_c", Star::part) == Parts{"a", "b_c"});
  CHECK(match_name("plain", "plain", Star::part) == Parts{});
  CHECK(match_name("a.*", "a.b2.c0.x", Star::anything) == Parts{"b2.c0.x"});
  CHECK(match_name("a*x", "ax", Star::anything) == Parts{""});
  CHECK_FALSE(match_name("a.*", "b.a.x", Star::anything));
}

TEST_CASE("golden_support: numbers in names are ordered as numbers") {
  CHECK(halfstep_tests::natural_less("b2", "b10"));
  CHECK_FALSE(halfstep_tests::natural_less("b10", "b2"));
  CHECK(halfstep_tests::natural_less("b2.c10", "b10.c2"));
  CHECK(halfstep_tests::natural_less("a", "a1"));
  CHECK(halfstep_tests::natural_less("a1", "ab"));
  CHECK_FALSE(halfstep_tests::natural_less("a01", "a1"));
  CHECK_FALSE(halfstep_tests::natural_less("a1", "a01"));
}

TEST_CASE("golden_support: values, shapes and cases") {
  const TemporaryDirectory directory;
  write_sample(directory);
  const Golden g("sample", directory.path());
  CHECK(g.contains("other"));
  CHECK_FALSE(g.contains("x"));
  CHECK(g.metadata().at("method") == "m");
  CHECK(g.shape("other") == std::vector<hs::Index>{2, 3});
  CHECK(g.values<float>("other") == std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK(g.values<double>("other")[5] == 6.0);
  CHECK(g.matrix("other").rows == 2);
  CHECK(g.scalar<double>("a.b2.scale") == 0.1);
  CHECK(g.values<std::int64_t>("a.b2.codes") == std::vector<std::int64_t>{-1, 300});
  CHECK(
      contains(complaint([&] { static_cast<void>(g.values<float>("a.b2.scale")); }), "a.b2.scale is F64, read as F32"));
  CHECK(
      contains(complaint([&] { static_cast<void>(g.scalar<float>("other")); }), "other has 6 elements, expected one"));
  CHECK_RAISES(g.values<std::uint8_t>("a.b2.codes"), "[E_RANGE]");
  CHECK_RAISES(g.values<float>("missing"), "[E_NOT_FOUND]");

  const auto cases = g.cases("a.b*.x");
  REQUIRE(cases.size() == 2);
  CHECK(cases[0].number() == 2);
  CHECK(cases[0].name == "a.b2.x");
  CHECK(cases[0].prefix == "a.b2.");
  CHECK(cases[1].parts == Parts{"10"});
  CHECK(contains(complaint([&] { static_cast<void>(g.cases("a.q*.x")); }), "no tensor matches \"a.q*.x\""));
}

TEST_CASE("golden_support: a missing file is a failure that says where it was looked for") {
  const TemporaryDirectory directory;
  CHECK(contains(complaint([&] { Golden("absent", directory.path()); }), directory.file("absent.safetensors")));
  const Environment environment("HALFSTEP_GOLDEN_DIR", "/nonexistent/golden");
  CHECK(contains(complaint([&] { Golden("absent"); }), "/nonexistent/golden/absent.safetensors"));
}

TEST_CASE("golden_support: what was not read is listed, across objects for one file") {
  const TemporaryDirectory directory;
  write_sample(directory);
  {
    const Golden first("sample", directory.path());
    static_cast<void>(first.values<float>("a.b2.x"));
    static_cast<void>(first.scalar<double>("a.b2.scale"));
    static_cast<void>(first.cases("a.b*.x"));  // names alone consume nothing
    static_cast<void>(first.shape("other"));
  }
  const Golden g("sample", directory.path());
  CHECK(complaint([&] { g.require_consumed("a.b2.*e"); }).empty());
  const std::string part = complaint([&] { g.require_consumed("a.*"); });
  CHECK(contains(part, "\n  a.b2.c0.x\n  a.b2.codes\n  a.b10.x"));
  CHECK_FALSE(contains(part, "a.b2.x"));
  CHECK_FALSE(contains(part, "other"));
  CHECK(contains(complaint([&] { g.require_consumed("q.*"); }), "no tensor matches"));

  CHECK(contains(complaint([&] { g.require_all_consumed({{"a.*", "elsewhere"}}); }), "has read:\n  other"));
  CHECK(complaint([&] { g.require_all_consumed({{"a.*", "elsewhere"}, {"other", "not needed"}}); }).empty());
  CHECK(contains(complaint([&] { g.require_all_consumed({{"*", ""}}); }), "has no reason"));
  CHECK(contains(complaint([&] { g.require_all_consumed({{"q", "r"}}); }), "no tensor matches \"q\""));
  static_cast<void>(g.values<float>("other"));
  CHECK(contains(complaint([&] {
                   g.require_all_consumed({{"a.*", "elsewhere"}, {"other", "r"}});
                 }),
                 "the exception \"other\" is not needed"));
  for (const char* name : {"a.b10.x", "a.b2.c0.x"}) static_cast<void>(g.values<float>(name));
  static_cast<void>(g.values<std::int32_t>("a.b2.codes"));
  CHECK(complaint([&] { g.require_all_consumed(); }).empty());
}

TEST_CASE("golden_support: models are found, skipped or missed") {
  const TemporaryDirectory directory;
  directory.write("m.safetensors", "x");
  {
    const Environment environment("HALFSTEP_MODELS_DIR", directory.path().c_str());
    CHECK(halfstep_tests::find_model("m.safetensors") == directory.path() / "m.safetensors");
    CHECK_THROWS_WITH(halfstep_tests::find_model("n.safetensors"),
                      "HALFSTEP_MODELS_DIR is set, but there is no " + directory.file("n.safetensors"));
  }
  const Environment environment("HALFSTEP_MODELS_DIR", nullptr);
  CHECK_FALSE(halfstep_tests::find_model("absent.safetensors"));
}
