#pragma once

/// \file
/// Token sequences of one length: what a language model reads.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/io/io_error.hpp"
#include "halfstep/io/safetensors.hpp"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// `count` sequences of `length` tokens in memory that somebody else owns, one after the other.
struct TokenView {
  const std::int32_t* ids = nullptr;
  Index count = 0;
  Index length = 0;

  /// Sequences `[first, first + number)`. Unchecked.
  [[nodiscard]] TokenView range(Index first, Index number) const { return {ids + first * length, number, length}; }
  /// The tokens of sequence i. Unchecked.
  [[nodiscard]] std::span<const std::int32_t> sequence(Index i) const {
    return {ids + i * length, static_cast<std::size_t>(length)};
  }
  /// Tokens of all sequences.
  [[nodiscard]] Index size() const { return count * length; }
};

/// Sequences that own their tokens.
struct Tokens {
  std::vector<std::int32_t> ids;
  Index count = 0;
  Index length = 0;

  [[nodiscard]] TokenView view() const { return {ids.data(), count, length}; }
};

/// The tensor `name` of `file`, of any integer type, `[sequences, length]`. Errors: E_NOT_FOUND, E_TYPE, E_SHAPE,
/// E_RANGE for an element that is no int32.
[[nodiscard]] inline Tokens load_tokens(const SafetensorsFile& file, std::string_view name) {
  const std::vector<Index>& shape = file.tensor(name).shape;
  if (shape.size() != 2) {
    raise_io(IoErrorCode::shape, file.path(), "tensor ", in_quotes(name), " has shape ", shape_text(shape),
             ", expected sequences of tokens [sequences, length]");
  }
  return {file.integers<std::int32_t>(name), shape[0], shape[1]};
}

}  // namespace halfstep::inline HALFSTEP_ABI
