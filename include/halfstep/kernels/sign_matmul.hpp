#pragma once

/// \file
/// Products of matrices of one bit: xor and counts.
///
///     X = set bits of a ^ b,  A of a,  B of b                                   64 elements to a word
///     sum_k v(a_k) v(b_k) = K - 2 X           signs with signs
///                           X - B, X - A      0 and 1 with signs, signs with 0 and 1
///                           (A + B - X) / 2   0 and 1 with 0 and 1
///
/// An exact integer D, from which the output is what any product makes of it (docs/numerics.md, section 3):
///
///     t   = D - z_n sum v(a) - z_m sum v(b) + K z_m z_n          in double, in this order
///     out = float(t) * (s_m * s_n)
///
///     a row tile:  4 rows of x, a word of each broadcast | a line of w: a word of 8 outputs | 4 x 8 counts in
///     registers

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/kernels/matmul_options.hpp"
#include "halfstep/kernels/output_stage.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/kernels/sign_matrix.hpp"
#include "halfstep/simd/bit_count.hpp"
#include "halfstep/simd/pinned.hpp"
#include "halfstep/simd/require_cpu.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI {

/// Rows of x that share the lines of w.
inline constexpr Index sign_tile_rows = 4;

/// `counts[i][n]` = bits in which row i of `x` (pointers to words) differs from row n of a tile of w. Class: exact.
template <class Isa = simd::NativeIsa>
void count_differences(const std::uint64_t* const (&x)[sign_tile_rows], const std::uint64_t* lines, Index words,
                       std::uint64_t (&counts)[sign_tile_rows][PackedSigns::tile_rows]) {
  using Bits = simd::BitCount<Isa>;
  constexpr auto step = static_cast<Index>(Bits::words);
  for (Index n = 0; n < PackedSigns::tile_rows; n += step) {
    typename Bits::Counts c0 = Bits::none(), c1 = Bits::none(), c2 = Bits::none(), c3 = Bits::none();
    for (Index w = 0; w < words; ++w) {
      const typename Bits::Words line = Bits::load(lines + w * PackedSigns::tile_rows + n);
      c0 = Bits::add(c0, Bits::differ(Bits::all(x[0][w]), line));
      c1 = Bits::add(c1, Bits::differ(Bits::all(x[1][w]), line));
      c2 = Bits::add(c2, Bits::differ(Bits::all(x[2][w]), line));
      c3 = Bits::add(c3, Bits::differ(Bits::all(x[3][w]), line));
    }
    Bits::store(counts[0] + n, c0);
    Bits::store(counts[1] + n, c1);
    Bits::store(counts[2] + n, c2);
    Bits::store(counts[3] + n, c3);
  }
}

/// The same for one row of x: counts of the whole tile in registers.
template <class Isa = simd::NativeIsa>
void count_differences(const std::uint64_t* x, const std::uint64_t* lines, Index words,
                       std::uint64_t (&counts)[PackedSigns::tile_rows]) {
  using Bits = simd::BitCount<Isa>;
  constexpr std::size_t registers = static_cast<std::size_t>(PackedSigns::tile_rows) / Bits::words;
  typename Bits::Counts sums[registers];  // no std::array: a vector type loses its attributes as a template argument
  for (typename Bits::Counts& sum : sums) sum = Bits::none();
  for (Index w = 0; w < words; ++w) {
    const typename Bits::Words word = Bits::all(x[w]);
    for (std::size_t i = 0; i < registers; ++i) {
      const auto at = static_cast<Index>(i * Bits::words);
      sums[i] = Bits::add(sums[i], Bits::differ(word, Bits::load(lines + w * PackedSigns::tile_rows + at)));
    }
  }
  for (std::size_t i = 0; i < registers; ++i) Bits::store(counts + i * Bits::words, sums[i]);
}

/// The sum of products of integers of two rows of K bits, from the bits in which they differ. Class: exact.
[[nodiscard]] constexpr std::int64_t sign_dot(BitValues a, BitValues b, std::int64_t k, std::int64_t differing,
                                              std::int64_t ones_a, std::int64_t ones_b) {
  if (a == BitValues::signs) return b == BitValues::signs ? k - 2 * differing : differing - ones_a;
  return b == BitValues::signs ? differing - ones_b : (ones_a + ones_b - differing) / 2;
}

/// The outputs of row m of x against a tile of w whose first row is `col`, from the bits in which they differ. Class:
/// ordered.
inline void finish_sign_tile(const SignMatrix& x, Index m, const PackedSigns& w, Index col,
                             const std::uint64_t (&counts)[PackedSigns::tile_rows],
                             float (&out)[PackedSigns::tile_rows]) {
  constexpr Index width = PackedSigns::tile_rows;
  double t[width];
  for (Index n = 0; n < width; ++n) {
    t[n] = static_cast<double>(
        sign_dot(x.values(), w.values(), x.cols(), static_cast<std::int64_t>(counts[n]), x.ones(m), w.ones()[col + n]));
  }
  if (x.zero(m) != 0 || w.has_zeros()) {  // where all are 0, so are the products
    const auto zero_m = static_cast<double>(x.zero(m)), sum_m = static_cast<double>(x.sum(m));
    const double from_m = simd::pinned(static_cast<double>(x.cols()) * zero_m);
    for (Index n = 0; n < width; ++n) {
      const auto zero_n = static_cast<double>(w.zero()[col + n]);
      t[n] -= simd::pinned(zero_n * sum_m);
      t[n] -= simd::pinned(zero_m * static_cast<double>(w.sum()[col + n]));
      t[n] += simd::pinned(from_m * zero_n);
    }
  }
  for (Index n = 0; n < width; ++n) {  // two products, and no sum for one of them to be fused into
    const float scale = x.scale(m) * w.scale()[col + n];
    out[n] = static_cast<float>(t[n]) * scale;
  }
}

/// Rows [tile.row, tile.row + tile.rows) of x, at most `sign_tile_rows`, against 64 columns of w.
inline void multiply_signs(const SignMatrix& x, const PackedSigns& w, const OutputTile& tile) {
  const std::uint64_t* rows[sign_tile_rows];
  for (Index i = 0; i < sign_tile_rows; ++i) rows[i] = x.row(tile.row + std::min(i, tile.rows - 1));
  std::uint64_t counts[sign_tile_rows][PackedSigns::tile_rows];
  float outputs[PackedSigns::tile_rows];
  for (Index first = 0; first < tile.cols; first += PackedSigns::tile_rows) {
    const Index col = tile.col + first;
    const std::uint64_t* const lines = w.tile(col / PackedSigns::tile_rows);
    if (tile.rows == 1) {
      count_differences(rows[0], lines, w.words(), counts[0]);
    } else {
      count_differences(rows, lines, w.words(), counts);
    }
    for (Index i = 0; i < tile.rows; ++i) {
      finish_sign_tile(x, tile.row + i, w, col, counts[i], outputs);
      std::copy_n(outputs, PackedSigns::tile_rows, tile.sums_of(i) + first);  // a row has room for whole tiles
    }
  }
}

/// What a product of signs does beside multiplying; as `MatmulOptions`.
struct SignMatmulOptions {
  VectorView bias = {};
  Epilogue epilogue = {};
  MatrixView<const float> residual = {};
  ExecutorRef executor = {};
};

/// `out = epilogue(x * w^T + bias) + residual` from the bits of both sides; x `[tokens, in_features]`, out
/// `[tokens, out_features]`. For operands of signs the same bits as `matmul` of the same quantizers. A row of x that
/// was not finite gives a row of NaN. Class: ordered, for any executor. Errors: shapes that do not fit.
template <WritableMatrix Out>
void sign_matmul_into(const SignMatrix& x, const PackedSigns& w, Out&& out, const SignMatmulOptions& options = {}) {
  simd::require_cpu();
  const MatmulOptions checked{.bias = options.bias, .residual = options.residual};
  require_product("sign_matmul", x.shape(), "w", w.shape(), checked);
  const MatrixView<float> target = mutable_view(out);
  if (shape_of(target) != Shape{x.rows(), w.rows()}) {
    raise("sign_matmul", "out has shape ", shape_of(target), ", expected ", Shape{x.rows(), w.rows()});
  }
  const OutputStage stage{options.bias, options.epilogue, options.residual};
  const Index row_tiles = (x.rows() + sign_tile_rows - 1) / sign_tile_rows;
  const Index blocks = (w.rows() + PackedMatrix::block_rows - 1) / PackedMatrix::block_rows;
  const Index work = sign_tile_rows * PackedMatrix::block_rows * (w.words() + 4);  // of an item, in words and so on
  parallel_for(options.executor, row_tiles * blocks, std::max<Index>(1, 65536 / work), [&](Index begin, Index end) {
    alignas(64) float sums[sign_tile_rows * PackedMatrix::block_rows];
    for (Index i = begin; i < end; ++i) {  // row tile by row tile: the lines of a block stay in L1
      const Index row = i % row_tiles * sign_tile_rows, col = i / row_tiles * PackedMatrix::block_rows;
      const OutputTile tile{row, std::min(sign_tile_rows, x.rows() - row), col,
                            std::min(PackedMatrix::block_rows, w.rows() - col), sums};
      multiply_signs(x, w, tile);
      stage.apply(tile);
      store_tile(tile, target);
    }
  });
}

/// The same as a new matrix `[tokens, out_features]`.
[[nodiscard]] inline MatrixF sign_matmul(const SignMatrix& x, const PackedSigns& w,
                                         const SignMatmulOptions& options = {}) {
  MatrixF out(x.rows(), w.rows());
  sign_matmul_into(x, w, out, options);
  return out;
}

/// The same by plain loops over elements in 64-bit integers, without bias or function: what the product is checked
/// with. Errors: another number of columns.
[[nodiscard]] inline MatrixF reference_sign_product(const SignMatrix& x, const SignMatrix& w) {
  if (x.cols() != w.cols()) {
    raise("reference_sign_product", "x has ", x.cols(), " columns, w has ", w.cols());
  }
  MatrixF out(x.rows(), w.rows());
  for (Index m = 0; m < x.rows(); ++m) {
    for (Index n = 0; n < w.rows(); ++n) {
      std::int64_t dot = 0, sum_m = 0, sum_n = 0;
      for (Index k = 0; k < x.cols(); ++k) {
        dot += x.integer(m, k) * w.integer(n, k);
        sum_m += x.integer(m, k);
        sum_n += w.integer(n, k);
      }
      const auto zero_m = static_cast<double>(x.zero(m)), zero_n = static_cast<double>(w.zero(n));
      double t = static_cast<double>(dot) - simd::pinned(zero_n * static_cast<double>(sum_m));
      t -= simd::pinned(zero_m * static_cast<double>(sum_n));
      t += simd::pinned(simd::pinned(static_cast<double>(x.cols()) * zero_m) * zero_n);
      out(m, n) = static_cast<float>(t) * simd::pinned(x.scale(m) * w.scale(n));
    }
  }
  return out;
}

}  // namespace halfstep::inline HALFSTEP_ABI
