#pragma once

/// \file
/// How well a language model predicts text: the negative log-likelihood of each next token, in nats, and its
/// exponential, the perplexity.
///
///     nll(sequence) = -1 / (n - 1) * sum_{p < n - 1} log softmax(logits_p)[token p + 1],   nll = mean over sequences

#include "halfstep/config.hpp"
#include "halfstep/core/eigen.hpp"
#include "halfstep/core/error.hpp"
#include "halfstep/core/function_ref.hpp"
#include "halfstep/core/matrix_view.hpp"
#include "halfstep/layers/engine.hpp"
#include "halfstep/layers/run_workspace.hpp"
#include "halfstep/models/language_model.hpp"
#include "halfstep/models/tokens.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace halfstep::inline HALFSTEP_ABI {

/// The mean over the predictions of one sequence of n tokens, at least 2, from its logits `[n, vocabulary]`, the last
/// row of which predicts nothing. In double. Class: bounded, by the standard library's exp and log.
[[nodiscard]] inline double negative_log_likelihood(MatrixView<const float> logits,
                                                    std::span<const std::int32_t> tokens) {
  double sum = 0;
  for (std::size_t p = 0; p + 1 < tokens.size(); ++p) {
    const float* const row = logits.row(static_cast<Index>(p));
    const auto largest = static_cast<double>(*std::max_element(row, row + logits.cols));
    double powers = 0;
    for (Index c = 0; c < logits.cols; ++c) powers += std::exp(static_cast<double>(row[c]) - largest);
    sum += std::log(powers) + largest - static_cast<double>(row[tokens[p + 1]]);
  }
  return sum / static_cast<double>(tokens.size() - 1);
}

/// What an evaluation gave.
struct Likelihood {
  std::vector<double> of_sequence;  ///< nats per token

  /// The mean over the sequences, nats per token.
  [[nodiscard]] double nll() const {
    double sum = 0;
    for (const double one : of_sequence) sum += one;
    return sum / static_cast<double>(of_sequence.size());
  }
  [[nodiscard]] double perplexity() const { return std::exp(nll()); }
};

/// How sequences are evaluated.
struct LikelihoodOptions {
  Index sequences_at_a_time = 4;                ///< logits of so many are held; results do not depend on it
  FunctionRef<void(Index done)> progress = {};  ///< is told how many sequences are done
};

/// Runs `model` over all sequences, each from position 0 on. Errors: no sequence; sequences of fewer than 2 tokens;
/// those of `Llama::forward_into`.
[[nodiscard]] inline Likelihood evaluate(const Llama& model, const TokenView& tokens, Engine& engine,
                                         const LikelihoodOptions& options = {}) {
  if (tokens.count < 1 || tokens.length < 2) {
    raise("evaluate", "tokens are ", tokens.count, " sequences of ", tokens.length,
          ", expected at least 1 of at least 2 tokens");
  }
  if (options.sequences_at_a_time < 1) {
    raise("evaluate", "sequences_at_a_time is ", options.sequences_at_a_time, ", expected at least 1");
  }
  Likelihood result;
  RunWorkspace workspace;
  MatrixF logits(std::min(options.sequences_at_a_time, tokens.count) * tokens.length, model.vocabulary());
  for (Index first = 0; first < tokens.count; first += options.sequences_at_a_time) {
    const Index count = std::min(options.sequences_at_a_time, tokens.count - first);
    const MatrixView<float> out = mutable_view(logits).row_range(0, count * tokens.length);
    model.forward_into(tokens.range(first, count), engine, workspace, out,
                       {.sequences_at_a_time = options.sequences_at_a_time});
    for (Index i = 0; i < count; ++i) {
      result.of_sequence.push_back(
          negative_log_likelihood(out.row_range(i * tokens.length, tokens.length), tokens.sequence(first + i)));
    }
    if (options.progress) options.progress(first + count);
  }
  return result;
}

}  // namespace halfstep::inline HALFSTEP_ABI
