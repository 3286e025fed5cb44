#pragma once

/// \file
/// Token sequences, and what is measured on them.

#include <halfstep/core/eigen.hpp>
#include <halfstep/io/safetensors.hpp>
#include <halfstep/models/language_model.hpp>
#include <halfstep/models/perplexity.hpp>
#include <halfstep/models/tokens.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace quantize_llm {

namespace hs = halfstep;
using hs::Index;

/// Calibration and test sequences.
struct Evaluation {
  hs::Tokens calibration, test;

  /// The first sequences of the file at `path` (0: all). Errors: those of the file.
  static Evaluation open(const std::string& path, Index calibration_sequences, Index test_sequences) {
    const hs::SafetensorsFile file = hs::SafetensorsFile::open(path);
    Evaluation evaluation{hs::load_tokens(file, "calib.ids"), hs::load_tokens(file, "test.ids")};
    const auto keep = [](hs::Tokens& tokens, Index count) {
      if (count > 0) tokens.count = std::min(count, tokens.count);
    };
    keep(evaluation.calibration, calibration_sequences);
    keep(evaluation.test, test_sequences);
    return evaluation;
  }
};

/// What one run over the test sequences gave.
struct Run {
  double nll = 0;
  double tokens_per_second = 0;   ///< whole sequences: the median over sets of `sequences_at_a_time`
  double decoded_per_second = 0;  ///< one token after the other, over a cache
};

inline constexpr Index sequences_at_a_time = 4;

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Tokens per second of a decoder that is given a test sequence token by token.
inline double decoding_speed(const hs::Llama& model, std::span<const std::int32_t> tokens, hs::Engine& engine) {
  hs::KeyValueCache cache = model.make_cache(static_cast<Index>(tokens.size()));
  hs::RunWorkspace workspace;
  hs::MatrixF logits(1, model.vocabulary());
  double best = 0;
  for (int repetition = 0; repetition < 3; ++repetition) {
    cache.truncate(0);
    const auto start = std::chrono::steady_clock::now();
    for (const std::int32_t& token : tokens) {
      model.continue_into({&token, 1}, cache, engine, workspace, hs::mutable_view(logits));
    }
    best = std::max(best, static_cast<double>(tokens.size()) / seconds_since(start));
  }
  return best;
}

/// Runs all test sequences and takes the time of each set. `step(sequences done)` is called in between.
inline Run run_timed(const hs::Llama& model, const hs::TokenView& tokens, hs::Engine& engine,
                     const std::function<void(Index)>& step) {
  std::vector<double> speeds;
  Index done = 0;
  auto start = std::chrono::steady_clock::now();
  const auto progress = [&](Index now_done) {
    speeds.push_back(static_cast<double>((now_done - done) * tokens.length) / seconds_since(start));
    done = now_done;
    step(done);
    start = std::chrono::steady_clock::now();
  };
  Run run;
  run.nll =
      hs::evaluate(model, tokens, engine, {.sequences_at_a_time = sequences_at_a_time, .progress = progress}).nll();
  std::nth_element(speeds.begin(), speeds.begin() + static_cast<std::ptrdiff_t>(speeds.size() / 2), speeds.end());
  run.tokens_per_second = speeds[speeds.size() / 2];
  run.decoded_per_second = decoding_speed(model, tokens.sequence(0), engine);
  return run;
}

}  // namespace quantize_llm
