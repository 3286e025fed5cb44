#include "halfstep/kernels/output_stage.hpp"

#include <vector>

#include "kernels/matrices.hpp"
#include "support/catch.hpp"

namespace hs = halfstep;
using namespace halfstep_tests;

TEST_CASE("bias, function and residual are applied in this order to the tile's part of the output", "[output_stage]") {
  const hs::Index rows = 9, cols = 150;
  const hs::MatrixF sums = random_eigen(rows, cols, 1), residual = random_eigen(rows, cols, 2);
  const ColumnMajorF residual_by_column = residual;
  const std::vector<float> bias = random_matrix(1, cols, 3).values;
  for (const bool with_bias : {false, true}) {
    for (const hs::Epilogue function : {hs::Epilogue{}, hs::Epilogue{hs::Relu{}}, hs::Epilogue{hs::Gelu{}}}) {
      for (const int kind_of_residual : {0, 1, 2}) {
        hs::OutputStage stage{with_bias ? hs::VectorView(bias) : hs::VectorView(), function, {}};
        if (kind_of_residual == 1) stage.residual = hs::view(residual);
        if (kind_of_residual == 2) stage.residual = hs::view(residual_by_column);
        hs::MatrixF out = hs::MatrixF::Constant(rows, cols, 1e9f);
        for (hs::Index row = 0; row < rows; row += 4) {
          for (hs::Index col = 0; col < cols; col += 64) {
            std::vector<float> tile_sums(4 * 64);
            const hs::OutputTile tile{row, std::min<hs::Index>(4, rows - row), col, std::min<hs::Index>(64, cols - col),
                                      tile_sums.data()};
            for (hs::Index r = 0; r < tile.rows; ++r) {
              for (hs::Index c = 0; c < tile.cols; ++c) tile.sums_of(r)[c] = sums(row + r, col + c);
            }
            stage.apply(tile);
            hs::store_tile(tile, hs::mutable_view(out));
          }
        }
        for (hs::Index r = 0; r < rows; ++r) {
          for (hs::Index c = 0; c < cols; ++c) {
            float expected = sums(r, c);
            if (with_bias) expected += bias[static_cast<std::size_t>(c)];
            expected = hs::apply_epilogue(function.kind(), expected);
            if (kind_of_residual != 0) expected += residual(r, c);
            REQUIRE(out(r, c) == expected);
          }
        }
      }
    }
  }
}

TEST_CASE("a tile is stored through any strides, and nowhere else", "[output_stage]") {
  std::vector<float> sums(2 * 64);
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] = static_cast<float>(i);
  const hs::OutputTile tile{1, 2, 3, 5, sums.data()};
  std::vector<float> memory(400, -1);
  const hs::MatrixView<float> strided(memory.data() + 7, 4, 9, 40, 3);
  hs::store_tile(tile, strided);
  int written = 0;
  for (const float value : memory) written += value != -1 ? 1 : 0;
  CHECK(written == 10);
  for (hs::Index r = 0; r < 2; ++r) {
    for (hs::Index c = 0; c < 5; ++c) CHECK(strided(1 + r, 3 + c) == static_cast<float>(64 * r + c));
  }
}
