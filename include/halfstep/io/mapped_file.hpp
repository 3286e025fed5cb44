#pragma once

/// \file
/// A whole file as read-only bytes, mapped or read.

#include "halfstep/io/io_error.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#if __has_include(<sys/mman.h>)
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace halfstep::inline HALFSTEP_ABI {

/// How the bytes of a file are made available.
enum class FileAccess {
  map,   ///< mapped where the system can, read otherwise; only what is used is loaded
  read,  ///< read into memory at once; later changes of the file are not seen
};

/// The bytes of a file, read-only, for the lifetime of this object. Moving it leaves `bytes()` where it was.
///
/// While a file is mapped, another process that truncates it or writes into it has undefined consequences (on POSIX
/// systems SIGBUS, or data that changes under the reader). Replacing it by renaming another file over it is harmless.
/// Where that cannot be ruled out, `FileAccess::read` reports E_TRUNCATED for a file that shrinks while it is read,
/// and is independent of the file afterwards.
class MappedFile {
 public:
  /// No file: no bytes, no path.
  MappedFile() = default;

  /// Opens `path`. The bytes begin at an address that is a multiple of 64.
  /// Errors: E_NOT_FOUND for a missing file; E_IO for what is not a regular file (after following links) or cannot be
  /// opened or read; E_LIMIT if there is no memory for it; E_TRUNCATED if fewer bytes come than its size announced.
  /// Cost: `map` constant; `read` one pass, allocates the size of the file.
  [[nodiscard]] static MappedFile open(const std::filesystem::path& path, FileAccess access = FileAccess::map);

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {storage_.get(), size()}; }
  [[nodiscard]] std::size_t size() const noexcept { return storage_ ? storage_.get_deleter().size : 0; }

  /// The path as it was given.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  /// How the bytes came to be available: `read` where mapping was asked for and is impossible.
  [[nodiscard]] FileAccess access() const noexcept { return storage_.get_deleter().access; }

 private:
  static constexpr std::align_val_t alignment{64};

  /// Gives back what was mapped or allocated.
  struct Release {
    FileAccess access;
    std::size_t size;
    void operator()(const std::byte* data) const noexcept {
#if __has_include(<sys/mman.h>)
      if (access == FileAccess::map) {
        ::munmap(const_cast<std::byte*>(data), size);  // mapped by this class; munmap wants a pointer to non-const
        return;
      }
#endif
      ::operator delete(const_cast<std::byte*>(data), alignment);
    }
  };
  using Storage = std::unique_ptr<const std::byte, Release>;

  MappedFile(Storage storage, std::string path) : storage_(std::move(storage)), path_(std::move(path)) {}

  static std::size_t size_of(const std::filesystem::path& path);
  static Storage map(const std::filesystem::path& path);
  static Storage read(const std::filesystem::path& path, std::size_t size);

  Storage storage_;
  std::string path_;
};

/// The size of the regular file at `path`, and the errors for everything else. Asked before the file is opened: opening
/// a pipe would wait for a writer.
inline std::size_t MappedFile::size_of(const std::filesystem::path& path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    raise_io(IoErrorCode::not_found, path.string(), "no such file");
  }
  if (status.type() == std::filesystem::file_type::none) {
    raise_io(IoErrorCode::io, path.string(), "cannot be opened: ", error.message());
  }
  if (status.type() == std::filesystem::file_type::directory) {
    raise_io(IoErrorCode::io, path.string(), "is a directory, expected a file");
  }
  if (status.type() != std::filesystem::file_type::regular) {
    raise_io(IoErrorCode::io, path.string(), "is not a regular file (a pipe, socket or device)");
  }
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) raise_io(IoErrorCode::io, path.string(), "size cannot be read: ", error.message());
  if (size > static_cast<std::uintmax_t>(std::numeric_limits<std::ptrdiff_t>::max())) {
    raise_io(IoErrorCode::limit, path.string(), "has ", size, " bytes, more than this system can address");
  }
  return static_cast<std::size_t>(size);
}

/// Maps the file, with the size that it has once it is open: another may have replaced the one that was asked about.
/// Null if it cannot be mapped: an empty file, or a file system or platform without mappings.
inline MappedFile::Storage MappedFile::map(const std::filesystem::path& path) {
#if __has_include(<sys/mman.h>)
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) raise_io(IoErrorCode::io, path.string(), "cannot be opened: ", system_message(errno));
  struct stat status {};
  std::size_t size = 0;
  void* data = MAP_FAILED;
  if (::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
    size = static_cast<std::size_t>(status.st_size);
    data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  }
  ::close(descriptor);
  if (data != MAP_FAILED) return {static_cast<const std::byte*>(data), Release{FileAccess::map, size}};
#else
  static_cast<void>(path);
#endif
  return {};
}

/// Reads exactly `size` bytes.
inline MappedFile::Storage MappedFile::read(const std::filesystem::path& path, std::size_t size) {
  struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  errno = 0;
  const std::unique_ptr<std::FILE, Close> file(std::fopen(path.string().c_str(), "rb"));
  if (!file) raise_io(IoErrorCode::io, path.string(), "cannot be opened: ", system_message(errno));
  auto* data = static_cast<std::byte*>(::operator new(size, alignment, std::nothrow));
  if (data == nullptr) raise_io(IoErrorCode::limit, path.string(), "has ", size, " bytes, more than memory is free");
  Storage storage(data, Release{FileAccess::read, size});
  const std::size_t got = std::fread(data, 1, size, file.get());
  if (got == size) return storage;
  if (std::ferror(file.get()) != 0) {
    raise_io(IoErrorCode::io, path.string(), "cannot be read at byte ", got, ": ", system_message(errno));
  }
  raise_io(IoErrorCode::truncated, path.string(), "ended after ", got, " bytes, its size was ", size,
           " when it was opened");
}

inline MappedFile MappedFile::open(const std::filesystem::path& path, FileAccess access) {
  const std::size_t size = size_of(path);
  Storage storage;
  if (access == FileAccess::map) storage = map(path);
  if (!storage) storage = read(path, size);
  return {std::move(storage), path.string()};
}

}  // namespace halfstep::inline HALFSTEP_ABI
