#pragma once

/// \file
/// `explain`: which kernel a product runs, on which instruction set, and what keeps it from the fast route.

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/workspace.hpp"
#include "halfstep/kernels/combine.hpp"
#include "halfstep/kernels/encoded_matrix.hpp"
#include "halfstep/kernels/matmul.hpp"
#include "halfstep/kernels/matmul_options.hpp"
#include "halfstep/kernels/packed_matrix.hpp"
#include "halfstep/kernels/tile_generic.hpp"
#include "halfstep/simd/cpu.hpp"
#include "halfstep/simd/isa.hpp"

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// What `matmul` does with its arguments. Nothing of it changes a result; all of it changes speed.
struct ProductExplanation {
  std::string_view kernel;       ///< the int8 tile that multiplies, named after its instruction set
  std::string_view unit_isa;     ///< what encodes, scales and finishes: the flags of the calling unit
  std::string_view machine_isa;  ///< the best that this machine runs
  int byte_products = 1;         ///< int8 products behind one product: planes of x times planes of w; 0: it is in float
  Index workers = 1;             ///< threads that take part
  bool corrects_in_integers = true;
  std::vector<std::string> reasons;  ///< why it is not the fast route, one sentence each; empty where it is

  [[nodiscard]] bool is_fast() const { return reasons.empty(); }
};

/// What is slow about the instruction sets in use.
inline void explain_isa(ProductExplanation& e, const TileKernel& tile) {
  const bool tile_is_best = e.kernel == e.machine_isa;
  if (&tile == &tile_generic) {
    e.reasons.push_back(concat("the kernel is plain C++, this machine runs ", e.machine_isa));
  } else if (!tile_is_best && e.machine_isa != "sse41" && e.machine_isa != "ssse3") {  // which the sse2 kernel serves
    e.reasons.push_back(concat("the kernel is for ", e.kernel, ", this machine runs ", e.machine_isa,
                               ": compile with flags for it, or add halfstep_add_isa_variants"));
  }
  if (e.unit_isa != e.machine_isa && e.unit_isa != e.kernel) {
    e.reasons.push_back(concat("the calling unit, which encodes and scales, is compiled for ", e.unit_isa));
  }
}

/// What is slow about the weight, whoever meets it.
inline void explain_weight(ProductExplanation& e, const PackedMatrix& w) {
  const KLayout& layout = w.layout();
  if (w.plane_count() > 1) e.reasons.push_back("the weight has two planes: its quantizer is no uniform grid of 8 bits");
  if (layout.padded_k() > layout.k + layout.k / 8) {
    e.reasons.push_back(concat("groups of ", layout.group, " are padded to multiples of ", KLayout::k_step, ": K is ",
                               layout.padded_k(), " instead of ", layout.k));
  }
  if (layout.groups() > 1 && layout.group < 64) {
    e.reasons.push_back(
        concat("groups of ", layout.group, " are scaled so often that it costs as much as multiplying"));
  }
  if (!w.input_order().empty()) e.reasons.push_back("columns are reordered: each row of x is gathered first");
}

/// Explains `matmul(x, w, options)` without carrying it out; x is encoded, since the correction depends on its zeros.
/// Allocates. Errors: those of `matmul`.
///
///     const hs::ProductExplanation e = hs::explain(x, packed);
///     std::cout << hs::concat(e) << '\n';
template <ProductInput X>
[[nodiscard]] ProductExplanation explain(const X& x, const PackedMatrix& w, const MatmulOptions& options = {}) {
  const Shape shape = activation_shape("explain", x);
  require_product("explain", shape, w, options);
  require_meeting<X>("explain", w, options.activation);
  Workspace workspace;
  const ProductPlan plan = plan_product(w, options, workspace);
  ProductExplanation e;
  e.kernel = plan.tile.name;
  e.unit_isa = simd::isa_name;
  e.machine_isa = simd::best_supported_isa();
  e.workers = plan.worker_count(shape.rows);
  if (w.needs_floats() || (options.activation.keeps_floats() && !std::is_same_v<X, EncodedMatrix>)) {
    e.kernel = "float";
    e.byte_products = 0;
    e.corrects_in_integers = false;
    e.reasons.push_back(
        "activations are kept in float: the weight is decoded to floats, which multiply at a quarter of "
        "the speed of bytes or less");
    return e;
  }
  explain_isa(e, plan.tile);
  explain_weight(e, w);
  const auto look_at = [&](const EncodedRows& rows) {
    e.byte_products = rows.plane_count * w.plane_count();
    e.corrects_in_integers = fits_integers(rows, w);
    if (rows.plane_count > 1)
      e.reasons.push_back("the activations have two planes: their quantizer is no uniform grid");
  };
  if constexpr (std::is_same_v<X, EncodedMatrix>) {
    look_at(x.rows_view());
    if (!w.input_order().empty() || x.layout() != w.layout()) {
      e.reasons.push_back("x was encoded for another grouping: its rows are copied or summed again");
    }
  } else {
    const EncodedMatrix encoded = encode(x, options.activation, 0, options.executor);
    look_at(encoded.rows_view());
    if (!view(x).rows_are_contiguous()) e.reasons.push_back("x is read through strides: its rows are copied first");
  }
  if (!e.corrects_in_integers && e.byte_products == 1) {
    e.reasons.push_back("zeros are no integers, or a sum could pass int32: the correction is made in double");
  }
  return e;
}

/// "avx512vnni kernel, 2 threads: ..." with the reasons, one a line.
inline void append_text(std::string& text, const ProductExplanation& e) {
  text +=
      concat(e.kernel, " kernel, ", e.byte_products, e.byte_products == 1 ? " int8 product, " : " int8 products, ",
             e.workers, e.workers == 1 ? " thread" : " threads", e.is_fast() ? ": the fast route" : ", slower because");
  for (const std::string& reason : e.reasons) text += "\n  " + reason;
}

}  // namespace halfstep::inline HALFSTEP_ABI
