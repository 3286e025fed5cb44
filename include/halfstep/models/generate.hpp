#pragma once

/// \file
/// Text from a language model, a token at a time.

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/layers/engine.hpp"
#include "halfstep/layers/key_value_cache.hpp"
#include "halfstep/layers/run_workspace.hpp"
#include "halfstep/models/language_model.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The likeliest continuation of `prompt`: `count` tokens, each the one with the largest logit (the first of equals)
/// after all before it. Every token is one step over a cache of keys and values. Errors: an empty prompt; more tokens
/// than the model has positions; those of `Llama::continue_into`.
[[nodiscard]] inline std::vector<std::int32_t> generate_greedily(const Llama& model,
                                                                 std::span<const std::int32_t> prompt, Index count,
                                                                 Engine& engine) {
  const auto given = static_cast<Index>(prompt.size());
  if (given < 1 || count < 0 || given + count > model.max_tokens()) {
    raise("generate_greedily", "prompt has ", given, " tokens, and ", count,
          " are to follow; expected at least 1, and ", model.max_tokens(), " in all at most");
  }
  std::vector<std::int32_t> tokens;
  KeyValueCache cache = model.make_cache(given + count);
  RunWorkspace workspace;
  MatrixF logits(given, model.vocabulary());
  std::span<const std::int32_t> next = prompt;
  while (static_cast<Index>(tokens.size()) < count) {
    const auto rows = static_cast<Index>(next.size());
    model.continue_into(next, cache, engine, workspace, mutable_view(logits).row_range(0, rows));
    const float* const last = logits.data() + (rows - 1) * logits.cols();
    tokens.push_back(static_cast<std::int32_t>(std::max_element(last, last + logits.cols()) - last));
    next = {&tokens.back(), 1};
  }
  return tokens;
}

}  // namespace halfstep::inline HALFSTEP_ABI
