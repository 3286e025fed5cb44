#include "halfstep/io/atomic_file.hpp"

#include "io/io_checks.hpp"
#include "support/catch.hpp"
#include "support/temporary_directory.hpp"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace {

namespace hs = halfstep;
using halfstep_tests::bytes_of;
using halfstep_tests::check_io_error;
using halfstep_tests::TemporaryDirectory;
using hs::Existing;
using hs::IoErrorCode;
using Names = std::vector<std::string>;

/// A disk on which a file can have at most `bytes` bytes, as long as this object lives: writes beyond fail.
class SmallDisk {
 public:
  explicit SmallDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

}  // namespace

TEST_CASE("atomic_file: nothing has the final name before commit, everything after") {
  const TemporaryDirectory directory;
  {
    hs::AtomicFile file(directory.file("a"), Existing::refuse);
    CHECK(file.name() == directory.file("a"));
    file.write_at(0, bytes_of("hello "));
    file.write_at(6, bytes_of("world"));
    CHECK(directory.names().size() == 1);
    CHECK(directory.names()[0] != "a");
    file.commit();
    CHECK(directory.names() == Names{"a"});
  }
  CHECK(directory.read("a") == "hello world");
}

TEST_CASE("atomic_file: parts in any order, zeros between them") {
  const TemporaryDirectory directory;
  hs::AtomicFile file(directory.file("a"), Existing::refuse);
  file.write_at(8, bytes_of("end"));
  file.write_at(0, bytes_of("begin"));
  file.write_at(1, bytes_of("E"));
  file.commit();
  CHECK(directory.read("a") == std::string("bEgin\0\0\0end", 11));
}

TEST_CASE("atomic_file: without commit nothing is left") {
  const TemporaryDirectory directory;
  { hs::AtomicFile(directory.file("a"), Existing::refuse).write_at(0, bytes_of("x")); }
  CHECK(directory.names().empty());
  directory.write("a", "old");
  { hs::AtomicFile(directory.file("a"), Existing::replace).write_at(0, bytes_of("x")); }
  CHECK(directory.names() == Names{"a"});
  CHECK(directory.read("a") == "old");
}

TEST_CASE("atomic_file: an existing file is refused or replaced") {
  const TemporaryDirectory directory;
  const std::string path = directory.write("a", "old");
  check_io_error([&] { hs::AtomicFile(path, Existing::refuse); }, IoErrorCode::io, {path, "exists already"});
  hs::AtomicFile file(path, Existing::replace);
  file.write_at(0, bytes_of("new content"));
  CHECK(directory.read("a") == "old");
  file.commit();
  CHECK(directory.read("a") == "new content");
  CHECK(directory.names() == Names{"a"});
}

TEST_CASE("atomic_file: a file that appears in the meantime is not overwritten unasked") {
  const TemporaryDirectory directory;
  hs::AtomicFile file(directory.file("a"), Existing::refuse);
  file.write_at(0, bytes_of("mine"));
  directory.write("a", "theirs");
  check_io_error([&] { file.commit(); }, IoErrorCode::io, {"exists already"});
  CHECK(directory.read("a") == "theirs");
  CHECK(directory.names() == Names{"a"});
}

TEST_CASE("atomic_file: names that cannot be written") {
  const TemporaryDirectory directory;
  const std::string pipe = directory.file("pipe");
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  for (const std::string& path :
       {directory.path().string(), pipe, std::string("/dev/full"), std::string("/dev/null")}) {
    check_io_error([&] { hs::AtomicFile(path, Existing::replace); }, IoErrorCode::io,
                   {path, "something else than a file"});
  }
  check_io_error([&] { hs::AtomicFile(directory.file("none/a"), Existing::replace); }, IoErrorCode::io,
                 {"none/a: cannot be created in its directory: No such file or directory"});
  CHECK(directory.names() == Names{"pipe"});
}

TEST_CASE("atomic_file: a link is replaced, not followed") {
  const TemporaryDirectory directory;
  directory.write("target", "old");
  std::filesystem::create_symlink("target", directory.file("link"));
  hs::AtomicFile file(directory.file("link"), Existing::replace);
  file.write_at(0, bytes_of("new"));
  file.commit();
  CHECK(directory.read("target") == "old");
  CHECK(directory.read("link") == "new");
  CHECK_FALSE(std::filesystem::is_symlink(directory.file("link")));
}

TEST_CASE("atomic_file: case 54, a full disk leaves the old file and no other") {
  const TemporaryDirectory directory;
  const std::string path = directory.write("a", "old");
  const std::string block(1 << 16, 'x');
  hs::AtomicFile file(path, Existing::replace);
  {
    const SmallDisk disk(100'000);
    check_io_error(
        [&] {
          for (std::uint64_t i = 0; i < 8; ++i) file.write_at(i * block.size(), bytes_of(block));
        },
        IoErrorCode::io, {path, "cannot be written at byte 65536: File too large"});
  }
  CHECK(directory.names() == Names{"a"});
  CHECK(directory.read("a") == "old");
  check_io_error([&] { file.write_at(0, bytes_of("x")); }, IoErrorCode::io, {"given up after an error"});
  check_io_error([&] { file.commit(); }, IoErrorCode::io);
}

TEST_CASE("atomic_file: case 54, a disk that is full when buffers are written out") {
  const TemporaryDirectory directory;
  hs::AtomicFile file(directory.file("a"), Existing::refuse);
  {
    const SmallDisk disk(10);
    file.write_at(0, bytes_of("less than a buffer"));
    check_io_error([&] { file.commit(); }, IoErrorCode::io, {"cannot be written: File too large"});
  }
  CHECK(directory.names().empty());
}

TEST_CASE("atomic_file: two writers of one path") {
  const TemporaryDirectory directory;
  hs::AtomicFile first(directory.file("a"), Existing::replace), second(directory.file("a"), Existing::replace);
  first.write_at(0, bytes_of("first"));
  second.write_at(0, bytes_of("second"));
  second.commit();
  CHECK(directory.read("a") == "second");
  first.commit();
  CHECK(directory.read("a") == "first");
  CHECK(directory.names() == Names{"a"});
}

TEST_CASE("atomic_file: after commit nothing more is written") {
  const TemporaryDirectory directory;
  hs::AtomicFile file(directory.file("a"), Existing::refuse);
  file.commit();
  CHECK(directory.read("a").empty());
  check_io_error([&] { file.write_at(0, bytes_of("x")); }, IoErrorCode::io, {"it is complete"});
  check_io_error([&] { file.commit(); }, IoErrorCode::io, {"it is complete"});
  CHECK(directory.names() == Names{"a"});
}
