#pragma once

/// \file
/// The gated perceptron of a decoder block (SwiGLU): `down(silu(gate(x)) * up(x))`.
///
/// N. Shazeer, "GLU Variants Improve Transformer", 2020.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/layers/elementwise.hpp"
#include "halfstep/layers/engine.hpp"
#include "halfstep/layers/linear.hpp"
#include "halfstep/layers/run_workspace.hpp"

namespace halfstep::inline HALFSTEP_ABI {

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
