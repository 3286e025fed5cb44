#include "halfstep/report/terminal.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>

#include "support/catch.hpp"

using namespace halfstep::report;

#if defined(_POSIX_VERSION)
namespace {

/// An environment variable for the length of a scope.
class Variable {
 public:
  Variable(const char* name, const char* value)
      : name_(name), set_(std::getenv(name) != nullptr), old_(environment(name)) {
    value == nullptr ? unsetenv(name) : setenv(name, value, 1);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() { set_ ? setenv(name_, old_.c_str(), 1) : unsetenv(name_); }

 private:
  const char* name_;
  bool set_;
  std::string old_;
};

}  // namespace

TEST_CASE("terminal: the first locale variable that is set decides", "[report]") {
  const Variable lang("LANG", "de_DE.UTF-8"), type("LC_CTYPE", nullptr), all("LC_ALL", nullptr);
  CHECK(locale_is_utf8());
  {
    const Variable c("LC_ALL", "C");
    CHECK_FALSE(locale_is_utf8());
  }
  {
    const Variable utf8("LC_CTYPE", "C.utf8");
    CHECK(locale_is_utf8());
  }
  const Variable none("LANG", nullptr);
  CHECK_FALSE(locale_is_utf8());
}

TEST_CASE("terminal: an unset variable is empty", "[report]") {
  const Variable unset("HALFSTEP_TEST_VARIABLE", nullptr);
  CHECK(environment("HALFSTEP_TEST_VARIABLE").empty());
  const Variable set("HALFSTEP_TEST_VARIABLE", "x");
  CHECK(environment("HALFSTEP_TEST_VARIABLE") == "x");
}
#endif

TEST_CASE("terminal: a file is none, and has 80 columns", "[report]") {
  std::FILE* file = std::tmpfile();
  REQUIRE(file != nullptr);
  CHECK_FALSE(is_terminal(file));
  CHECK(terminal_columns(file) == 80);
  std::fclose(file);
}
