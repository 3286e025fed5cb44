#pragma once

/// \file
/// What the linear layers behind the norms of a language model read, from a float run: what methods that move scales
/// between a norm and its readers look at.

#include "halfstep/calibrators/range/min_max.hpp"
#include "halfstep/config.hpp"
#include "halfstep/core/any_matrix_view.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/linear_view.hpp"
#include "halfstep/layers/float_product.hpp"
#include "halfstep/layers/recording_engine.hpp"
#include "halfstep/layers/site.hpp"
#include "halfstep/models/llama.hpp"
#include "halfstep/models/norm_consumers.hpp"
#include "halfstep/models/tokens.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// Calls `visit(norm)` for the norms whose readers are layers of the blocks: all but the one in front of the head.
template <class Visit>
void for_each_block_norm(Llama& model, Visit visit) {
  model.for_each_norm([&](const NormConsumers& norm) {
    if (norm.consumers.front()->site != model.lm_head.site) visit(norm);
  });
}

/// The layers of `consumers` as transforms edit them, and their weights as calibrators read them.
[[nodiscard]] inline std::vector<LinearView> views_of(const std::vector<Linear*>& consumers) {
  std::vector<LinearView> views;
  for (Linear* const layer : consumers) views.push_back(layer->view());
  return views;
}
[[nodiscard]] inline std::vector<AnyMatrixView> weights_of(const std::vector<Linear*>& consumers) {
  std::vector<AnyMatrixView> weights;
  for (const Linear* const layer : consumers) weights.emplace_back(layer->weight_view());
  return weights;
}

/// Runs `model` in float over `calibration` and calls `observe(site, x)` with the input of each linear site, a set of
/// sequences at a time. Errors: no token; those of `Llama::forward_into`.
template <class Observe>
void observe_inputs(std::string_view where, const Llama& model, const TokenView& calibration, FloatProduct product,
                    Observe observe) {
  if (calibration.size() == 0) raise(where, "calibration has no tokens");
  const auto record = [&](const ProductRecord& seen) {
    if (seen.site.kind == SiteKind::linear) observe(seen.site, seen.lhs);
  };
  RecordingEngine recording(product, record);
  static_cast<void>(model.forward(calibration, recording));
}

/// Ranges of the channels behind each norm of the blocks, by the index of its first reader's site.
[[nodiscard]] inline std::map<Index, MinMax> observe_channels(std::string_view where, Llama& model,
                                                              const TokenView& calibration, FloatProduct product) {
  std::map<Index, MinMax> seen;
  for_each_block_norm(model, [&](const NormConsumers& norm) {
    seen.emplace(norm.consumers.front()->site.index, MinMax(per_column()));
  });
  observe_inputs(where, model, calibration, product, [&](const Site& site, MatrixView<const float> x) {
    if (const auto found = seen.find(site.index); found != seen.end()) found->second.observe(x);
  });
  return seen;
}

/// The first `tokens` rows of the input of each of `sites` (indices), all of them for 0.
[[nodiscard]] inline std::map<Index, MatrixF> keep_inputs(std::string_view where, const Llama& model,
                                                          const TokenView& calibration, FloatProduct product,
                                                          const std::vector<Index>& sites, Index tokens) {
  const Index most = tokens == 0 ? calibration.size() : std::min(tokens, calibration.size());
  std::map<Index, MatrixF> kept;
  std::map<Index, Index> rows;
  observe_inputs(where, model, calibration, product, [&](const Site& site, MatrixView<const float> x) {
    if (std::find(sites.begin(), sites.end(), site.index) == sites.end()) return;
    MatrixF& all = kept[site.index];
    if (all.rows() == 0) all.resize(most, x.cols);
    Index& done = rows[site.index];
    const Index count = std::min(x.rows, most - done);
    for (Index r = 0; r < count; ++r) std::copy_n(x.row(r), x.cols, all.data() + (done + r) * x.cols);
    done += count;
  });
  return kept;
}

}  // namespace halfstep::inline HALFSTEP_ABI
