// The one main of every test program. A filter that matches no test case is a failure: Catch2 3 says so by itself,
// Catch2 2 must be told.

#include <exception>
#include <iostream>

#include "support/at_end.hpp"

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

int main(int argc, char** argv) {
  Catch::Session session;
#if defined(CATCH_VERSION_MAJOR) && CATCH_VERSION_MAJOR == 2
  auto& data = session.configData();
  data.warnings = static_cast<Catch::WarnAbout::What>(data.warnings | Catch::WarnAbout::NoTests);
#endif
  int result = session.run(argc, argv);
  for (const auto& check : halfstep_tests::checks_at_end()) {
    try {
      check();
    } catch (const std::exception& error) {
      std::cerr << "FAILED at the end: " << error.what() << "\n";
      result = 1;
    }
  }
  return result;
}
