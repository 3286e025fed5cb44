#pragma once

/// \file
/// `matmul`: activations times packed weights, from the codes.
///
/// docs/kernels.md describes the route: rows are encoded into planes, each column block of the weight is brought into
/// a panel that stays in cache, an int8 tile kernel multiplies, and what it leaves in L1 is corrected, scaled and
/// finished before the next tile. Integer sums are of class exact, float outputs ordered: bit-equal to
/// `reference_product` on every instruction set, for any executor, blocking and number of rows. Activations that are
/// kept in float meet the values of the weight in a float tile: class bounded, see kernels/float_tile.hpp.

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/encoded_matrix.hpp"
#include "halfstep/kernels/matmul_options.hpp"
#include "halfstep/kernels/output_stage.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/kernels/product.hpp"
#include "halfstep/kernels/product_rows.hpp"
#include "halfstep/kernels/tile_default.hpp"
#include "halfstep/simd/require_cpu.hpp"

#include <algorithm>
#include <string_view>
#include <type_traits>

namespace halfstep::inline HALFSTEP_ABI {

/// What `matmul` takes as activations.
template <class X>
concept ProductInput = Viewable<X> || std::is_same_v<X, EncodedMatrix>;

/// How the product of these options is carried out.
[[nodiscard]] inline ProductPlan plan_product(const PackedMatrix& w, const MatmulOptions& options,
                                              Workspace& workspace) {
  const TileKernel& tile = options.tile != nullptr ? *options.tile : default_tile();
  return {w, tile, options.blocking, options.executor, workspace};
}

/// The shape of activations, which are a float matrix or an `EncodedMatrix`.
template <ProductInput X>
[[nodiscard]] Shape activation_shape(std::string_view where, const X& x) {
  if constexpr (std::is_same_v<X, EncodedMatrix>) {
    return x.shape();
  } else {
    require_readable(where, "x", view(x));
    return shape_of(view(x));
  }
}

/// Refuses activations that cannot meet `w`: codes where it takes floats, blocks that its groups do not divide.
template <ProductInput X>
void require_meeting(std::string_view where, const PackedMatrix& w, const Activation& activation) {
  if (!std::is_same_v<X, EncodedMatrix> && activation.block_size() > 0) {
    if (!w.input_order().empty()) {
      raise(where, "activation has a scale for each ", activation.block_size(), " values of a row, and packed weight ",
            "has its columns in another order, which blocks do not survive");
    }
    if (!activation.fits_blocks(w.layout())) {
      raise(where, "activation has blocks of ", activation.block_size(), " values, packed weight has groups of ",
            w.layout().group, ": quantize the weight in groups of ", activation.block_size());
    }
  }
  if (!w.needs_floats()) return;
  if (std::is_same_v<X, EncodedMatrix>) {
    raise(where, "packed weight holds 8-bit floating-point codes, which meet float activations only, and x is encoded");
  }
  if (!activation.may_keep_floats()) {
    raise(where, "packed weight holds 8-bit floating-point codes, which meet float activations only: leave ",
          "activation as it is, or make it Activation::kept_in_float()");
  }
}

/// Calls `multiply(rows, first_row)` for the rows of x, as `w` reads them: for an `EncodedMatrix` all at once, for
/// floats some at a time, encoded (so that their planes stay in L2 or L3 in between) or, where the activation or the
/// weight wants that, as floats.
template <ProductInput X, class Multiply>
void for_product_rows(const X& x, const ProductPlan& plan, const Activation& activation, Multiply&& multiply) {
  if constexpr (std::is_same_v<X, EncodedMatrix>) {
    const Workspace::Scope scope(plan.workspace);
    multiply(fit_rows_to(x.rows_view(), plan.w, plan.workspace, plan.executor), Index{0});
  } else {
    constexpr Index rows_at_a_time = 1024;
    const auto source = view(x);
    for (Index first = 0; first < source.rows; first += rows_at_a_time) {
      const Workspace::Scope scope(plan.workspace);
      const auto rows = source.row_range(first, std::min(rows_at_a_time, source.rows - first));
      if (plan.w.needs_floats() || activation.keeps_floats()) {
        multiply(float_rows_for(rows, plan.w, plan.workspace, plan.executor), first);
      } else {
        multiply(encode_rows_for(rows, activation, plan.w, plan.workspace, plan.executor), first);
      }
    }
  }
}

/// `out = epilogue(x * w^T + bias) + residual`: x `[tokens, in_features]` of float, double, F16 or BF16, encoded on the
/// way in by `options.activation`, or an `EncodedMatrix`; out `[tokens, out_features]`, an Eigen matrix, map or block
/// of that shape, or a view. Allocates nothing once `workspace` is warm (what an executor does is its own affair). x
/// and out may not overlap. A row of x that holds NaN or infinity gives a row of NaN. Class: ordered.
///
/// With `Activation::kept_in_float()`, or a weight of FP8 or MXFP8, x is not encoded: the product is that with
/// `dequantize` of the weight, summed in float over ascending k; NaN and infinity spread as IEEE arithmetic has it.
/// Class: bounded.
///
/// Errors: shapes that do not fit, named with what was expected; codes of x where the weight takes floats only.
template <ProductInput X, WritableMatrix Out>
void matmul_into(const X& x, const PackedMatrix& w, Out&& out, Workspace& workspace,
                 const MatmulOptions& options = {}) {
  simd::require_cpu();
  const Shape shape = activation_shape("matmul", x);
  require_product("matmul", shape, w, options);
  require_meeting<X>("matmul", w, options.activation);
  const MatrixView<float> target = mutable_view(out);
  if (shape_of(target) != Shape{shape.rows, w.rows()}) {
    raise("matmul", "out has shape ", shape_of(target), ", expected ", Shape{shape.rows, w.rows()});
  }
  require_readable("matmul", "out", target);
  const ProductPlan plan = plan_product(w, options, workspace);
  const OutputStage stage{options.bias, options.epilogue, options.residual};
  for_product_rows(x, plan, options.activation, [&](const auto& rows, Index first) {
    run_product(plan, rows, [&](OutputTile tile) {
      tile.row += first;
      stage.apply(tile);
      store_tile(tile, target);
    });
  });
}

/// The same as a new matrix `[tokens, out_features]`.
template <ProductInput X>
[[nodiscard]] MatrixF matmul(const X& x, const PackedMatrix& w, const MatmulOptions& options = {}) {
  Workspace workspace;
  MatrixF out(activation_shape("matmul", x).rows, w.rows());
  matmul_into(x, w, out, workspace, options);
  return out;
}

}  // namespace halfstep::inline HALFSTEP_ABI
