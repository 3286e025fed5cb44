#pragma once

/// \file
/// The gated perceptron of a decoder block (SwiGLU): `down(silu(gate(x)) * up(x))`.
///
/// N. Shazeer, "GLU Variants Improve Transformer", 2020.

#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/layers/engine.hpp"
#include "halfstep/layers/linear.hpp"
#include "halfstep/layers/run_workspace.hpp"

namespace halfstep::inline HALFSTEP_ABI {

/// `x *= y`, element by element, same shape, rows contiguous. Class: exact.
inline void multiply_into(MatrixView<float> x, MatrixView<const float> y, ExecutorRef executor) {
  parallel_for(executor, x.rows, band_grain(x.cols), [&](Index first, Index last) {
    for (Index r = first; r < last; ++r) {
      float* to = x.row(r);
      const float* from = y.row(r);
      for (Index c = 0; c < x.cols; ++c) to[c] *= from[c];
    }
  });
}

/// SiLU is in the epilogue of the first product.
struct GatedMlp {
  Linear gate_proj;  ///< `[hidden, dim]`
  Linear up_proj;    ///< `[hidden, dim]`
  Linear down_proj;  ///< `[dim, hidden]`

  /// x and out `[sequences * tokens, dim]`.
  void forward(MatrixView<const float> x, Index tokens, MatrixView<float> out, Engine& engine,
               RunWorkspace& workspace) const {
    Workspace& memory = workspace.main();
    const Workspace::Scope scope(memory);
    const MatrixView<float> hidden = take_matrix(memory, x.rows, gate_proj.out_features());
    const MatrixView<float> factor = take_matrix(memory, x.rows, up_proj.out_features());
    gate_proj.forward(x, tokens, hidden, engine, memory, Silu{});
    up_proj.forward(x, tokens, factor, engine, memory);
    multiply_into(hidden, factor, engine.executor());
    down_proj.forward(hidden, tokens, out, engine, memory);
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
