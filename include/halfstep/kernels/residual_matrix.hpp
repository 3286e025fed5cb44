#pragma once

/// \file
/// Residual codebooks: each stage codes what the stages before it have left over, and a value is the sum of its words.
///
/// Sources: additive codes of AQLM (Egiazarian et al., 2024) in their residual form, residual codebooks of VPTQ (Liu et
/// al., 2024).

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/read_row.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/kernels/vector_matrix.hpp"
#include "halfstep/quantizers/codebook.hpp"
#include "halfstep/quantizers/vector_quantizer.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Refuses no stage, and stages of different shapes.
template <VectorQuantizer Q>
void require_stages(std::string_view where, std::span<const VectorMatrix<Q>> stages) {
  if (stages.empty()) raise(where, "stages is empty, expected at least one");
  for (const VectorMatrix<Q>& stage : stages) {
    if (stage.shape() == stages.front().shape()) continue;
    raise(where, "stages have shapes ", stages.front().shape(), " and ", stage.shape(), ", expected one");
  }
}

/// A matrix as the sum of one or more stages of the same shape.
template <VectorQuantizer Q>
class ResidualMatrix {
 public:
  /// Errors: no stage; stages of different shapes.
  explicit ResidualMatrix(std::vector<VectorMatrix<Q>> stages) : stages_(std::move(stages)) {
    require_stages("ResidualMatrix", std::span<const VectorMatrix<Q>>(stages_));
  }

  [[nodiscard]] const std::vector<VectorMatrix<Q>>& stages() const { return stages_; }
  [[nodiscard]] Shape shape() const { return stages_.front().shape(); }
  [[nodiscard]] Index rows() const { return shape().rows; }
  [[nodiscard]] Index cols() const { return shape().cols; }
  /// Bytes of codes and codebooks of all stages.
  [[nodiscard]] Index bytes() const {
    Index sum = 0;
    for (const VectorMatrix<Q>& stage : stages_) sum += stage.bytes();
    return sum;
  }
  friend bool operator==(const ResidualMatrix&, const ResidualMatrix&) = default;

 private:
  std::vector<VectorMatrix<Q>> stages_;
};

/// What a stage leaves over, `left -= decoded`, element by element. Class: exact.
inline void subtract(MatrixF& left, const MatrixF& decoded) {
  for (Index i = 0; i < left.size(); ++i) left.data()[i] -= decoded.data()[i];
}

/// The nearest codes of `matrix` under one list of codebooks per stage, each with one codebook per granule of `tiling`.
/// The stages are coded one after the other, each nearest by itself (no search over combinations). Class: exact.
template <VectorQuantizer Q, Viewable M>
[[nodiscard]] ResidualMatrix<Q> quantize_residual(const M& matrix, const std::vector<std::vector<Q>>& codebooks,
                                                  const Tiling& tiling = per_tensor(), ExecutorRef executor = {}) {
  const auto source = view(matrix);
  require_readable("quantize_residual", "matrix", source);
  MatrixF left(source.rows, source.cols);
  copy_rows(source, left.data());
  std::vector<VectorMatrix<Q>> stages;
  for (const std::vector<Q>& stage : codebooks) {
    stages.push_back(quantize_vectors(left, stage, tiling, executor));
    subtract(left, dequantize(stages.back(), executor));
  }
  return ResidualMatrix<Q>(std::move(stages));
}

/// The sums of the stages, from the first on, `[rows, cols]`. Class: exact.
template <VectorQuantizer Q>
[[nodiscard]] MatrixF dequantize(const ResidualMatrix<Q>& matrix, ExecutorRef executor = {}) {
  MatrixF sum = dequantize(matrix.stages().front(), executor);
  for (std::size_t s = 1; s < matrix.stages().size(); ++s) {
    const MatrixF part = dequantize(matrix.stages()[s], executor);
    for (Index i = 0; i < sum.size(); ++i) sum.data()[i] += part.data()[i];
  }
  return sum;
}

/// Codebooks of two stages in 8 bits, the scale of the second of each granule one power of two below that of its first:
/// the same for all granules, as two planes of one packed weight need it.
template <VectorQuantizer Q>
struct Int8Stages {
  std::vector<Q> first;
  std::vector<Q> second;
};

/// The power of two is the least that holds the second stage of every granule in 8 bits. A first codebook of zeros gets
/// the scale 1. Errors: different numbers of codebooks. Class: exact.
template <int Dim, int Words>
[[nodiscard]] Int8Stages<Int8Codebook<Dim, Words>> to_int8_stages(const std::vector<Codebook<Dim, Words>>& first,
                                                                  const std::vector<Codebook<Dim, Words>>& second) {
  if (first.size() != second.size()) {
    raise("to_int8_stages", "first has ", first.size(), " codebooks, second ", second.size(), ", expected as many");
  }
  float ratio = 0x1p-16f;
  for (std::size_t g = 0; g < first.size(); ++g) {
    const bool is_zero = second[g] == Codebook<Dim, Words>{};
    while (!is_zero && ratio < 0x1p16f && int8_scale(first[g]) * ratio < int8_scale(second[g])) ratio *= 2;
  }
  Int8Stages<Int8Codebook<Dim, Words>> stages;
  for (std::size_t g = 0; g < first.size(); ++g) {
    const float scale = std::max(int8_scale(first[g]), 0x1p-100f);  // so that its fraction is a normal float
    stages.first.push_back(to_int8(first[g], scale));
    stages.second.push_back(to_int8(second[g], scale * ratio));
  }
  return stages;
}

}  // namespace halfstep::inline HALFSTEP_ABI
