#pragma once

/// \file
/// What tests of recipes for language models share: a small random model, and the trained ones with their sequences.

#include <string>

#include "halfstep/core/thread_pool.hpp"
#include "halfstep/kernels/dense_product.hpp"
#include "halfstep/layers/float_engine.hpp"
#include "halfstep/layers/integer_engine.hpp"
#include "halfstep/models/llama.hpp"
#include "halfstep/models/perplexity.hpp"
#include "halfstep/recipes/nearest_llama.hpp"
#include "support/llama_checkpoint.hpp"
#include "support/models.hpp"

namespace halfstep_tests {

/// A model of two blocks and sequences for it.
struct SmallLlama {
  halfstep::Llama model = LlamaCheckpoint(LlamaSizes{}).load();
  halfstep::Tokens tokens = random_tokens(6, 15, 23, 731);

  [[nodiscard]] halfstep::MatrixF float_logits(const halfstep::Llama& of) const {
    halfstep::FloatEngine engine(halfstep::plain_product);
    return of.forward(tokens.view(), engine);
  }
  [[nodiscard]] halfstep::MatrixF logits(const halfstep::QuantizedLlama& quantized) const {
    return quantized.forward(tokens.view(), {}, halfstep::plain_product);
  }
};

/// The largest difference of two matrices, over the largest magnitude of the first.
inline float relative_difference(const halfstep::MatrixF& a, const halfstep::MatrixF& b) {
  return (a - b).cwiseAbs().maxCoeff() / a.cwiseAbs().maxCoeff();
}

/// A trained model with its calibration and test sequences.
struct TrainedLlama {
  halfstep::Llama model;
  halfstep::Tokens calibration, test;
  halfstep::ThreadPool pool{2};

  TrainedLlama(const std::string& checkpoint, const std::string& evaluation) {
    const halfstep::SafetensorsFile data = halfstep::SafetensorsFile::open(evaluation);
    model = halfstep::load_llama(checkpoint);
    calibration = halfstep::load_tokens(data, "calib.ids");
    test = halfstep::load_tokens(data, "test.ids");
  }

  /// Mean loss over all test sequences.
  double loss(const halfstep::QuantizedLlama& quantized) {
    halfstep::IntegerEngine engine(quantized.specs(), pool, halfstep::dense_product);
    return halfstep::evaluate(quantized.model(), test.view(), engine).nll();
  }
  double nearest(const halfstep::Llama& of, int weight_bits, int activation_bits, halfstep::InputScale scale) {
    return loss(halfstep::recipes::nearest(of, calibration.view(),
                                           {.weight_bits = weight_bits,
                                            .activation_bits = activation_bits,
                                            .input_scale = scale,
                                            .float_product = halfstep::dense_product,
                                            .executor = pool}));
  }
};

}  // namespace halfstep_tests
