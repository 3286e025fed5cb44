#pragma once

/// \file
/// Gated attention: a head whose output is not wanted is multiplied by a gate near 0, instead of by a softmax that must
/// grow outliers to get there.
///
///     logit_h(t) = sum_i x(t, h * size + i) * weight(h, i) + bias(h)        x: the layer's input, split by heads
///     gate_h(t)  = scale / (1 + exp(-logit_h(t)))
///     context(t, h * size + i) *= gate_h(t)
///
/// Source: Bondarenko, Nagel and Blankevoort, "Quantizable Transformers", NeurIPS 2023, section 4.2.

#include "halfstep/config.hpp"
#include "halfstep/core/band_grain.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/executor.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/core/parallel_for.hpp"
#include "halfstep/core/read_row.hpp"
#include "halfstep/core/vector_view.hpp"
#include "halfstep/kernels/ordered_sum.hpp"
#include "halfstep/simd/exp.hpp"
#include "halfstep/simd/math.hpp"
#include "halfstep/simd/pinned.hpp"

#include <cstddef>
#include <limits>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// What shares a gate: a token of a head, or a head, whose logit is then the mean over the tokens.
enum class GateScope { per_token, per_head };

/// How gates are formed.
struct HeadGateOptions {
  GateScope scope = GateScope::per_token;
  float scale = 1;  ///< positive; 1 / pi in a model whose gates started at sigmoid(bias) = pi and had no effect there
};

/// The logit of `size` inputs of one head. Class: ordered.
[[nodiscard]] inline float gate_logit(const float* x, const float* weight, Index size, float bias) {
  const float dot = ordered_sum(
      size, [&](Index i, Index part) { return simd::pinned(load_part(x + i, part) * load_part(weight + i, part)); });
  return dot + bias;
}

/// Refuses inputs of gates that do not fit.
inline void require_head_gates(Shape x, MatrixView<const float> weight, VectorView bias,
                               const HeadGateOptions& options) {
  require_readable("head_gates", "weight", weight);
  if (x.cols != weight.size()) {
    raise("head_gates", "x has ", x.cols, " columns, expected ", weight.size(), " for a weight of shape ",
          shape_of(weight));
  }
  if (!weight.rows_are_contiguous()) {
    raise("head_gates", "the rows of weight must be contiguous, their column stride is ", weight.col_stride);
  }
  if (!bias.empty() && bias.size != weight.rows) {
    raise("head_gates", "bias has ", bias.size, " elements, weight has ", weight.rows, " rows");
  }
  if (!(options.scale > 0 && options.scale <= std::numeric_limits<float>::max())) {
    raise("head_gates", "scale is ", options.scale, ", expected a positive number");
  }
}

/// The logits of one head become its gates, in place; NaN stays.
inline void logits_to_gates(float* logits, Index tokens, const HeadGateOptions& options) {
  if (tokens == 0) return;
  if (options.scope == GateScope::per_head) {
    const float sum = ordered_sum(tokens, [&](Index i, Index part) { return load_part(logits + i, part); });
    for (Index t = 0; t < tokens; ++t) logits[t] = sum / static_cast<float>(tokens);
  }
  for_each_part(tokens, [&](Index i, Index part) {
    const simd::FloatBatch power = simd::exp(-load_part(logits + i, part));
    store_part(logits + i, simd::FloatBatch(options.scale) / (power + simd::FloatBatch(1.0f)), part);
  });
}

/// The gates of x `[tokens, heads * size]` under `weight` `[heads, size]`, contiguous rows, and `bias` `[heads]`
/// (empty: zeros): a matrix `[heads, tokens]`. A gate that is the same for every input has a weight of zeros. x holds
/// the tokens of one sequence where the scope is a head. Class: ordered, for any executor.
///
/// Errors: shapes that do not fit; a scale that is not positive and finite.
template <Viewable X>
[[nodiscard]] MatrixF head_gates(const X& x, MatrixView<const float> weight, VectorView bias,
                                 const HeadGateOptions& options = {}, ExecutorRef executor = {}) {
  const auto source = view(x);
  require_readable("head_gates", "x", source);
  require_head_gates(shape_of(source), weight, bias, options);
  const Index heads = weight.rows, size = weight.cols;
  MatrixF gates(heads, source.rows);
  parallel_for(executor, source.rows, band_grain(source.cols), [&](Index first, Index last) {
    std::vector<float> scratch(static_cast<std::size_t>(source.cols));
    for (Index t = first; t < last; ++t) {
      const float* row = read_row(source, t, scratch.data());
      for (Index h = 0; h < heads; ++h) {
        gates(h, t) = gate_logit(row + h * size, weight.row(h), size, bias.empty() ? 0.0f : bias[h]);
      }
    }
  });
  for (Index h = 0; h < heads; ++h) logits_to_gates(gates.data() + h * source.rows, source.rows, options);
  return gates;
}

/// Multiplies each head of `context` `[tokens, heads * size]` by its gates `[heads, tokens]`, in place. Class: exact.
/// Errors: shapes that do not fit.
inline void apply_head_gates(MatrixView<float> context, MatrixView<const float> gates) {
  require_readable("apply_head_gates", "context", context);
  require_readable("apply_head_gates", "gates", gates);
  if (gates.cols != context.rows || (gates.rows == 0 ? context.cols != 0 : context.cols % gates.rows != 0)) {
    raise("apply_head_gates", "gates has shape ", shape_of(gates), ", context ", shape_of(context),
          ": expected [heads, tokens] and [tokens, heads * size]");
  }
  if (context.empty()) return;
  const Index size = context.cols / gates.rows;
  for (Index t = 0; t < context.rows; ++t) {
    for (Index c = 0; c < context.cols; ++c) context(t, c) *= gates(c / size, t);
  }
}

}  // namespace halfstep::inline HALFSTEP_ABI
