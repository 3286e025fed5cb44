#pragma once

/// \file
/// Scratch memory that a caller keeps between calls, so that they allocate nothing.

#include "halfstep/config.hpp"
#include "halfstep/core/aligned_buffer.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Hands out pieces of memory one after the other and takes them back all at once.
///
/// Memory only grows. A call that takes the same pieces as an earlier one, or smaller ones, allocates nothing: the
/// first call warms the workspace up. Pieces keep their place until they are released, also when the workspace grows.
/// Not safe for use by several threads at a time: give each its own, or take all pieces before the threads start.
///
///     void call(Workspace& workspace) {
///       const Workspace::Scope scope(workspace);              // gives back at the end what was taken since
///       const std::span<float> row = workspace.take<float>(n);  // 64-byte aligned, uninitialized
class Workspace {
 public:
  /// How much was taken at some moment; see `release`.
  class Mark {
    friend class Workspace;
    std::size_t block_ = 0;
    std::size_t used_ = 0;
  };

  /// Releases at its end what was taken during its life. Scopes nest.
  class Scope {
   public:
    explicit Scope(Workspace& workspace) noexcept : workspace_(workspace), mark_(workspace.mark()) {}
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() { workspace_.release(mark_); }

   private:
    Workspace& workspace_;
    Mark mark_;
  };

  Workspace() = default;
  Workspace(Workspace&& other) noexcept
      : blocks_(std::move(other.blocks_)), position_(std::exchange(other.position_, Mark())) {}
  Workspace& operator=(Workspace&& other) noexcept {
    Workspace moved(std::move(other));
    std::swap(blocks_, moved.blocks_);
    std::swap(position_, moved.position_);
    return *this;
  }

  /// `count` uninitialized elements at a multiple of 64 bytes, valid until they are released. Raises an error if
  /// `count` is negative or there is not enough memory; what was taken before stays valid.
  template <class T>
  [[nodiscard]] std::span<T> take(Index count) {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>,
                  "Workspace::take<T>: T must be trivially copyable");
    static_assert(alignof(T) <= buffer_alignment,
                  "Workspace::take<T>: T must not need more than 64 bytes of alignment");
    const std::size_t bytes = checked_bytes("Workspace::take", count, sizeof(T));
    if (bytes == 0) return {};
    return {reinterpret_cast<T*>(take_bytes(bytes)), static_cast<std::size_t>(count)};
  }

  /// What is taken now, for `release`.
  [[nodiscard]] Mark mark() const noexcept { return position_; }

  /// Gives back every piece that was taken after `mark` was made; its memory serves the next `take`.
  void release(Mark mark) noexcept { position_ = mark; }

  /// Bytes that the workspace owns, taken or not.
  [[nodiscard]] std::size_t capacity() const noexcept {
    std::size_t bytes = 0;
    for (const AlignedBuffer<std::byte>& block : blocks_) bytes += block.bytes();
    return bytes;
  }

 private:
  static constexpr std::size_t first_block_bytes = std::size_t{1} << 16;

  /// From the current block, or from the first one after it that has room, or from a new one at the end. The place of a
  /// piece is monotone in the sizes of the pieces before it, which is why smaller pieces never need a new block.
  std::byte* take_bytes(std::size_t bytes) {
    Mark at = position_;
    while (at.block_ < blocks_.size() && blocks_[at.block_].bytes() - at.used_ < bytes) at = next_block(at);
    if (at.block_ == blocks_.size()) {
      // At least doubles what there is, so that the number of blocks stays small.
      blocks_.emplace_back(static_cast<Index>(std::max({bytes, capacity(), first_block_bytes})));
    }
    std::byte* const piece = blocks_[at.block_].data() + at.used_;
    // Whole cache lines: no two pieces share one, and the next starts aligned. May pass the end of the block by < 64.
    at.used_ = std::min(at.used_ + (bytes + buffer_alignment - 1) / buffer_alignment * buffer_alignment,
                        blocks_[at.block_].bytes());
    position_ = at;
    return piece;
  }

  [[nodiscard]] static Mark next_block(Mark at) noexcept {
    ++at.block_;
    at.used_ = 0;
    return at;
  }

  std::vector<AlignedBuffer<std::byte>> blocks_;
  Mark position_;  // the block that pieces come from, and how many of its bytes are taken
};

}  // namespace halfstep::inline HALFSTEP_ABI
