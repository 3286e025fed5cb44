#pragma once

/// \file
/// Weights whose rows are searched by the error of the layer's output, given what its input is multiplied as.

#include "halfstep/calibrators/range/alternating_search.hpp"
#include "halfstep/calibrators/range/candidate_search.hpp"
#include "halfstep/calibrators/range/observed_product.hpp"
#include "halfstep/calibrators/range/output_loss.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/tiling.hpp"
#include "halfstep/kernels/activation.hpp"
#include "halfstep/layers/site_spec.hpp"
#include "halfstep/quantizers/uniform.hpp"
#include "halfstep/recipes/percentile_rules.hpp"
#include "halfstep/recipes/quantized_inputs.hpp"
#include "halfstep/recipes/vit_site.hpp"

#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// A linear site whose input is encoded by `input`, each row of its weight by the quantizer that `turn` (a `ScanTurn`
/// or a `ProgressiveTurn`) finds by the squared error of the output on the first `search_images` images. Class:
/// bounded, for any executor.
template <int Bits, class Turn>
[[nodiscard]] LinearSpec searched_rows(const VitSite& at, const Activation& input, Index search_images,
                                       const Turn& turn) {
  const std::vector<ObservedProduct> layer = at.products(search_images);
  const std::vector<MatrixF> encoded{encoded_values(as_eigen(layer[0].lhs), input, at.executor)};
  const OutputLoss<Uniform<Bits>> loss(layer, encoded, {Operand::rhs, per_row(), OutputMetric::squared, at.executor});
  SearchRun run({at.executor}, turn.count());
  const auto rows = quantizers_of(turn(loss, {}, run));
  return {pack_rows(at.layer->weight_view(), rows, at.executor), at.bits.weight, input};
}

/// Calls `visit.operator()<Bits>()` for the width that weight and activation of `at` share. Error: they differ, which
/// searches over both operands at once are not compiled for.
template <class Visit>
auto with_equal_bits(std::string_view where, const VitSite& at, Visit visit) {
  if (!at.is_attention() && at.bits.weight != at.bits.activation) {
    raise(where, "site \"", at.site.name, "\" has weights of ", at.bits.weight, " bits and inputs of ",
          at.bits.activation, ", expected one width: this method searches for both at once");
  }
  return with_uniform_bits(where, "activation_bits", at.bits.activation, visit);
}

/// The rules of an attention site from quantizers by head, or of all heads.
template <ScalarQuantizer L, ScalarQuantizer R>
[[nodiscard]] AttentionSpec per_head_rules(const ProductQuantizers<L, R>& found) {
  return {{found.lhs.begin(), found.lhs.end()}, {found.rhs.begin(), found.rhs.end()}};
}

}  // namespace halfstep::inline HALFSTEP_ABI
