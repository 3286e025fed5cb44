#include "halfstep/report/text_file.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

using halfstep::report::write_text_file;
using halfstep_test::TemporaryDirectory;

TEST_CASE("text_file: writes, replaces, and leaves nothing beside", "[report]") {
  const TemporaryDirectory folder;
  const std::string path = folder.file("report.html");
  write_text_file(path, "first\n");
  CHECK(folder.read("report.html") == "first\n");
  const std::string large(3'000'000, 'x');
  write_text_file(path, large);
  CHECK(folder.read("report.html") == large);
  write_text_file(path, "");
  CHECK(folder.read("report.html").empty());
  CHECK(folder.names() == std::vector<std::string>{"report.html"});
}

TEST_CASE("text_file: bytes are written as they are", "[report]") {
  const TemporaryDirectory folder;
  const std::string content("a\r\nb\0c", 6);
  write_text_file(folder.file("x"), content);
  CHECK(folder.read("x") == content);
}

TEST_CASE("text_file: what another run left behind is not touched", "[report]") {
  const TemporaryDirectory folder;
  folder.write("x.partial0", "of another run");
  write_text_file(folder.file("x"), "mine");
  CHECK(folder.read("x") == "mine");
  CHECK(folder.read("x.partial0") == "of another run");
}

TEST_CASE("text_file: a path that cannot be written is named with the reason", "[report]") {
  const TemporaryDirectory folder;
  CHECK_RAISES(write_text_file("", "x"), "path is empty");
  CHECK_RAISES(write_text_file(folder.path(), "x"), "it is a folder");
  const std::string missing = folder.file("missing/report.html");
  CHECK_RAISES(write_text_file(missing, "x"),
               "cannot write \"" + missing + "\": there is no folder \"" + folder.file("missing"));
  folder.write("file", "old");
  CHECK_RAISES(write_text_file(folder.path() / "file" / "report.html", "x"), "there is no folder");
  CHECK_RAISES(write_text_file(folder.file(std::string(300, 'n')), "x"), "File name too long");
  CHECK(folder.names() == std::vector<std::string>{"file"});
  CHECK(folder.read("file") == "old");
}
