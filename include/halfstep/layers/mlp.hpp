#pragma once

/// \file
/// The two-layer perceptron of a transformer block: `fc2(gelu(fc1(x)))`.

#include "halfstep/config.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/layers/engine.hpp"
#include "halfstep/layers/linear.hpp"
#include "halfstep/layers/run_workspace.hpp"

namespace halfstep::inline HALFSTEP_ABI {

/// GELU is the exact one, in the epilogue of the first product.
struct Mlp {
  Linear fc1;  ///< `[hidden, dim]`
  Linear fc2;  ///< `[dim, hidden]`

  /// x and out `[images * tokens, dim]`.
  void forward(MatrixView<const float> x, Index tokens, MatrixView<float> out, Engine& engine,
               RunWorkspace& workspace) const {
    const Workspace::Scope scope(workspace.main());
    const MatrixView<float> hidden = take_matrix(workspace.main(), x.rows, fc1.out_features());
    fc1.forward(x, tokens, hidden, engine, workspace.main(), Gelu{});
    fc2.forward(hidden, tokens, out, engine, workspace.main());
  }
};

}  // namespace halfstep::inline HALFSTEP_ABI
