#pragma once

/// \file
/// Keys and values of the tokens that a language model has seen, so that the next token costs one row of each product.

#include "halfstep/config.hpp"
#include "halfstep/core/aligned_buffer.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <cstddef>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// What attention reads of one sequence: keys (turned to their positions) and values `[tokens, kv heads * head size]`,
/// of which the first `past` are those of earlier calls.
struct KeyValueRows {
  MatrixView<float> keys;
  MatrixView<float> values;
  Index past = 0;
};

/// Floats of one sequence, for all attention layers of a model. Memory is taken when it is made. For one run at a time.
class KeyValueCache {
 public:
  /// Room for `capacity` tokens in each of `layers` layers, `width` = kv heads * head size floats each. Errors: a size
  /// below 1.
  KeyValueCache(Index layers, Index width, Index capacity) : width_(width), capacity_(capacity) {
    if (layers < 1 || width < 1 || capacity < 1) {
      raise("KeyValueCache", "layers, width and capacity are ", layers, ", ", width, " and ", capacity,
            ", expected at least 1");
    }
    for (Index i = 0; i < 2 * layers; ++i) rows_.emplace_back(capacity * width);
  }

  [[nodiscard]] Index layers() const { return static_cast<Index>(rows_.size() / 2); }
  [[nodiscard]] Index width() const { return width_; }
  [[nodiscard]] Index capacity() const { return capacity_; }
  /// Tokens that are in it.
  [[nodiscard]] Index length() const { return length_; }
  /// Forgets all but the first `length` tokens. Error: a length that is negative or above the present one.
  void truncate(Index length) {
    if (length < 0 || length > length_) {
      raise("KeyValueCache::truncate", "length is ", length, ", expected 0 to the ", length_, " tokens in it");
    }
    length_ = length;
  }

  /// The rows of layer `layer` with `count` more than are in the cache, the last of which are to be written. Unchecked.
  [[nodiscard]] KeyValueRows extended(Index layer, Index count) {
    const auto at = static_cast<std::size_t>(2 * layer);
    const Index rows = length_ + count;
    return {{rows_[at].data(), rows, width_}, {rows_[at + 1].data(), rows, width_}, length_};
  }
  /// Once all layers have written theirs: `count` tokens more are in it. Error: there is no room for them.
  void advance(Index count) {
    if (count < 0 || length_ + count > capacity_) {
      raise("KeyValueCache", "no room for ", count, " more tokens: ", length_, " of ", capacity_, " are taken");
    }
    length_ += count;
  }

  /// Bytes of all keys and values.
  [[nodiscard]] Index bytes() const { return static_cast<Index>(rows_.size()) * capacity_ * width_ * 4; }

 private:
  Index width_ = 0;
  Index capacity_ = 0;
  Index length_ = 0;
  std::vector<AlignedBuffer<float>> rows_;  // keys of layer 0, values of layer 0, keys of layer 1, ...
};

}  // namespace halfstep::inline HALFSTEP_ABI
