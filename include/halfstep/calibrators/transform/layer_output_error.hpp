#pragma once

/// \file
/// What a change of both operands does to a layer's output: the objective of searches over transforms.

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Calls `visit(number, first_row, first_col, block)` with the blocks of `x w^T`, x `[tokens, k]`, w `[n, k]`, of 64
/// tokens times 64 outputs, multiplied in `Real`; any number of them at a time. Which elements form a block, and its
/// number, depend on nothing but the shapes.
template <class Real>
void for_each_output_block(const MatrixF& x, const MatrixF& w, ExecutorRef executor,
                           FunctionRef<void(Index number, Index row, Index col, const MatrixOf<Real>& block)> visit) {
  constexpr Index size = 64;
  const Index across = chunk_count(w.rows(), size);
  parallel_chunks(executor, chunk_count(x.rows(), size) * across, 1, [&](Index number, Index, Index) {
    const Index row = number / across * size, col = number % across * size;
    const MatrixOf<Real> tokens = x.middleRows(row, std::min(size, x.rows() - row)).template cast<Real>();
    const MatrixOf<Real> outputs = w.middleRows(col, std::min(size, w.rows() - col)).template cast<Real>();
    MatrixOf<Real> block(tokens.rows(), outputs.rows());
    block.noalias() = tokens * outputs.transpose();
    visit(number, row, col, block);
  });
}

/// `x w^T` `[tokens, n]`. Class: bounded; the same bits for any executor.
template <class Real>
[[nodiscard]] MatrixOf<Real> layer_output(const MatrixF& x, const MatrixF& w, ExecutorRef executor = {}) {
  MatrixOf<Real> out(x.rows(), w.rows());
  for_each_output_block<Real>(x, w, executor, [&](Index, Index row, Index col, const MatrixOf<Real>& block) {
    out.block(row, col, block.rows(), block.cols()) = block;
  });
  return out;
}

/// The sum of squares of `x w^T - expected`; `expected` `[tokens, n]`, or empty for zeros. Sums are in `Real` within
/// blocks of 64 x 64 outputs and in double over them, in their order. Class: bounded; the same bits for any executor.
template <class Real>
[[nodiscard]] double squared_output_error(const MatrixF& x, const MatrixF& w, const MatrixOf<Real>& expected,
                                          ExecutorRef executor = {}) {
  constexpr Index size = 64;
  std::vector<double> parts(static_cast<std::size_t>(chunk_count(x.rows(), size) * chunk_count(w.rows(), size)));
  for_each_output_block<Real>(x, w, executor, [&](Index number, Index row, Index col, const MatrixOf<Real>& block) {
    const auto part = expected.size() == 0
                          ? block.squaredNorm()
                          : (block - expected.block(row, col, block.rows(), block.cols())).squaredNorm();
    parts[static_cast<std::size_t>(number)] = static_cast<double>(part);
  });
  double sum = 0;
  for (const double part : parts) sum += part;
  return sum;
}

}  // namespace halfstep::inline HALFSTEP_ABI
