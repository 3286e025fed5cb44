#pragma once

/// \file
/// A file that appears under its name when it is complete, or not at all.

#include "halfstep/io/io_error.hpp"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <system_error>

#if __has_include(<unistd.h>)
#include <unistd.h>
#endif

namespace halfstep::inline HALFSTEP_ABI {

/// What happens to a file that is already there under the name of a new one.
enum class Existing {
  refuse,   ///< an error, before anything is written
  replace,  ///< the complete new file takes its place
};

/// Writes under a temporary name in the directory of `path` and renames at the end. Whatever goes wrong before, a full
/// disk or an exception of the caller's, nothing appears under the final name, an existing file there stays as it was,
/// and the temporary file is removed.
///
/// Renaming is atomic on POSIX systems, so a reader of the old file, this program's own mapping of it included, keeps
/// the old content: an output may replace the input that is still being read. A link at `path` is replaced, not what it
/// points to. Two writers of one path do not disturb each other; the last one to finish wins.
class AtomicFile {
 public:
  /// Creates the temporary file. Errors: E_IO if it cannot be created, if something else than a regular file has the
  /// name, or if a file has it and `existing` is `refuse`.
  AtomicFile(const std::filesystem::path& path, Existing existing) : path_(path), existing_(existing) {
    if (const std::string problem = problem_of_name(); !problem.empty()) raise_io(IoErrorCode::io, name(), problem);
    // Names of this process do not repeat; another process with the same idea makes "x" fail, and the next is tried.
    static std::atomic<std::uint64_t> counter{0};
    do {
      temporary_ = path_.parent_path() / concat(".halfstep-", process_number(), "-", counter++, ".partial");
      errno = 0;
      file_.reset(std::fopen(temporary_.string().c_str(), "wbx"));
    } while (!file_ && errno == EEXIST);
    if (file_) return;
    const int error_number = errno;
    temporary_.clear();
    raise_io(IoErrorCode::io, name(), "cannot be created in its directory: ", system_message(error_number));
  }

  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() { abandon(); }

  /// The final name.
  [[nodiscard]] std::string name() const { return path_.string(); }

  /// Writes `data` at `offset` of the file; what lies between the parts that are written is zero. Errors: E_IO, after
  /// which the temporary file is gone and every further call raises E_IO.
  void write_at(std::uint64_t offset, std::span<const std::byte> data) {
    require_open();
    if (data.empty()) return;
    if (offset > static_cast<std::uint64_t>(std::numeric_limits<long>::max())) {
      fail("cannot be written at byte " + std::to_string(offset), EFBIG);
    }
    if (data.empty()) return;  // an empty span may hold a null pointer, which fwrite does not take
    errno = 0;
    const bool moved = offset == position_ || std::fseek(file_.get(), static_cast<long>(offset), SEEK_SET) == 0;
    if (!moved || std::fwrite(data.data(), 1, data.size(), file_.get()) != data.size()) {
      fail("cannot be written at byte " + std::to_string(offset), reported_error());
    }
    position_ = offset + data.size();
  }

  /// Brings the data to the disk and gives the file its name. Errors: E_IO, as for `write_at`; also if the name was
  /// taken in the meantime.
  void commit() {
    require_open();
    if (const int error_number = close(); error_number != 0) fail("cannot be written", error_number);
    if (const std::string problem = problem_of_name(); !problem.empty()) {
      abandon();
      raise_io(IoErrorCode::io, name(), problem);
    }
    std::error_code error;
    std::filesystem::rename(temporary_, path_, error);
    if (error) fail("cannot be given its name", error.value());
    temporary_.clear();
  }

 private:
  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };

  static std::uint64_t process_number() {
#if __has_include(<unistd.h>)
    return static_cast<std::uint64_t>(::getpid());
#else
    return 0;
#endif
  }

  /// Why the final name cannot be used; empty if it can.
  [[nodiscard]] std::string problem_of_name() const {
    std::error_code ignored;
    const auto status = std::filesystem::status(path_, ignored);
    if (!std::filesystem::exists(status)) return {};
    if (!std::filesystem::is_regular_file(status))
      return "cannot be written: its name belongs to something else than a file";
    if (existing_ == Existing::refuse) return "exists already, and Existing::replace was not asked for";
    return {};
  }

  void require_open() const {
    if (!file_) raise_io(IoErrorCode::io, name(), "cannot be written: it is complete, or was given up after an error");
  }

  /// The number of the error that the last call reported through errno, which was cleared before it.
  static int reported_error() { return errno != 0 ? errno : EIO; }

  /// Brings the data to the disk and closes; returns the number of the first error, or 0.
  [[nodiscard]] int close() {
    int error_number = 0;
    errno = 0;
    if (std::fflush(file_.get()) != 0) error_number = reported_error();
#if __has_include(<unistd.h>)
    if (error_number == 0 && ::fsync(::fileno(file_.get())) != 0) error_number = reported_error();
#endif
    errno = 0;
    if (std::fclose(file_.release()) != 0 && error_number == 0) error_number = reported_error();
    return error_number;
  }

  [[noreturn]] void fail(const std::string& what, int error_number) {
    abandon();
    raise_io(IoErrorCode::io, name(), what, ": ", system_message(error_number));
  }

  void abandon() noexcept {
    file_.reset();
    if (temporary_.empty()) return;
    std::error_code ignored;
    std::filesystem::remove(temporary_, ignored);
    temporary_.clear();
  }

  std::filesystem::path path_;
  Existing existing_;
  std::filesystem::path temporary_;
  std::unique_ptr<std::FILE, Close> file_;
  std::uint64_t position_ = 0;
};

}  // namespace halfstep::inline HALFSTEP_ABI
