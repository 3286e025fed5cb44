#pragma once

/// \file
/// A symmetric matrix of doubles that is kept once: its lower triangle, row after row.

#include "halfstep/config.hpp"
#include "halfstep/core/aligned_buffer.hpp"
#include "halfstep/core/matrix_view.hpp"

#include <utility>

namespace halfstep::inline HALFSTEP_ABI {

/// A symmetric `[size, size]` matrix in size (size + 1) / 2 doubles, the bytes of a full matrix of floats.
class SymmetricMatrix {
 public:
  /// All zeros.
  explicit SymmetricMatrix(Index size = 0)
      : size_(size), values_(AlignedBuffer<double>::zeros(size * (size + 1) / 2)) {}

  [[nodiscard]] Index size() const { return size_; }

  /// Element (r, c), in either order. Unchecked.
  [[nodiscard]] double operator()(Index r, Index c) const {
    if (c > r) std::swap(r, c);
    return row(r)[c];
  }

  /// Elements (r, 0) to (r, r), side by side.
  [[nodiscard]] double* row(Index r) { return values_.data() + r * (r + 1) / 2; }
  [[nodiscard]] const double* row(Index r) const { return values_.data() + r * (r + 1) / 2; }

  /// Adds another matrix of the same size.
  void add(const SymmetricMatrix& other) {
    for (Index i = 0; i < values_.size(); ++i) values_[i] += other.values_[i];
  }

  friend bool operator==(const SymmetricMatrix&, const SymmetricMatrix&) = default;

 private:
  Index size_;
  AlignedBuffer<double> values_;
};

}  // namespace halfstep::inline HALFSTEP_ABI
