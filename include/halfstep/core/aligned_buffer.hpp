#pragma once

/// \file
/// An array that owns its memory and starts on a cache line.

#include "halfstep/config.hpp"
#include "halfstep/core/aligned_memory.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <cstddef>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

namespace halfstep::inline HALFSTEP_ABI {

/// An array of trivially copyable elements at a multiple of 64 bytes, whatever the compile flags. Unlike std::vector it
/// leaves its elements uninitialized unless asked, and `reset` changes its size without copying.
///
/// Copies are deep. Size and memory end exactly with the last element: there is no padding to read beyond it.
/// Const access is safe from any number of threads.
template <class T>
class AlignedBuffer {
  static_assert(std::is_trivially_copyable_v<T>, "AlignedBuffer<T>: T must be trivially copyable");
  static_assert(alignof(T) <= buffer_alignment, "AlignedBuffer<T>: T must not need more than 64 bytes of alignment");

 public:
  using value_type = T;

  AlignedBuffer() = default;

  /// `size` uninitialized elements. Raises an error if `size` is negative or the memory cannot be had.
  explicit AlignedBuffer(Index size) { reset(size); }

  /// `size` elements whose bytes are all zero. Errors as above.
  [[nodiscard]] static AlignedBuffer zeros(Index size) {
    AlignedBuffer buffer(size);
    if (size > 0) std::memset(static_cast<void*>(buffer.data_), 0, buffer.bytes());
    return buffer;
  }

  /// A copy of `values`.
  [[nodiscard]] static AlignedBuffer copy_of(std::span<const T> values) {
    AlignedBuffer buffer;
    buffer.assign(values);
    return buffer;
  }

  AlignedBuffer(const AlignedBuffer& other) { assign(other.span()); }
  AlignedBuffer& operator=(const AlignedBuffer& other) {
    if (this != &other) assign(other.span());
    return *this;
  }
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    AlignedBuffer moved(std::move(other));
    swap(moved);
    return *this;
  }
  ~AlignedBuffer() { release_aligned(data_, bytes_of(capacity_)); }

  void swap(AlignedBuffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

  /// Changes the size to `size`; the elements are indeterminate afterwards. Allocates only if the buffer was never that
  /// large before. Where that fails, the buffer is left as it was, elements included.
  void reset(Index size) {
    const std::size_t wanted = checked_bytes("AlignedBuffer", size, sizeof(T));
    if (size > capacity_) {
      T* const memory = static_cast<T*>(allocate_aligned("AlignedBuffer", wanted));
      release_aligned(data_, bytes_of(capacity_));
      data_ = memory;
      capacity_ = size;
    }
    size_ = size;
  }

  [[nodiscard]] Index size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  /// Bytes of the elements, what a size report counts.
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_of(size_); }

  /// The first element; null before the first allocation.
  [[nodiscard]] T* data() noexcept { return data_; }
  [[nodiscard]] const T* data() const noexcept { return data_; }
  [[nodiscard]] std::span<T> span() noexcept { return {data_, static_cast<std::size_t>(size_)}; }
  [[nodiscard]] std::span<const T> span() const noexcept { return {data_, static_cast<std::size_t>(size_)}; }

  /// Element i, 0 <= i < size(). Unchecked.
  [[nodiscard]] T& operator[](Index i) noexcept { return data_[i]; }
  [[nodiscard]] const T& operator[](Index i) const noexcept { return data_[i]; }

  [[nodiscard]] T* begin() noexcept { return data_; }
  [[nodiscard]] T* end() noexcept { return data_ + size_; }
  [[nodiscard]] const T* begin() const noexcept { return data_; }
  [[nodiscard]] const T* end() const noexcept { return data_ + size_; }

  /// Equal sizes and equal elements.
  [[nodiscard]] friend bool operator==(const AlignedBuffer& a, const AlignedBuffer& b) requires requires(const T& x) {
    x == x;
  }
  {
    if (a.size_ != b.size_) return false;
    for (Index i = 0; i < a.size_; ++i) {
      if (!(a.data_[i] == b.data_[i])) return false;
    }
    return true;
  }

 private:
  [[nodiscard]] static std::size_t bytes_of(Index count) noexcept {
    return static_cast<std::size_t>(count) * sizeof(T);
  }

  /// Makes the elements a copy of `values`, which are not this buffer's own.
  void assign(std::span<const T> values) {
    reset(static_cast<Index>(values.size()));
    if (!values.empty()) std::memcpy(static_cast<void*>(data_), values.data(), values.size_bytes());
  }

  T* data_ = nullptr;
  Index size_ = 0;
  Index capacity_ = 0;  // elements that the memory at data_ holds
};

}  // namespace halfstep::inline HALFSTEP_ABI
