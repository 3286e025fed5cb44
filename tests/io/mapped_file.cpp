#include "halfstep/io/mapped_file.hpp"

#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <type_traits>
#include <utility>

namespace {

namespace hs = halfstep;
using halfstep_tests::TemporaryDirectory;

std::string text_of(const hs::MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

/// The error that opening `path` raises, or an empty code and message if it raises none.
hs::IoErrorCode code_of(const std::filesystem::path& path, hs::FileAccess access) {
  try {
    static_cast<void>(hs::MappedFile::open(path, access));
  } catch (const hs::IoError& error) {
    CHECK(error.file() == path.string());
    CHECK(std::string(error.what()).find(path.string()) != std::string::npos);
    return error.code();
  }
  FAIL("no error for " << path);
  return {};
}

}  // namespace

static_assert(std::is_nothrow_move_constructible_v<hs::MappedFile> && !std::is_copy_constructible_v<hs::MappedFile>);

TEST_CASE("mapped_file: both modes give the same bytes at an aligned address") {
  const TemporaryDirectory directory;
  const std::string content = "halfstep\0 file", path = directory.write("a.bin", content);
  for (const auto access : {hs::FileAccess::map, hs::FileAccess::read}) {
    const hs::MappedFile file = hs::MappedFile::open(path, access);
    CHECK(text_of(file) == content);
    CHECK(file.size() == content.size());
    CHECK(file.path() == path);
    CHECK(file.access() == access);
    CHECK(reinterpret_cast<std::uintptr_t>(file.bytes().data()) % 64 == 0);
  }
}

TEST_CASE("mapped_file: an empty file has no bytes") {
  const TemporaryDirectory directory;
  const std::string path = directory.write("empty", "");
  CHECK(hs::MappedFile::open(path).bytes().empty());
  CHECK(hs::MappedFile::open(path, hs::FileAccess::read).bytes().empty());
}

TEST_CASE("mapped_file: moving keeps the bytes where they are and empties the source") {
  const TemporaryDirectory directory;
  for (const auto access : {hs::FileAccess::map, hs::FileAccess::read}) {
    hs::MappedFile first = hs::MappedFile::open(directory.write("a", "abc"), access);
    const std::byte* data = first.bytes().data();
    hs::MappedFile second = std::move(first);
    CHECK(second.bytes().data() == data);
    CHECK(text_of(second) == "abc");
    CHECK(first.bytes().empty());  // NOLINT(bugprone-use-after-move): documented
    hs::MappedFile third = hs::MappedFile::open(directory.write("b", "other"), access);
    third = std::move(second);
    CHECK(text_of(third) == "abc");
  }
  CHECK(hs::MappedFile().bytes().empty());
}

TEST_CASE("mapped_file: what is no regular file is refused by name, without waiting") {
  const TemporaryDirectory directory;
  const std::string pipe = directory.file("pipe"), loop = directory.file("loop");
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  std::filesystem::create_symlink(loop, loop);
  for (const auto access : {hs::FileAccess::map, hs::FileAccess::read}) {
    CHECK(code_of(directory.file("missing"), access) == hs::IoErrorCode::not_found);
    CHECK(code_of(directory.write("file", "x") + "/below", access) == hs::IoErrorCode::not_found);
    CHECK(code_of(directory.path(), access) == hs::IoErrorCode::io);
    CHECK(code_of(pipe, access) == hs::IoErrorCode::io);
    CHECK(code_of("/dev/null", access) == hs::IoErrorCode::io);
    CHECK(code_of(loop, access) == hs::IoErrorCode::io);
    CHECK(code_of("", access) == hs::IoErrorCode::not_found);
  }
  CHECK_RAISES(hs::MappedFile::open(directory.path()), "is a directory, expected a file [E_IO]");
  CHECK_RAISES(hs::MappedFile::open(pipe), "is not a regular file");
  CHECK_RAISES(hs::MappedFile::open(directory.file("missing")), "no such file [E_NOT_FOUND]");
}

TEST_CASE("mapped_file: a file without permission is refused") {
  if (::geteuid() == 0) {
    WARN("root may read every file; nothing to check");
    return;
  }
  const TemporaryDirectory directory;
  const std::string path = directory.write("secret", "x");
  REQUIRE(::chmod(path.c_str(), 0) == 0);
  CHECK(code_of(path, hs::FileAccess::map) == hs::IoErrorCode::io);
  CHECK(code_of(path, hs::FileAccess::read) == hs::IoErrorCode::io);
}

TEST_CASE("mapped_file: links are followed") {
  const TemporaryDirectory directory;
  std::filesystem::create_symlink(directory.write("target", "abc"), directory.file("link"));
  CHECK(text_of(hs::MappedFile::open(directory.file("link"))) == "abc");
  CHECK(text_of(hs::MappedFile::open(directory.file("link"), hs::FileAccess::read)) == "abc");
}

TEST_CASE("mapped_file: what was read stays when the file is cut or replaced") {
  const TemporaryDirectory directory;
  const std::string path = directory.write("a", "0123456789");
  const hs::MappedFile file = hs::MappedFile::open(path, hs::FileAccess::read);
  std::filesystem::resize_file(path, 3);
  CHECK(text_of(file) == "0123456789");
  CHECK(text_of(hs::MappedFile::open(path, hs::FileAccess::read)) == "012");
}

TEST_CASE("mapped_file: a mapping survives another file being renamed over it") {
  const TemporaryDirectory directory;
  const std::string path = directory.write("a", "first");
  const hs::MappedFile file = hs::MappedFile::open(path);
  std::filesystem::rename(directory.write("b", "second one"), path);
  CHECK(text_of(file) == "first");
  CHECK(text_of(hs::MappedFile::open(path)) == "second one");
}

TEST_CASE("mapped_file: read mode reports a file that gives fewer bytes than its size") {
  // A file of the sys file system announces a page and gives a line: what a file that shrinks while it is read does,
  // without a race.
  const std::filesystem::path path = "/sys/kernel/mm/transparent_hugepage/enabled";
  std::error_code missing;
  if (!std::filesystem::exists(path, missing)) {
    WARN("no " << path << " here: the truncation while reading is not tested");
    return;
  }
  REQUIRE(std::filesystem::file_size(path) == 4096);
  CHECK(code_of(path, hs::FileAccess::read) == hs::IoErrorCode::truncated);
  CHECK_RAISES(hs::MappedFile::open(path, hs::FileAccess::read), "its size was 4096 when it was opened [E_TRUNCATED]");
}
