#pragma once

/// \file
/// Activations split into many columns of 8-bit integers and a few of floats, as LLM.int8() has them.
///
/// A column in which some token reaches the threshold is an *outlier column*: its values stay floats, and its codes are
/// those of 0. The rest of a row is encoded with the row's own largest magnitude. Which columns are outliers is found
/// again for every batch.
///
/// Source: Dettmers et al., "LLM.int8(): 8-bit Matrix Multiplication for Transformers at Scale", NeurIPS 2022,
/// sections 3.1 and 3.2.

#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/finite.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/read_row.hpp"
#include "halfstep/kernels/encode_row.hpp"
#include "halfstep/kernels/encoded_matrix.hpp"
#include "halfstep/kernels/k_layout.hpp"
#include "halfstep/quantizers/absmax.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// What the largest magnitude of a row is taken over. `other_columns`: all columns but the outliers (the paper).
/// `other_elements`: all elements below the threshold, those of outlier columns too, which have no codes (the published
/// library): coarser steps, with an error of the output 1.6 to 10 times as large.
enum class RowMagnitude { other_columns, other_elements };

/// How activations are split.
struct SplitOptions {
  float threshold = 6;  ///< magnitude from which on a value is an outlier; 0: none is
  RowMagnitude row_magnitude = RowMagnitude::other_columns;
  Index group = 0;            ///< group size of the weight that they will meet; 0: one group
  ExecutorRef executor = {};  ///< results do not depend on it
};

/// Activations `[tokens, channels]` as codes of `Absmax<8>`, one quantizer per row, and floats for some columns.
/// Const access is safe from any number of threads.
class SplitMatrix {
 public:
  SplitMatrix() = default;
  SplitMatrix(EncodedMatrix integers, std::vector<std::int32_t> columns, MatrixF floats)
      : integers_(std::move(integers)), columns_(std::move(columns)), floats_(std::move(floats)) {}

  [[nodiscard]] Index rows() const { return integers_.rows(); }
  [[nodiscard]] Index cols() const { return integers_.cols(); }
  /// All columns as codes, outlier columns as zeros. What a product reads.
  [[nodiscard]] const EncodedMatrix& integers() const { return integers_; }
  /// The outlier columns, ascending.
  [[nodiscard]] std::span<const std::int32_t> columns() const { return columns_; }
  /// Their values, `[tokens, columns().size()]`.
  [[nodiscard]] const MatrixF& floats() const { return floats_; }

  /// What element (r, c) stands for, in double.
  [[nodiscard]] double value(Index r, Index c) const {
    const auto found = std::lower_bound(columns_.begin(), columns_.end(), static_cast<std::int32_t>(c));
    if (found == columns_.end() || *found != c) return integers_.value(r, c);
    return static_cast<double>(floats_(r, found - columns_.begin()));
  }
  /// Bytes of codes, scales, sums and floats.
  [[nodiscard]] Index bytes() const {
    return integers_.bytes() + static_cast<Index>(columns_.size() * sizeof(std::int32_t)) +
           floats_.size() * static_cast<Index>(sizeof(float));
  }

 private:
  EncodedMatrix integers_;
  std::vector<std::int32_t> columns_;
  MatrixF floats_;
};

/// The columns of `x` `[tokens, channels]` in which a finite row has a magnitude of at least `threshold`, ascending;
/// none where the threshold is 0. Rows that are not finite have no say, so that they do not change the others.
/// Class: exact, for any executor.
template <Viewable M>
[[nodiscard]] std::vector<std::int32_t> outlier_columns(const M& x, float threshold, ExecutorRef executor = {}) {
  const auto source = view(x);
  if (threshold == 0) return {};
  const auto least = std::bit_cast<std::uint32_t>(threshold);  // magnitudes order like their bits
  const auto cols = static_cast<std::size_t>(source.cols);
  constexpr Index rows_per_chunk = 64;
  std::vector<std::uint8_t> seen(static_cast<std::size_t>(chunk_count(source.rows, rows_per_chunk)) * cols);
  parallel_chunks(executor, source.rows, rows_per_chunk, [&](Index chunk, Index begin, Index end) {
    std::uint8_t* const marks = seen.data() + static_cast<std::size_t>(chunk) * cols;
    std::vector<float> scratch(cols);
    for (Index r = begin; r < end; ++r) {
      const float* row = read_row(source, r, scratch.data());
      if (find_non_finite(row, source.cols) < source.cols) continue;
      for (std::size_t c = 0; c < cols; ++c) {
        marks[c] |= static_cast<std::uint8_t>((std::bit_cast<std::uint32_t>(row[c]) & 0x7fffffffu) >= least ? 1 : 0);
      }
    }
  });
  std::vector<std::int32_t> columns;
  for (std::size_t c = 0; c < cols; ++c) {
    bool is_outlier = false;
    for (std::size_t at = c; at < seen.size(); at += cols) is_outlier = is_outlier || seen[at] != 0;
    if (is_outlier) columns.push_back(static_cast<std::int32_t>(c));
  }
  return columns;
}

/// Encodes rows whose outlier columns are known.
class SplitRowEncoder {
 public:
  SplitRowEncoder(std::span<const std::int32_t> columns, const SplitOptions& options, const EncodedRowsOut& out)
      : columns_(columns), options_(options), out_(out) {}

  /// Row r: its codes to where the matrix has them, its outliers to `floats`. `scratch` holds a row.
  void encode(const float* row, Index r, float* floats, float* scratch) const {
    const KLayout& layout = out_.layout;
    std::copy_n(row, layout.k, scratch);
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      floats[i] = row[columns_[i]];
      scratch[columns_[i]] = 0;
    }
    const bool is_finite = find_non_finite(row, layout.k) == layout.k;
    const Absmax<8> q = Absmax<8>::fit({0, is_finite ? magnitude(row, scratch) : 0, 0});
    std::uint8_t* const plane = out_.plane[0] + r * out_.row_stride;
    for (Index g = 0; g < layout.groups(); ++g) {
      const EncodedRow seen =
          encode_row(q, scratch + layout.begin(g), layout.length(g), plane + layout.padded_begin(g));
      out_.sum[0][r * layout.groups() + g] = seen.code_sum;
    }
    zero_padding(layout, out_.row_stride, plane);
    out_.scale[r] = is_finite ? q.lowering_scale().unit : std::numeric_limits<float>::quiet_NaN();
    out_.zero[r] = q.lowering_scale().zero;
  }

 private:
  /// The largest magnitude of a finite row, of which `inliers` is the copy without outlier columns.
  [[nodiscard]] float magnitude(const float* row, const float* inliers) const {
    const bool by_element = options_.row_magnitude == RowMagnitude::other_elements && options_.threshold > 0;
    const float* const values = by_element ? row : inliers;
    const float limit = by_element ? options_.threshold : std::numeric_limits<float>::infinity();
    float largest = 0;
    for (Index c = 0; c < out_.layout.k; ++c) {
      const float m = simd::abs(values[c]);
      largest = m < limit && m > largest ? m : largest;
    }
    return largest;
  }

  std::span<const std::int32_t> columns_;
  const SplitOptions& options_;
  const EncodedRowsOut& out_;
};

/// Splits activations `[tokens, channels]`. A row that is not finite gets no say in what is an outlier, and becomes NaN
/// in a product. Reads x twice. Class: exact, for any executor.
///
/// Errors: a threshold that is negative or not finite.
template <Viewable M>
[[nodiscard]] SplitMatrix split(const M& x, const SplitOptions& options = {}) {
  const auto source = view(x);
  require_readable("split", "x", source);
  if (!(options.threshold >= 0 && options.threshold <= std::numeric_limits<float>::max())) {
    raise("split", "threshold is ", options.threshold, ", expected a positive number, or 0 for no outliers");
  }
  std::vector<std::int32_t> columns = outlier_columns(source, options.threshold, options.executor);
  EncodedMatrix integers;
  integers.reset(source.rows, KLayout(source.cols, options.group), 1, {1, 1});
  const EncodedRowsOut out = integers.rows_out();
  MatrixF floats(source.rows, static_cast<Index>(columns.size()));
  const SplitRowEncoder encoder(columns, options, out);
  parallel_for(options.executor, source.rows, band_grain(source.cols), [&](Index first, Index last) {
    std::vector<float> values(static_cast<std::size_t>(source.cols)), inliers(values.size());
    for (Index r = first; r < last; ++r) {
      encoder.encode(read_row(source, r, values.data()), r, floats.data() + r * floats.cols(), inliers.data());
    }
  });
  return {std::move(integers), std::move(columns), std::move(floats)};
}

}  // namespace halfstep::inline HALFSTEP_ABI
