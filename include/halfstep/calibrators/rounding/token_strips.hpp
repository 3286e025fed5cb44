#pragma once

/// \file
/// Batches of activations brought into the order of the register tile, and sums of products over their tokens.

#include "halfstep/config.hpp"
#include "halfstep/core/aligned_buffer.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/range.hpp"
#include "halfstep/core/read_row.hpp"
#include "halfstep/kernels/row_range.hpp"
#include "halfstep/simd/real_tile.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Tokens `[tokens, channels]` as strips of `width` channels, each `[tokens][width]`; channels beyond the last are 0.
class TokenStrips {
 public:
  using Tile = simd::RealTile<float>;
  static constexpr Index width = Tile::width;

  /// Rows `[first, first + tokens)` of what `read` gives (row, room for one) as floats, times 2^-exponent.
  TokenStrips(Index first, Index tokens, Index channels, int exponent,
              FunctionRef<const float*(Index row, float* scratch)> read, ExecutorRef executor)
      : tokens_(tokens), channels_(channels), strips_(chunk_count(channels, width)), values_(strips_ * width * tokens) {
    parallel_for(executor, tokens, band_grain(channels), [&](Index begin, Index end) {
      std::vector<float> scratch(static_cast<std::size_t>(channels));
      for (Index t = begin; t < end; ++t) store(t, read(first + t, scratch.data()), exponent);
    });
  }

  [[nodiscard]] Index tokens() const { return tokens_; }
  [[nodiscard]] Index channels() const { return channels_; }
  [[nodiscard]] Index strips() const { return strips_; }
  /// The values of strip s from token t on.
  [[nodiscard]] const float* at(Index s, Index t) const { return values_.data() + (s * tokens_ + t) * width; }

 private:
  void store(Index t, const float* row, int exponent) {
    // Two factors: 2^-exponent alone may be no float.
    const float first = std::ldexp(1.0f, -exponent / 2), second = std::ldexp(1.0f, -exponent - -exponent / 2);
    for (Index s = 0; s < strips_; ++s) {
      float* const to = values_.data() + (s * tokens_ + t) * width;
      const Index part = std::min(width, channels_ - s * width);
      for (Index j = 0; j < part; ++j) to[j] = row[s * width + j] * first * second;
      std::fill(to + part, to + width, 0.0f);
    }
  }

  Index tokens_, channels_, strips_;
  AlignedBuffer<float> values_;
};

/// The exponent of the power of two that brings the largest magnitude of `batch` into [1, 2); 0 where all are 0. With
/// it products of tokens neither overflow nor underflow, and a power of two in the unit of the data leaves all bits
/// alone. Errors: an element that is not finite, by position.
template <class T>
[[nodiscard]] int scale_exponent(std::string_view where, std::string_view argument, const MatrixView<const T>& batch,
                                 ExecutorRef executor) {
  const Index chunk = band_grain(batch.cols);
  std::vector<float> largest(static_cast<std::size_t>(chunk_count(batch.rows, chunk)));
  parallel_chunks(executor, batch.rows, chunk, [&](Index number, Index begin, Index end) {
    std::vector<float> scratch(static_cast<std::size_t>(batch.cols));
    RunningRange range;
    for (Index r = begin; r < end; ++r) {
      const float* const row = read_row(batch, r, scratch.data());
      if (!widen(range, row, batch.cols)) require_finite_row(where, argument, row, r, batch.cols);
    }
    largest[static_cast<std::size_t>(number)] = absmax(range.range());
  });
  const float all = largest.empty() ? 0.0f : *std::max_element(largest.begin(), largest.end());
  return all > 0 ? std::ilogb(all) : 0;
}

/// Which elements of a product are wanted.
enum class ProductPart { all, lower_triangle };

/// Where row i of a matrix lies.
using RowPointer = FunctionRef<double*(Index row)>;

/// The part of `add_products` that one task does: a few strips of `a` with strips of `b`, one after the other.
class ProductBand {
 public:
  using Tile = TokenStrips::Tile;
  static constexpr Index width = Tile::width;
  static constexpr Index strips = 2;  ///< of a: all of their tokens stay in the second cache, those of b pass by

  ProductBand(const TokenStrips& a, const TokenStrips& b, ProductPart part, double factor, RowPointer row_of,
              Index band)
      : a_(a),
        b_(b),
        part_(part),
        factor_(factor),
        row_of_(row_of),
        first_(band * strips),
        last_(std::min(first_ + strips, a.strips())) {}

  void run() {
    constexpr Index chunk = 256;
    const Index columns = part_ == ProductPart::all ? b_.strips() : last_;
    for (Index j = 0; j < columns; ++j) {
      const Index from = part_ == ProductPart::all ? first_ : std::max(first_, j);
      std::fill(totals_.begin(), totals_.end(), 0.0);
      for (Index t = 0; t < a_.tokens(); t += chunk) {
        multiply(from, j, t, std::min(t + chunk, a_.tokens()));
        for (std::size_t i = 0; i < totals_.size(); ++i) totals_[i] += static_cast<double>(sums_[i]);
      }
      for (Index i = from; i < last_; ++i) flush(i, j);
    }
  }

 private:
  static constexpr Index block = width * width;

  void multiply(Index from, Index j, Index begin, Index end) {
    constexpr Index step = 128;  // so many tokens of two strips fit the first cache
    std::fill(sums_.begin(), sums_.end(), 0.0f);
    for (Index t = begin; t < end; t += step) {
      for (Index i = from; i < last_; ++i) {
        float* const sums = sums_.data() + (i - first_) * block;
        for (Index h = 0; h < width; h += Tile::height) {
          Tile::add(std::min(step, end - t), a_.at(i, t) + h, width, b_.at(j, t), sums + h * width);
        }
      }
    }
  }

  void flush(Index i, Index j) {
    const Index rows = std::min(width, a_.channels() - i * width);
    for (Index r = 0; r < rows; ++r) {
      const Index row = i * width + r;
      const Index end = part_ == ProductPart::all ? b_.channels() : row + 1;
      const Index count = std::min(width, end - j * width);
      double* const to = row_of_(row) + j * width;
      const double* const totals = totals_.data() + (i - first_) * block + r * width;
      for (Index c = 0; c < count; ++c) to[c] += factor_ * totals[c];
    }
  }

  const TokenStrips& a_;
  const TokenStrips& b_;
  ProductPart part_;
  double factor_;
  RowPointer row_of_;
  Index first_, last_;
  alignas(64) std::array<float, static_cast<std::size_t>(strips* block)> sums_;
  alignas(64) std::array<double, static_cast<std::size_t>(strips* block)> totals_;
};

/// `row_of(i)[j] += factor * sum_t a[t, i] * b[t, j]` for channels i of `a` and j of `b`, or for j <= i alone. Sums are
/// float over 256 tokens, and double from there on.
///
/// Class: bounded, bit-equal for any executor: an element is summed by one task, in the order of the tokens.
inline void add_products(const TokenStrips& a, const TokenStrips& b, ProductPart part, double factor, RowPointer row_of,
                         ExecutorRef executor) {
  const Index bands = chunk_count(a.strips(), ProductBand::strips);
  parallel_for(executor, bands, 1, [&](Index begin, Index end) {
    for (Index band = begin; band < end; ++band) {  // the longest first
      ProductBand(a, b, part, factor, row_of, bands - 1 - band).run();
    }
  });
}

}  // namespace halfstep::inline HALFSTEP_ABI
